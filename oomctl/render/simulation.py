"""The answer of ``simulate``: the three stages for people, one document for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from oomctl.kernel.badness import ADJ_MIN
from oomctl.model.kernel import Candidate, Constraint, Doubt, Outcome, Round, Scenario, Task
from oomctl.model.limits import Limit, LimitKind
from oomctl.model.listing import Machine, Row
from oomctl.model.memory import Accounting
from oomctl.render import reasons
from oomctl.render.document import members, with_array
from oomctl.render.fields import pid_of, process_document, victim_document
from oomctl.render.memory import accounting_document, now_lines
from oomctl.render.text import aligned, count, named, size, visible

_NEAREST = 5
_TERMS = ("RANK", "PID", "ADJ", "BADNESS", "= RSS", "+ SWAP", "+ PGTABLES", "+ ADJ", "COMMAND")


class Rows(NamedTuple):
    """The processes of one round with everything that is said of them."""

    victim: Row | None
    killed: list[Row]


class Answer(NamedTuple):
    """What ``simulate`` was asked, and what came out."""

    scenario: Scenario
    rounds: Sequence[Round]
    rows: Sequence[Rows]
    """One for each round."""
    machine: Machine | None
    """Live memory; None for a document."""
    baseline: Round | None
    """The plain prediction, where what-if options changed the scenario."""
    limits: Sequence[Limit] = ()
    """With ``--for``: each limit above the target, the nearest first."""
    memory: Accounting | None = None
    """Where the memory is now, the cgroup's or the whole machine's."""


def document(answer: Answer) -> Iterator[str]:
    """Yield the JSON document of ``simulate`` in parts: a group that dies together may be all there is."""
    scenario = answer.scenario
    asked = {
        "schema": "oomctl.simulate/1",
        "kernel": scenario.kernel,
        "page_size": scenario.page_size,
        "constraint": scenario.context.constraint.value,
        "memcg": scenario.context.memcg,
        "totalpages": scenario.context.totalpages,
    }
    yield f"{{{members(asked)}, "
    yield from _round(answer.rounds[0], answer.rows[0], scenario)
    before = ', "rounds": [{'
    for result, rows in zip(answer.rounds, answer.rows, strict=True):
        yield before
        yield from _round(result, rows, scenario)
        before = "}, {"
    probed = sorted(seen.value for seen in scenario.probed)
    rest = {
        "hidden_processes": scenario.hidden,
        "probed": probed,
        "memory": accounting_document(answer.memory),
        "baseline": answer.baseline and _baseline(answer.baseline),
    }
    yield f"}}], {members(rest)}}}\n"


def _round(result: Round, rows: Rows, scenario: Scenario) -> Iterator[str]:
    """Yield the members of a round's object in parts."""
    document = {
        "outcome": result.outcome.value,
        "reason": reasons.ended(result.reason),
        "victim": rows.victim and process_document(rows.victim, scenario.page_size),
        "selected_pid": pid_of(result.selected) if result.selected else None,
        "certainty": result.certainty.value,
        "margin_pages": result.margin_pages,
        "error_bound_pages": result.error_bound_pages,
        "contenders": [pid_of(task) for task in result.contenders],
        "doubts": [{"id": doubt.kind.value, "message": reasons.doubted(doubt)} for doubt in result.doubts],
        "settled": result.settled,
        "overtaken_by_growth_bytes": _bytes(result.overtaken_by_growth_pages, scenario),
        "left_bytes": _bytes(scenario.context.left_pages, scenario),
    }
    killed = (process_document(row, scenario.page_size) for row in rows.killed)
    freed = result.freed_pages * scenario.page_size
    yield from with_array(f'{members(document)}, "killed": ', killed, f', "freed_bytes": {freed}')


def _bytes(pages: int | None, scenario: Scenario) -> int | None:
    return None if pages is None else pages * scenario.page_size


