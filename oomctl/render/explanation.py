"""The answer of ``explain``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from oomctl.kernel.badness import ADJ_MIN
from oomctl.model.kernel import Constraint, Outcome, Round, Scenario
from oomctl.model.listing import Row
from oomctl.model.memory import Accounting
from oomctl.model.origin import Origin, OriginKind
from oomctl.pods import pod_of, request_of
from oomctl.render import podnames, reasons
from oomctl.render.cgroups import cut, short_name
from oomctl.render.document import json_line
from oomctl.render.fields import process_document, short_place
from oomctl.render.memory import accounting_document, now_lines
from oomctl.render.text import aligned, named, size, visible
from oomctl.render.verdict import certain, of_round

_MOST_LINES = 4
"""A command that is longer is cut on a terminal."""


class Entry(NamedTuple):
    """One process that is explained."""

    row: Row
    first_adj: int | None
    """The lowest adj at which it is first; None: no adj makes it first, or it cannot be chosen."""
    origin: Origin
    declared: int | None = None
    """``OOMScoreAdjust=`` of its unit; None where nobody says."""


class Explanation(NamedTuple):
    """The answer of ``explain``."""

    scenario: Scenario
    entries: Sequence[Entry]
    candidates: int
    memory: Accounting | None = None
    """Where the memory is now, the cgroup's or the machine's."""
    result: Round | None = None
    """Whom the kernel would take now; None: that was not asked."""
    machine_bytes: int = 0
    """The machine's memory; 0: not known."""


def document(answer: Explanation) -> str:
    """Return the JSON document of ``explain``."""
    processes = [_process(entry, answer) for entry in answer.entries]
    memory = accounting_document(answer.memory)
    return json_line({"schema": "oomctl.explain/1", "processes": processes, "memory": memory})


def _process(entry: Entry, answer: Explanation) -> dict[str, Any]:
    row, page = entry.row, answer.scenario.page_size
    task, candidate = row.task, row.candidate
    return {
        **process_document(row, page),
        "rank": row.rank,
        "terms": {
            "rss_pages": task.rss_pages,
            "swap_pages": task.swap_pages,
            "pgtables_pages": task.pgtables_pages,
            "adj_pages": candidate.adj_pages if candidate else None,
            "root_bonus_pages": candidate.root_bonus_pages if candidate else None,
            "totalpages": answer.scenario.context.totalpages,
        },
        "origin": entry.origin._asdict(),
        "memory_request": _request_document(entry, answer.machine_bytes),
        "declared": entry.declared,
        "flip": {"first_at": entry.first_adj, "spared_at": _spared_at(entry)},
    }


def _spared_at(entry: Entry) -> int | None:
    """Return the highest adj at which it is not first; None when it is not first anyway or cannot be chosen."""
    if entry.row.rank != 1 or entry.first_adj is None:
        return None
    return entry.first_adj - 1


def text(answer: Explanation) -> str:
    """Return a paragraph for each process, and one for the memory that they would be killed for."""
    return "\n".join([*paragraphs(answer), *trigger(answer)])


def paragraphs(answer: Explanation, width: int | None = None) -> list[str]:
    """Return a paragraph for each process, which begins with its answer; ``width``: no command takes many lines."""
    return [_paragraph(entry, answer, width) for entry in answer.entries]


def trigger(answer: Explanation) -> list[str]:
    """Return the paragraph of the memory, if that is known."""
    if answer.memory is None:
        return []
    context = answer.scenario.context
    domain = "the whole machine runs out of memory"
    if context.constraint is Constraint.MEMCG:
        domain = f"the memory cgroup {short_name(context.memcg or '/')} hits its limit"
    lines = [f"Trigger: {domain}", *now_lines(answer.memory)]
    return ["\n  ".join(lines) + "\n"]


def _paragraph(entry: Entry, answer: Explanation, width: int | None) -> str:
    row = entry.row
    task, details = row.task, row.details
    where = short_place(details) or "no cgroup"
    rank = "" if row.rank is None else f"rank {row.rank} of {answer.candidates}; "
    lines = [
        f"{named(task)} {_fate(entry, answer)}",
        f"  {visible(details.user or '?')}, {where}",
        f"  {rank}oom_score {task.oom_score}, oom_score_adj {task.adj}",
    ]
    lines += _terms(entry, answer.scenario)
    lines += _pod(entry)
    lines += _origin(entry)
    lines += _request_lines(entry, answer.machine_bytes)
    if row.candidate is not None:
        lines.append(f"  {_flip(entry)}")
    if details.cmdline:
        command = visible(details.cmdline)
        lines.append(f"  command:  {command if width is None else cut(command, _MOST_LINES * width)}")
    return "\n".join(lines) + "\n"


