"""``select_bad_process``: the walk over all tasks, who leads it and why every other one was spared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from oomctl.kernel.badness import ADJ_MIN, badness
from oomctl.kernel.constraint import concerns_everybody, outside
from oomctl.kernel.rules import Dying, Rules, Walk
from oomctl.model.kernel import Candidate, Constraint, Context, Spared, Task, Unkillable, WhySpared
from oomctl.model.listing import Details, Row

_UNKNOWN = Details()
_NO_DETAILS: Mapping[int, Details] = {}


class Scan(NamedTuple):
    """What one walk over all tasks finds."""

    ranking: tuple[Candidate, ...]
    """Eligible tasks, the one to be chosen first; equals stand in the order in which they would win."""
    spared: tuple[Spared, ...]
    waits_for: Task | None
    """A dying task that makes the kernel choose nobody this time."""


def scan_order(task: Task) -> tuple[int, int]:
    """Sort key for the walk over all tasks (``for_each_process``), as far as userspace sees it: by start, then PID."""
    return task.start_ticks, task.pid


def memcg_order(tasks: Sequence[Task], rules: Rules) -> tuple[Task, ...]:
    """Return members of one memory cgroup, given by their start, as its walk visits them (``cgroup_iter_next``).

    Members join it by fork or by being moved, so that is only near the truth.
    """
    return tuple(tasks[::-1] if rules.walk is Walk.THREADS_NEWEST_FIRST else tasks)


def scan(tasks: tuple[Task, ...], context: Context, rules: Rules) -> Scan:
    """Judge every task as ``oom_evaluate_task`` does, in scan order."""
    candidates: list[Candidate] = []
    spared: list[Spared] = []
    waits_for: Task | None = None
    everybody = concerns_everybody(context)
    for task in tasks:
        if everybody and _is_ordinary(task):  # nearly all are, and they may be thousands
            candidates.append(badness(task, context.totalpages, rules))
            continue
        reason = _beyond_reach(task, context, rules)
        if reason is None and waits_for is None and _aborts_scan(task, context, rules):
            waits_for = task
        if reason is None:
            reason = _ineligible(task, rules)
        if reason is None:
            candidates.append(badness(task, context.totalpages, rules))
        else:
            spared.append(Spared(task, reason))
    return Scan(tuple(ranked(candidates, rules)), tuple(spared), waits_for)


def ranked(candidates: list[Candidate], rules: Rules) -> list[Candidate]:
    """Sort ``candidates``, given in scan order, by the order in which the kernel would take them."""
    in_winning_order = candidates[::-1] if rules.last_wins else candidates[:]
    # Python's sort keeps the order of equals.
    in_winning_order.sort(key=attrgetter("badness"), reverse=True)
    origins = [candidate for candidate in candidates if candidate.task.origin]
    if origins:
        return origins[::-1] + [candidate for candidate in in_winning_order if not candidate.task.origin]
    return in_winning_order


def ranked_rows(
    ranking: Sequence[Candidate], spared: Iterable[Spared], details: Mapping[int, Details] = _NO_DETAILS
) -> list[Row]:
    """Return one row for every process: first the candidates by rank, then those that are spared."""
    ranks = enumerate(ranking, start=1)
    rows = [Row(one.task, details.get(one.task.pid, _UNKNOWN), rank, one) for rank, one in ranks]
    return rows + [Row(one.task, details.get(one.task.pid, _UNKNOWN), reason=one.reason) for one in spared]


def _is_ordinary(task: Task) -> bool:
    """Whether neither ``_beyond_reach`` nor ``_aborts_scan`` nor ``_ineligible`` has a reason in the task itself."""
    special = task.init or task.kthread or task.zombie or task.vfork or task.exiting or task.origin
    return not (special or task.oom_victim or task.oom_skip or task.adj == ADJ_MIN)


def why_not(task: Task, context: Context, rules: Rules) -> WhySpared | None:
    """Why ``task`` cannot be chosen; None when it can."""
    reason = _beyond_reach(task, context, rules)
    return _ineligible(task, rules) if reason is None else reason


def _beyond_reach(task: Task, context: Context, rules: Rules) -> WhySpared | None:
    """``oom_unkillable_task``, and a victim whose memory is already freed."""
    if task.init:
        return WhySpared(Unkillable.GLOBAL_INIT)
    if task.kthread:
        return WhySpared(Unkillable.KTHREAD)
    not_concerned = outside(task, context, rules)
    if not_concerned is not None:
        return not_concerned
    finished = task.oom_victim and task.oom_skip and not context.sysrq
    return WhySpared(Unkillable.REAPED) if finished and rules.skips_vfork_and_reaped else None


def _ineligible(task: Task, rules: Rules) -> WhySpared | None:
    """The first tests of ``oom_badness``; an OOM origin is chosen without them."""
    if task.origin and not (task.zombie and rules.origin_needs_memory):
        return None
    if task.zombie:
        return WhySpared(Unkillable.ZOMBIE)
    if task.adj == ADJ_MIN:
        return WhySpared(Unkillable.ADJ_MIN)
    if rules.skips_vfork_and_reaped:
        if task.oom_skip:
            return WhySpared(Unkillable.REAPED)
        if task.vfork:
            return WhySpared(Unkillable.VFORK)
    return None


def _aborts_scan(task: Task, context: Context, rules: Rules) -> bool:
    if context.sysrq:  # force_kill in 3.10, order -1 later
        return False
    if task.oom_victim and not (task.oom_skip and rules.skips_vfork_and_reaped):
        return True
    if rules.dying is Dying.VICTIM_ABORTS or not task.exiting or task.zombie or task.origin:
        return False  # whether a task is an origin is asked before whether it is exiting
    return not (rules.dying is Dying.ANY_UNTRACED_ABORTS and task.ptraced_exit)


def is_global(context: Context) -> bool:
    """Whether the machine, not a memory cgroup, ran out (``!is_memcg_oom``)."""
    return context.constraint is not Constraint.MEMCG