def _baseline(result: Round) -> dict[str, Any]:
    return {"outcome": result.outcome.value, "victim": victim_document(result.victim and result.victim.task)}


def text(answer: Answer) -> str:
    """Return the three stages, a block for each round."""
    blocks = [_trigger(answer)]
    for number, (result, rows) in enumerate(zip(answer.rounds, answer.rows, strict=True), start=1):
        if len(answer.rounds) > 1:
            blocks.append(f"Round {number}")
        if number == 1 or result.outcome is not Outcome.KILL:
            blocks.append(_selection(result, answer.scenario))
        blocks.append(_execution(result, rows, answer.scenario))
    if len(answer.rounds) > 1:
        freed = sum(result.freed_pages for result in answer.rounds) * answer.scenario.page_size
        blocks.append(f"In all     {size(freed)} freed in {count(len(answer.rounds), 'round')}")
    if answer.baseline is not None:
        blocks.append(f"What if    without the changes the victim is {_victim_name(answer.baseline)}")
    return "\n".join(blocks) + "\n"


def _trigger(answer: Answer) -> str:
    scenario, context = answer.scenario, answer.scenario.context
    domain = {
        Constraint.NONE: "the whole machine runs out of memory",
        Constraint.MEMCG: f"the memory cgroup {visible(context.memcg or '/')} hits its limit",
        Constraint.CPUSET: f"the nodes {_nodes(context.current_mems)} of a cpuset run out of memory",
        Constraint.MEMPOLICY: f"the nodes {_nodes(context.nodemask)} of a memory policy run out of memory",
    }[context.constraint]
    if context.sysrq and not context.sudden:
        domain = "somebody asks for a kill by hand (SysRq f); memory need not be short"
    lines = [f"Trigger    {domain}"]
    for index, limit in enumerate(answer.limits):
        away = f"{visible(_limit_name(limit))}, {size(limit.left_bytes)} away"
        lines.append(f"           {'nearest' if index == 0 else 'next'}: {away}")
    machine = answer.machine
    if machine is not None:
        swap = f", swap {size(machine.swap_left)} of {size(machine.swap_total)}" if machine.swap_total else ", no swap"
        lines.append(f"           left now: {size(machine.memory_left)} of {size(machine.memory_total)}{swap}")
    else:
        lines.append(f"           by the rules of kernel {visible(scenario.kernel)}")
    if answer.memory is not None:
        confined = context.constraint in (Constraint.CPUSET, Constraint.MEMPOLICY)
        lines += [f"           {line}" for line in now_lines(answer.memory, of_more=confined)]
    for seen in sorted(scenario.probed):
        lines.append(f"           not as the kernel's release says: {reasons.probed(seen)}")
    return "\n".join(lines)


def _limit_name(limit: Limit) -> str:
    return {
        LimitKind.MEMCG: f"the limit of cgroup {limit.memcg}",
        LimitKind.NODES: f"the memory of node {_nodes(limit.allowed)}, all that its cpuset allows",
        LimitKind.MACHINE: "the machine's memory",
    }[limit.kind]


def _selection(result: Round, scenario: Scenario) -> str:
    total, page = scenario.context.totalpages, scenario.page_size
    candidates = len(result.ranking) + scenario.unread_candidates
    unkillable = len(result.spared) + scenario.unread_unkillable
    hidden = f", {count(scenario.hidden, 'hidden process', 'hidden processes')} not judged" if scenario.hidden else ""
    lines = [
        f"Selection  {count(candidates, 'candidate')}, {unkillable} unkillable{hidden};"
        f" totalpages {total} ({size(total * page)}), one point of adj is {size(total // 1000 * page)}"
    ]
    nearest = result.ranking[:_NEAREST]
    if nearest:
        lines += ["           " + line for line in terms_table(nearest, page)]
    if result.outcome is Outcome.KILL:
        lines.append(f"           {visible(reasons.ended(result.reason))}")
    return "\n".join(lines)


