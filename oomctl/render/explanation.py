"""The answer of ``explain``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from oomctl.kernel.badness import ADJ_MIN
from oomctl.model.kernel import Constraint, Scenario
from oomctl.model.listing import Row
from oomctl.model.memory import Accounting
from oomctl.model.origin import Origin, OriginKind
from oomctl.render import reasons
from oomctl.render.cgroups import short_name
from oomctl.render.document import json_line
from oomctl.render.fields import process_document, short_place
from oomctl.render.memory import accounting_document, now_lines
from oomctl.render.text import aligned, named, size, visible


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
    return "\n".join([*(_paragraph(entry, answer) for entry in answer.entries), *_trigger(answer)])


def _trigger(answer: Explanation) -> list[str]:
    if answer.memory is None:
        return []
    context = answer.scenario.context
    domain = "the whole machine runs out of memory"
    if context.constraint is Constraint.MEMCG:
        domain = f"the memory cgroup {short_name(context.memcg or '/')} hits its limit"
    lines = [f"Trigger: {domain}", *now_lines(answer.memory)]
    return ["\n  ".join(lines) + "\n"]


def _paragraph(entry: Entry, answer: Explanation) -> str:
    row, page = entry.row, answer.scenario.page_size
    task, candidate, details = row.task, row.candidate, row.details
    where = short_place(details) or "no cgroup"
    lines = [f"{named(task)}, {visible(details.user or '?')}, {where}"]
    if details.cmdline:
        lines.append(f"  {visible(details.cmdline)}")
    total = answer.scenario.context.totalpages
    if candidate is None:
        lines.append(f"  cannot be chosen: {visible(reasons.spared(row.reason) if row.reason else '')}")
        lines.append(f"  oom_score {task.oom_score}, oom_score_adj {task.adj}")
        lines += _origin(entry)
        return "\n".join(lines) + "\n"
    lines.append(f"  rank {row.rank} of {answer.candidates}; oom_score {task.oom_score}, oom_score_adj {task.adj}")
    lines += _origin(entry)
    terms = [
        ("  RSS", str(task.rss_pages), size(task.rss_pages * page)),
        ("  swap", str(task.swap_pages), size(task.swap_pages * page)),
        ("  page tables", str(task.pgtables_pages), size(task.pgtables_pages * page)),
    ]
    if candidate.root_bonus_pages:
        terms.append(("  3 % off for CAP_SYS_ADMIN", str(-candidate.root_bonus_pages), ""))
    terms.append((f"  adj {task.adj} x {total // 1000}", str(candidate.adj_pages), size(candidate.adj_pages * page)))
    terms.append(("  badness", str(candidate.badness), size(candidate.badness * page)))
    lines += aligned([("  TERM", "PAGES", "SIZE"), *terms], [False, True, True]).splitlines()
    lines.append(f"  {_flip(entry)}")
    return "\n".join(lines) + "\n"


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


def _flip(entry: Entry) -> str:
    spared_at = _spared_at(entry)
    if spared_at is not None:
        saved = f"at {spared_at} or less another process would be taken"
        return f"first in line; {saved if spared_at > ADJ_MIN else f'only {ADJ_MIN} would save it'}"
    if entry.first_adj is None:
        return "no oom_score_adj would make it the first"
    return f"would be first from an oom_score_adj of {entry.first_adj} on"
