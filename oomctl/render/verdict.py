"""The answer of ``simulate`` in one sentence: who would die, what that frees, how sure it is."""

from __future__ import annotations

from collections.abc import Sequence

from oomctl.model.kernel import Certainty, Constraint, Context, Doubtful, Outcome, Round, Task
from oomctl.model.limits import Demand, Limit, LimitKind
from oomctl.render import reasons
from oomctl.render.cgroups import told
from oomctl.render.text import count, named, size, visible, visible_in_brackets

_ENDS = {Outcome.PANIC: "panic", Outcome.UNKNOWN: "unknown"}
_MOST_NAMES = 3
_ADDED = "added"


def verdict(
    rounds: Sequence[Round],
    context: Context,
    page_size: int,
    *,
    demand: Demand | None = None,
    baseline: Round | None = None,
    goal_bytes: int | None = None,
) -> str:
    """Return the answer to what was asked: all rounds, whether there is room, and what it is without the changes."""
    said = of_round(rounds[0], page_size) if len(rounds) == 1 else _in_turn(rounds, page_size, goal_bytes)
    if demand is not None:
        said = f"{_room(demand, context)} {said}"
    return said if baseline is None else f"{said}; {_without_changes(rounds[0], baseline)}"


def of_round(result: Round, page_size: int) -> str:
    """Return the answer of one round."""
    if result.outcome is not Outcome.KILL or result.victim is None:
        return f"{_ENDS.get(result.outcome, 'nobody would die')}: {visible(reasons.ended(result.reason))}"
    if len(result.contenders) > 1:
        return f"close: {_one_of(result, result.victim.task)} would die"
    sure = certain(result)
    freed = size(result.freed_pages * page_size)
    dies = f"{name_of(result.victim.task)} would die{_along(result)}, {freed} would be freed"
    return f"{dies} — {sure}" if result.certainty is Certainty.CERTAIN else f"{sure}: {dies}"


def certain(result: Round) -> str:
    """Return how sure it is in a few words: ``certain, settled``, ``close``, or ``not certain`` and why."""
    if result.certainty is Certainty.CERTAIN:
        return "certain, settled" if result.settled else "certain"
    if len(result.contenders) > 1 or not result.doubts:
        return "close"
    return f"not certain ({', '.join(visible(reasons.doubted_shortly(doubt)) for doubt in result.doubts)})"


def name_of(task: Task) -> str:
    """Return ``812 (sshd)``; one that exists only in a what-if has no PID."""
    if task.pid > 0:
        return named(task)
    return "the added process" if task.comm == _ADDED else f"the added process ({visible_in_brackets(task.comm)})"


def names_in_turn(rounds: Sequence[Round]) -> str:
    """Return ``46 (java), then 812 (sshd)``; of many the first."""
    names = [name_of(result.victim.task) for result in _kills(rounds) if result.victim is not None]
    more = [f"{len(names) - _MOST_NAMES} more"] if len(names) > _MOST_NAMES else []
    return ", then ".join(names[:_MOST_NAMES] + more)


def sure_in_turn(rounds: Sequence[Round]) -> str:
    """Return how sure all rounds are: ``certain``, or what the first is that is not."""
    for number, result in enumerate(_kills(rounds), 1):
        if result.certainty is not Certainty.CERTAIN:
            return f"round {number} is {certain(result)}"
    return "certain"


def is_same_choice(one: Round, other: Round) -> bool:
    """Whether two rounds end in the same way and for the same process."""
    victims = [result.victim and result.victim.task.pid for result in (one, other)]
    return one.outcome is other.outcome and victims[0] == victims[1]


def limit_name(limit: Limit) -> str:
    """Return which limit it is."""
    return {
        LimitKind.MEMCG: f"the limit of {told(limit.memcg or '/')}",
        LimitKind.NODES: f"the memory of node {node_list(limit.allowed)}, all that its cpuset allows",
        LimitKind.MACHINE: "the machine's memory",
    }[limit.kind]


def node_list(nodes: frozenset[int] | None) -> str:
    """Return ``0,2``."""
    return ",".join(map(str, sorted(nodes or ())))


def _one_of(result: Round, victim: Task) -> str:
    if any(doubt.kind is Doubtful.ALLOCATING_TASK for doubt in result.doubts):
        return f"whoever asks for memory then (one of {len(result.contenders)})"
    others = [task for task in result.contenders if task.pid != victim.pid]
    if len(others) >= _MOST_NAMES:
        return f"one of {len(result.contenders)}, {name_of(victim)} by the numbers of now,"
    *before, last = [name_of(task) for task in (victim, *others)]
    return f"{', '.join(before)} or {last}"


def _along(result: Round) -> str:
    """Say how many die with the victim, and why."""
    others = len(result.killed) - 1
    if not others:
        return ""
    if result.group is not None:
        return f" with its whole cgroup ({told(result.group)}, {count(others + 1, 'process', 'processes')})"
    return f" with {count(others, 'other')} that {'shares' if others == 1 else 'share'} its memory"


def _kills(rounds: Sequence[Round]) -> list[Round]:
    return [result for result in rounds if result.outcome is Outcome.KILL and result.victim is not None]


def _in_turn(rounds: Sequence[Round], page_size: int, goal_bytes: int | None) -> str:
    freed = sum(result.freed_pages for result in rounds) * page_size
    frees = f"{size(freed)} would be freed"
    if goal_bytes is not None and freed < goal_bytes:
        frees = f"only {size(freed)} of {size(goal_bytes)} would be freed"
    said = f"{names_in_turn(rounds)} would die, {frees} — {sure_in_turn(rounds)}"
    return said if rounds[-1].outcome is Outcome.KILL else f"{said}; then {of_round(rounds[-1], page_size)}"


def _room(demand: Demand, context: Context) -> str:
    limit = demand.limit
    asked_about = limit.memcg == context.memcg if context.constraint is Constraint.MEMCG else True
    if not demand.short_bytes:
        under = "" if asked_about else f" to {limit_name(limit)}"
        return f"{size(demand.asked_bytes)} fits: {size(demand.stays_bytes)} stay{under}; when memory runs out,"
    short = f"short by {size(demand.short_bytes)}"
    return f"{short}: then" if asked_about else f"{short}, for {limit_name(limit)} is nearer; at the limit asked about,"


def _without_changes(changed: Round, baseline: Round) -> str:
    if is_same_choice(baseline, changed):
        return "the same without the changes"
    return f"without the changes: {'nobody' if baseline.victim is None else name_of(baseline.victim.task)}"