def terms_table(ranking: Sequence[Candidate], page: int) -> list[str]:
    """Lay the terms of each candidate's badness side by side, the first one first."""
    cells: list[tuple[str, ...]] = [_TERMS]
    cells += [_terms(rank, candidate, page) for rank, candidate in enumerate(ranking, start=1)]
    return aligned(cells, [True] * 8 + [False]).split("\n")


def _terms(rank: int, candidate: Candidate, page: int) -> tuple[str, ...]:
    task = candidate.task
    adj = size((candidate.adj_pages - candidate.root_bonus_pages) * page)
    return (
        str(rank),
        str(task.pid) if task.pid > 0 else "-",
        str(task.adj),
        size(candidate.badness * page),
        size(task.rss_pages * page),
        size(task.swap_pages * page),
        size(task.pgtables_pages * page),
        adj,
        visible(task.comm),
    )


def _execution(result: Round, rows: Rows, scenario: Scenario) -> str:
    if result.outcome is not Outcome.KILL:
        ended = f"Execution  {result.outcome.value}: {visible(reasons.ended(result.reason))}"
        return "\n".join([ended, *map(_doubt, result.doubts)])
    freed = size(result.freed_pages * scenario.page_size)
    lines = [f"Execution  SIGKILL to {_victim_name(result)}; {freed} would be freed"]
    others = rows.killed[1:]
    if others:
        names = ", ".join(_name(row.task) for row in others[:8]) + (", …" if len(others) > 8 else "")
        dying = count(len(others), "more process dies", "more processes die")
        lines.append(f"           {dying} with it: {names}")
    lines.append(f"Certainty  {_certainty(result, scenario)}")
    lines += map(_doubt, result.doubts)
    growth = _growth(result, scenario)
    return "\n".join([*lines, f"           {growth}"] if growth else lines)


def _certainty(result: Round, scenario: Scenario) -> str:
    margin = "" if result.margin_pages is None else f" by {size(result.margin_pages * scenario.page_size)}"
    bound = f"what the killer finds may differ by {size(result.error_bound_pages * scenario.page_size)}"
    word = result.certainty.value if len(result.contenders) > 1 or not result.doubts else "not certain"
    if len(result.contenders) == 1:
        lead = f"it leads{margin}" if margin else "there is no other candidate"
        return f"{word}: {lead}, {bound}"
    names = ", ".join(_name(task) for task in result.contenders[:8])
    more = f" and {len(result.contenders) - 8} more" if len(result.contenders) > 8 else ""
    return f"{word}: it leads{margin or ' by 0'}, {bound}; one of {names}{more}"


def _doubt(doubt: Doubt) -> str:
    return f"           {visible(reasons.doubted(doubt))}"


def _growth(result: Round, scenario: Scenario) -> str | None:
    """Say whether somebody else can become first by growing; None where that is not known or makes no difference."""
    growth, left, page = result.overtaken_by_growth_pages, scenario.context.left_pages, scenario.page_size
    if growth is None or left is None or scenario.context.sudden or result.victim is None:
        return None
    if result.settled:
        return f"settled: another one is first if it grows by {size(growth * page)}, and {size(left * page)} are left"
    # By this adj a process that has all that is left is still behind.
    spared_below = (result.victim.badness - left) // max(scenario.context.totalpages // 1000, 1)
    unless = f" (unless its adj is below {spared_below})" if ADJ_MIN < spared_below < 0 else ""
    return f"whoever uses up the {size(left * page)} that are left will itself be first{unless}"


def _victim_name(result: Round) -> str:
    return "nobody" if result.victim is None else _name(result.victim.task)


def _name(task: Task) -> str:
    return named(task) if task.pid > 0 else f"the added process ({visible(task.comm)})"


def _nodes(nodes: frozenset[int] | None) -> str:
    return ",".join(map(str, sorted(nodes or ())))
