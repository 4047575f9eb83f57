"""The answer of ``simulate``: the three stages for people, one document for scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from oomctl.kernel.badness import ADJ_MIN
from oomctl.model.kernel import Candidate, Constraint, Decisive, Outcome, Round, Scenario
from oomctl.model.limits import Demand, Limit
from oomctl.model.listing import Machine, Row
from oomctl.model.memory import Accounting
from oomctl.render import reasons
from oomctl.render.cgroups import short_name, told
from oomctl.render.document import members, with_array
from oomctl.render.fields import pid_of, process_document, victim_document
from oomctl.render.fitting import Column, fitted
from oomctl.render.memory import accounting_document, now_lines
from oomctl.render.text import count, size, visible
from oomctl.render.verdict import limit_name, name_of, node_list, verdict

_NEAREST = 5
_MOST_NAMES = 8
_ROOT_BONUS = "- ROOT 3%"
_TERMS: tuple[Column, ...] = (
    Column("RANK", right=True, goes=1),
    Column("PID", right=True),
    Column("ADJ", right=True),
    Column("BADNESS", right=True),
    Column("= RSS", right=True, goes=5),
    Column("+ SWAP", right=True, goes=3),
    Column("+ PGTABLES", right=True, goes=2),
    Column(_ROOT_BONUS, right=True, goes=4),
    Column("+ ADJ", right=True, goes=6),
    Column("COMMAND", least=12),
)


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
    demand: Demand | None = None
    """Whether what is added and grown fits; None where nothing is, or where nobody knows."""
    goal_bytes: int | None = None
    """So much is to be freed by as many rounds as that takes."""


class Origin(NamedTuple):
    """Where the numbers are from."""

    host: str | None = None
    """As its file is called; None: this machine."""
    file: str | None = None
    missing: tuple[str, ...] = ()
    """Targets of the what-if that are not there, where others are asked as well."""


def document(answer: Answer, origin: Origin) -> Iterator[str]:
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
    for result, rows in zip(answer.rounds, answer.rows):
        yield before
        yield from _round(result, rows, scenario)
        before = "}, {"
    probed = sorted(seen.value for seen in scenario.probed)
    rest = {
        "hidden_processes": scenario.hidden,
        "probed": probed,
        "memory": accounting_document(answer.memory),
        "baseline": answer.baseline and _baseline(answer.baseline),
        "demand": answer.demand and _demand(answer.demand),
        "host": origin.host,
        "file": origin.file,
        "missing": origin.missing,
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


def _demand(demand: Demand) -> dict[str, Any]:
    return {
        "asked_bytes": demand.asked_bytes,
        "fits": not demand.short_bytes,
        "stays_bytes": demand.stays_bytes,
        "short_by_bytes": demand.short_bytes,
    }


def text(answer: Answer, width: int | None = None) -> str:
    """Return the answer in the first line, then why, then the three stages; ``width``: of its table, None: any."""
    first, page = answer.rounds[0], answer.scenario.page_size
    blocks = [
        verdict(
            answer.rounds,
            answer.scenario.context,
            page,
            demand=answer.demand,
            baseline=answer.baseline,
            goal_bytes=answer.goal_bytes,
        ),
        *_why(first, answer.scenario),
        _trigger(answer),
        _selection(first, answer.scenario, width),
    ]
    for number, (result, rows) in enumerate(zip(answer.rounds, answer.rows), start=1):
        label = f"Round {number}" if len(answer.rounds) > 1 else "Execution"
        blocks.append(_labelled(label, _execution(result, rows, answer.scenario)))
    return "\n".join(blocks) + "\n"


def _labelled(label: str, lines: Sequence[str]) -> str:
    """Put a label before the first of ``lines``, and the others below it."""
    return "\n".join(f"{label if index == 0 else '':<11}{line}" for index, line in enumerate(lines))


def _why(result: Round, scenario: Scenario) -> list[str]:
    """Say how far the victim leads, what keeps that from being certain, and what would change it."""
    lines = [] if result.outcome is not Outcome.KILL else [_lead(result, scenario)]
    lines += [visible(reasons.doubted(doubt)) for doubt in result.doubts]
    growth = _growth(result, scenario) if result.outcome is Outcome.KILL else None
    lines += [growth] if growth else []
    return [_labelled("Why", lines)] if lines else []


def _trigger(answer: Answer) -> str:
    scenario, context = answer.scenario, answer.scenario.context
    domain = {
        Constraint.NONE: "the whole machine runs out of memory",
        Constraint.MEMCG: f"the memory cgroup {short_name(context.memcg or '/')} hits its limit",
        Constraint.CPUSET: f"the nodes {node_list(context.current_mems)} of a cpuset run out of memory",
        Constraint.MEMPOLICY: f"the nodes {node_list(context.nodemask)} of a memory policy run out of memory",
    }[context.constraint]
    if context.sysrq and not context.sudden:
        domain = "somebody asks for a kill by hand (SysRq f); memory need not be short"
    lines = [f"Trigger    {domain}"]
    for index, limit in enumerate(answer.limits):
        swap = f", {size(limit.swap_bytes)} of it swap" if limit.swap_bytes else ""
        away = f"{limit_name(limit)}, {size(limit.left_bytes)} away{swap}"
        lines.append(f"           {'nearest' if index == 0 else 'next'}: {away}")
    machine = answer.machine
    if machine is not None and not answer.limits:
        swap = f", swap {size(machine.swap_left)} of {size(machine.swap_total)}" if machine.swap_total else ", no swap"
        lines.append(f"           left now: {size(machine.memory_left)} of {size(machine.memory_total)}{swap}")
    elif machine is None:
        lines.append(f"           by the rules of kernel {visible(scenario.kernel)}")
    if answer.memory is not None:
        confined = context.constraint in (Constraint.CPUSET, Constraint.MEMPOLICY)
        lines += [f"           {line}" for line in now_lines(answer.memory, of_more=confined)]
    for seen in sorted(scenario.probed):
        lines.append(f"           not as the kernel's release says: {reasons.probed(seen)}")
    return "\n".join(lines)


def _selection(result: Round, scenario: Scenario, width: int | None) -> str:
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
        lines += terms_table(nearest, page, 11, width)
    return "\n".join(lines)


def terms_table(ranking: Sequence[Candidate], page: int, indented: int, width: int | None) -> list[str]:
    """Lay the terms of each candidate's badness side by side, the first one first.

    ``indented``: by so many spaces, or fewer where ``width`` has no room for them. What older kernels take off for
    CAP_SYS_ADMIN has a column where that is somebody's.
    """
    cells = [_terms(rank, candidate, page) for rank, candidate in enumerate(ranking, start=1)]
    columns = _TERMS
    if not any(candidate.root_bonus_pages for candidate in ranking):
        bonus = next(index for index, column in enumerate(_TERMS) if column.title == _ROOT_BONUS)
        columns = _TERMS[:bonus] + _TERMS[bonus + 1 :]
        cells = [row[:bonus] + row[bonus + 1 :] for row in cells]
    lines = fitted(columns, cells, width).split("\n")
    if width is not None and max(map(len, lines)) + indented > width:
        lines = fitted(columns[1:], [row[1:] for row in cells], width).split("\n")  # the order says the rank
        indented = max(min(indented, width - max(map(len, lines))), 0)
    return [" " * indented + line for line in lines]


def _terms(rank: int, candidate: Candidate, page: int) -> tuple[str, ...]:
    task = candidate.task
    return (
        str(rank),
        str(task.pid) if task.pid > 0 else "-",
        str(task.adj),
        size(candidate.badness * page),
        size(task.rss_pages * page),
        size(task.swap_pages * page),
        size(task.pgtables_pages * page),
        size(candidate.root_bonus_pages * page),
        size(candidate.adj_pages * page),
        visible(task.comm),
    )


def _execution(result: Round, rows: Rows, scenario: Scenario) -> list[str]:
    if result.outcome is not Outcome.KILL or result.victim is None:
        return [f"{result.outcome.value}: {visible(reasons.ended(result.reason))}"]
    freed = size(result.freed_pages * scenario.page_size)
    lines = [f"SIGKILL to {name_of(result.victim.task)}; {freed} would be freed"]
    others = rows.killed[1:]
    if others:
        names = ", ".join(name_of(row.task) for row in others[:_MOST_NAMES])
        dying = count(len(others), "more process dies", "more processes die")
        lines.append(f"{dying} with it: {names}{', …' if len(others) > _MOST_NAMES else ''}")
        if result.group is not None:
            lines.append(f"memory.oom.group is set on {told(result.group)}")
    return lines


def _lead(result: Round, scenario: Scenario) -> str:
    """Say what decides, and by how much what is read now may be off."""
    page, why = scenario.page_size, result.reason
    lead = visible(reasons.ended(why))
    if why.kind is Decisive.HIGHEST_BADNESS and why.task and why.other and why.margin_pages is not None:
        lead = f"{name_of(why.task)} leads {name_of(why.other)} by {size(why.margin_pages * page)}"
    said = f"{lead}; what the killer finds may differ by {size(result.error_bound_pages * page)}"
    if len(result.contenders) < 2:
        return said
    names = ", ".join(name_of(task) for task in result.contenders[:_MOST_NAMES])
    more = len(result.contenders) - _MOST_NAMES
    return f"{said}; it may be {names}{f' and {more} more' if more > 0 else ''}"


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
    return f"whoever uses up all that is left, {size(left * page)} at most, will itself be first{unless}"