def _fate(entry: Entry, answer: Explanation) -> str:
    """Say what would become of a process: the answer, in the first line."""
    row, result = entry.row, answer.result
    if row.candidate is None or row.rank is None:
        return f"cannot be killed: {visible(reasons.spared(row.reason) if row.reason else '')}"
    fate = "would die first" if row.rank == 1 else f"would be {_ordinal(row.rank)} to die of {answer.candidates}"
    if result is None:
        return fate
    if result.outcome is not Outcome.KILL or result.victim is None:
        return f"is {_ordinal(row.rank)} of {answer.candidates}, but {of_round(result, answer.scenario.page_size)}"
    if row.task.pid == result.victim.task.pid:
        return f"would die first — {certain(result)}"
    if any(task.pid == row.task.pid for task in result.contenders):
        return f"{fate} — {certain(result)}: it may be the first"
    if row.rank == 1:  # a child dies in its place, or whoever asks for memory does
        return f"is first of {answer.candidates}, but {visible(reasons.ended(result.reason))}"
    return fate


def _ordinal(rank: int) -> str:
    """Return ``1st``, ``22nd``, ``113th``."""
    ends = {1: "st", 2: "nd", 3: "rd"} if rank % 100 not in (11, 12, 13) else {}
    return f"{rank}{ends.get(rank % 10, 'th')}"


def _terms(entry: Entry, scenario: Scenario) -> list[str]:
    task, candidate = entry.row.task, entry.row.candidate
    if candidate is None:
        return []
    page, total = scenario.page_size, scenario.context.totalpages
    terms = [
        ("  RSS", str(task.rss_pages), size(task.rss_pages * page)),
        ("  swap", str(task.swap_pages), size(task.swap_pages * page)),
        ("  page tables", str(task.pgtables_pages), size(task.pgtables_pages * page)),
    ]
    if candidate.root_bonus_pages:
        off = candidate.root_bonus_pages
        terms.append(("  3 % off for CAP_SYS_ADMIN", str(-off), size(-off * page)))
    terms.append((f"  adj {task.adj} x {total // 1000}", str(candidate.adj_pages), size(candidate.adj_pages * page)))
    terms.append(("  badness", str(candidate.badness), size(candidate.badness * page)))
    return aligned([("  TERM", "PAGES", "SIZE"), *terms], [False, True, True]).splitlines()


def _origin(entry: Entry) -> list[str]:
    origin, task, unit = entry.origin, entry.row.task, visible(entry.row.details.unit or "")
    # People read whose habit it is; the document also says where in its code.
    whose = (origin.source or "").partition(":")[0]
    source = f"; {whose}" if whose and whose != "kernel" else ""
    lines = [f"  set by: {visible(origin.by)} ({origin.confidence.value}{source})"]
    # A program that sets its own value does so at its next start as well.
    if entry.declared not in (None, task.adj) and origin.kind not in (OriginKind.PROGRAM, OriginKind.RUNTIME):
        lines.append(f"  {unit} declares OOMScoreAdjust={entry.declared}, not {task.adj}: its next start has that")
    return lines


def _pod(entry: Entry) -> list[str]:
    pod = pod_of(entry.row.details.cgroup)
    if pod is None:
        return []
    called = podnames.named(pod.uid, pod.container_id)
    names = [] if called is None else [visible(f"{called.namespace}/{called.name}")]
    names += [] if called is None or called.container is None else [f"container {visible(called.container)}"]
    return [f"  pod: {', '.join([*names, f'QoS class {pod.qos}', f'UID {pod.uid}'])}"]


def _request(entry: Entry, machine_bytes: int) -> tuple[int, int] | None:
    """Return which memory requests have the kubelet give this value; None where it is not the kubelet's for one."""
    pod = pod_of(entry.row.details.cgroup)
    if pod is None or pod.qos != "Burstable" or entry.origin.kind is not OriginKind.KUBELET:
        return None
    return request_of(entry.row.task.adj, machine_bytes)


def _request_document(entry: Entry, machine_bytes: int) -> dict[str, int] | None:
    request = _request(entry, machine_bytes)
    return None if request is None else {"at_least_bytes": request[0], "below_bytes": request[1]}


def _request_lines(entry: Entry, machine_bytes: int) -> list[str]:
    request = _request(entry, machine_bytes)
    if request is None:
        return []
    low, high = map(size, request)
    much = f"below {high}" if request[0] == 0 else f"of {low} up to {high}"
    sidecar = "(for a sidecar perhaps not its own, but the least of its pod's containers)"
    return [f"  {entry.row.task.adj} means a memory request {much} on this node of {size(machine_bytes)} {sidecar}"]


def _flip(entry: Entry) -> str:
    spared_at = _spared_at(entry)
    if spared_at is not None:
        saved = f"at {spared_at} or less another process would be taken"
        return f"first in line; {saved if spared_at > ADJ_MIN else f'only {ADJ_MIN} would save it'}"
    if entry.first_adj is None:
        return "no oom_score_adj would make it the first"
    return f"would be first from an oom_score_adj of {entry.first_adj} on"
