"""Past OOM kills: a line for each, one in full, or the JSON document."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from oomctl.kernel.badness import ADJ_MIN
from oomctl.model.kernel import Candidate, Constraint
from oomctl.model.oomreport import KERNEL, Kill, OomReport, Replay, TableRow
from oomctl.render import cgroups, killing, podnames
from oomctl.render.document import members
from oomctl.render.fitting import Column, fitted
from oomctl.render.simulation import terms_table
from oomctl.render.text import count, named, size, visible

if TYPE_CHECKING:
    from oomctl.model.memory import Accounting
    from oomctl.model.shortage import Shortage


_MOST_ROWS = 15
_OF_ROWS = (
    *(Column(title, right=True) for title in ("PID", "ADJ", "RSS", "SWAP", "PGTABLES")),
    Column("COMMAND", least=15),
)
_DEFAULT_PAGE = 4096


class Event(NamedTuple):
    """One report of the log, and what the rules of its kernel say of it."""

    report: OomReport
    replay: Replay
    epoch_s: float | None
    ranking: tuple[Candidate, ...] = ()
    """The candidates by badness, where the report is enough to say."""
    memory: Accounting | None = None
    """Where the memory that ran out was."""
    shortage: Shortage | None = None
    unranked: str | None = None
    """Why the candidates cannot be ranked."""


def document(events: Iterable[tuple[int, str]]) -> Iterator[str]:
    """Yield the JSON document of ``history`` in parts: each event's index, and its ``members_of``.

    A log may hold more events than there is memory for.
    """
    yield '{"schema": "oomctl.history/1", "events": ['
    for place, (index, event) in enumerate(events):
        yield f'{", " if place else ""}{{"index": {index}, {event}}}'
    yield "]}\n"


def members_of(event: Event) -> str:
    """Return the members of an event's JSON object, all but its ``index``."""
    return members(_event(event))


def json_line(event: Event, index: int) -> str:
    """Return one event as a JSON document of its own, on one line."""
    return f'{{"schema": "oomctl.history-event/1", "index": {index}, {members_of(event)}}}\n'


def _event(event: Event) -> dict[str, Any]:
    from oomctl.render.memory import accounting_document
    from oomctl.render.shortage import shortage_document

    report, verdict = event.report, event.replay
    page = page_size_of(event)
    rows = report.rows_by_pid()
    inside = killing.container_of_trigger(report)
    trigger = {
        "pid": report.trigger_pid,
        "comm": report.trigger_comm,
        "container": cgroups.container(inside) if inside else None,
    }
    return {
        "time": _iso(event),
        "uptime_seconds": report.uptime_s,
        "kernel": report.kernel,
        "constraint": report.constraint.value if report.constraint else None,
        "memcg": report.oom_memcg,
        "memcg_name": report.oom_memcg and cgroups.short_name(report.oom_memcg),
        "memcg_pod": podnames.document(report.oom_memcg),
        "totalpages": verdict.totalpages,
        "page_size": verdict.page_size or report.page_size,
        "trigger": trigger if any(value is not None for value in trigger.values()) else None,
        "victim": report.victim and _kill(report.victim, rows, page, report.victim_memcg),
        "killed": [
            _kill(kill, rows, page, report.victim_memcg if kill is report.victim else None) for kill in report.killed
        ],
        "order": report.order,
        "gfp_mask": report.gfp_mask,
        "score": report.selected and report.selected.score,
        "oom_group": report.oom_group,
        "memory": accounting_document(event.memory),
        "shortage": shortage_document(event.shortage),
        "tasks": [_task(row, page) for row in report.rows],
        "complete": report.complete,
        "missing": list(report.missing),
        "replay": None if report.elsewhere.killer != KERNEL else _replay(verdict),
        "outcome": report.ended.value,
        "requested": report.requested,
        "chosen": report.selected and report.selected._asdict(),
        "container": report.container,
        **_told(report),
    }


def _replay(verdict: Replay) -> dict[str, Any]:
    return {"victim_pid": verdict.victim_pid, "agrees": verdict.agrees, "reason": verdict.reason}


def _told(report: OomReport) -> dict[str, Any]:
    told = report.elsewhere
    return {
        "killer": told.killer,
        "killed_cgroup": told.cgroup,
        "unit": told.unit,
        "processes": told.processes,
        "signal": told.signal,
        "why": told.why,
    }


def _kill(kill: Kill, rows: Mapping[int, TableRow], page: int, cgroup: str | None) -> dict[str, Any]:
    row = rows.get(kill.pid)
    return {
        "pid": kill.pid,
        "comm": kill.comm,
        "uid": kill.uid if kill.uid is not None or row is None else row.uid,
        "oom_score_adj": _adj(kill, row),
        "rss_bytes": _rss(kill, row, page),
        "cgroup": cgroup,
        "cgroup_name": cgroup and cgroups.short_name(cgroup),
        "container": cgroup and cgroups.container(cgroup),
        "pod": podnames.document(cgroup),
    }


def _task(row: TableRow, page: int) -> dict[str, Any]:
    return {
        "pid": row.tgid,
        "comm": row.comm,
        "uid": row.uid,
        "oom_score_adj": row.oom_score_adj,
        "rss_bytes": row.rss_pages * page,
        "swap_bytes": None if row.swap_pages is None else row.swap_pages * page,
        "pgtables_bytes": row.pgtables_pages(page) * page,
    }


def cells(event: Event) -> tuple[str, ...]:
    """Return what ``listing`` says of one event, all but its number."""
    report = event.report
    row = report.row_of(report.victim.pid) if report.victim else None
    return (
        _when(event),
        killing.limit_or_path(report),
        _trigger(report),
        killing.victim(report),
        size(_rss(report.victim, row, page_size_of(event)) if report.victim else None),
        _or_dash(_adj(report.victim, row) if report.victim else None),
        _agrees(event),
        report.elsewhere.killer or "?",
    )


def _trigger(report: OomReport) -> str:
    if report.requested:
        return "by hand"
    return visible(report.trigger_comm or "?") if report.elsewhere.killer == KERNEL else "-"


def brief(report: OomReport, boot_time: float, page_size: int) -> tuple[str, str, str, str, str]:
    """Return one report of this boot's log in few words: when, who, RSS, adj, where.

    ``boot_time`` in seconds since 1970.
    """
    epoch = report.epoch_s
    if epoch is None and report.uptime_s is not None:
        epoch = boot_time + report.uptime_s
    moment = _moment(epoch)
    when = "?" if moment is None else f"{moment:%H:%M:%S}"
    return when, *_in_brief(report, report.page_size or page_size)


def line(event: Event) -> str:
    """Return one event in few words, with its date."""
    what, rss, adj, where = _in_brief(event.report, page_size_of(event))
    held = "" if event.report.victim is None else f", {rss}, adj {adj}"
    return f"{_when(event)} {what}{held}: {where}\n"


def _in_brief(report: OomReport, page: int) -> tuple[str, str, str, str]:
    """Return whom the report is about, RSS, adj, and which memory ran out."""
    where = visible(killing.limit(report))
    if report.victim is None:
        return killing.in_few_words(report), "-", "-", where
    row = report.row_of(report.victim.pid)
    others = len(report.killed) - 1
    along = f" and {count(others, 'other')}" if others > 0 else ""
    rss = size(_rss(report.victim, row, page))
    return f"killed {named(report.victim)}{along}", rss, _or_dash(_adj(report.victim, row)), where


def full(event: Event, number: int, log: str | None, width: int | None = None) -> str:
    """Return one event with everything the log says of it: who and why, what follows, and then the tables.

    ``number``: counted from the newest, 1; ``log``: the file it is from, which can be read again; ``width``: of its
    tables, None: any.
    """
    from oomctl.render.memory import accounting_lines
    from oomctl.render.shortage import shortage_lines

    report, page = event.report, page_size_of(event)
    lines = [_answer(event), f"Event {number}   {_when(event)}, kernel {visible(report.kernel or '?')}"]
    lines.append(killing.killer_line(report) or killing.trigger_line(report))
    lines += killing.path_lines(report.oom_memcg, width)
    lines += [f"          {line}" for line in _memory(report)]
    lines += _section("Why", shortage_lines(event.shortage) if event.shortage else [])
    row = report.row_of(report.victim.pid) if report.victim else None
    lines += killing.victim_lines(report, row, _rss(report.victim, row, page) if report.victim else None, width)
    others = [kill for kill in report.killed if report.victim is None or kill.pid != report.victim.pid]
    if others:
        names = ", ".join(named(kill) for kill in others)
        lines.append(f"          killed along with it: {names}")
    if report.elsewhere.killer == KERNEL:
        lines.append(f"Replay    {_agrees(event)}: {visible(event.replay.reason)}")
        lines += [f"Missing   {visible('; '.join(report.missing))}"] if report.missing else []
    adj = _adj(report.victim, row) if report.victim else None
    ranked = {candidate.task.pid for candidate in event.ranking}
    lines += [f"Remedy    {remedy}" for remedy in killing.remedies(report, adj, ranked, log)]
    lines += _section("Memory", accounting_lines(event.memory) if event.memory else [])
    lines += _services(report, page)
    lines += _ranking(event, page, width)
    return "\n".join(lines) + "\n"


def _answer(event: Event) -> str:
    """Return who was killed, when, and what for: the line that is read first."""
    report, when = event.report, _when(event)
    ended = ("" if when == "?" else f" ({when})") + _what_for(report)
    if report.victim is None:
        return killing.without_victim(report) + ended
    others = len(report.killed) - 1
    rss = None if others > 0 else _rss(report.victim, report.row_of(report.victim.pid), page_size_of(event))
    who = named(report.victim) + ("" if rss is None else f", {size(rss)} of RSS,")
    were = f" and {count(others, 'other')} were" if others > 0 else " was"
    by = "" if report.elsewhere.killer == KERNEL else f" by {visible(report.elsewhere.killer or '?')}"
    return f"{who}{were} killed{by}{ended}"


def _what_for(report: OomReport) -> str:
    """Say which memory ran out, as the end of a line."""
    where = killing.limit(report)
    if report.elsewhere.killer != KERNEL or where == "-":
        return ""
    if report.requested:
        return ": asked for by hand"
    if report.constraint is Constraint.MEMCG:
        return f": {visible(where)} hit its limit"
    return ": the machine ran out of memory" if report.constraint is Constraint.NONE else f": {visible(where)}"


def _section(title: str, lines: list[str]) -> list[str]:
    return [f"{title if index == 0 else '':<9} {line}" for index, line in enumerate(lines)]


def _ranking(event: Event, page: int, width: int | None) -> list[str]:
    report, total = event.report, event.replay.totalpages
    if not report.rows:
        return []
    spared = len(report.rows) - len(event.ranking)
    if not event.ranking:  # who is a candidate was not computed; these never are
        spared = sum(row.oom_score_adj == ADJ_MIN for row in report.rows)
    head = f"Tasks     {len(report.rows)} in the table" + (
        f", {spared} not killable" if spared or event.ranking else ""
    )
    if total:
        head += f"; totalpages {total} ({size(total * page)})"
    if event.unranked is not None:
        head = f"Tasks     {len(report.rows)} in the table, the largest first; cannot be ranked: "
        rows = _largest(report, page, None if width is None else width - 10)
        return [head + visible(event.unranked), *(f"          {line}" for line in rows)]
    if not event.ranking:
        return [head]
    return [head, *terms_table(event.ranking[:_MOST_ROWS], page, 10, width)]


def _largest(report: OomReport, page: int, width: int | None) -> list[str]:
    rows = sorted(report.rows, key=lambda row: -(row.rss_pages + (row.swap_pages or 0)))[:_MOST_ROWS]
    cells = [
        (
            str(row.pid),
            _or_dash(row.oom_score_adj),
            size(row.rss_pages * page),
            size(None if row.swap_pages is None else row.swap_pages * page),
            size(row.pgtables_pages(page) * page),
            visible(row.comm),
        )
        for row in rows
    ]
    return fitted(_OF_ROWS, cells, width).split("\n")


def _memory(report: OomReport) -> list[str]:
    machine, memcg = report.machine, report.memcg
    lines = []
    if memcg.memory is not None:
        limit = size(memcg.memory.limit_bytes) if memcg.memory.limit_bytes is not None else "no limit"
        lines.append(f"cgroup memory {size(memcg.memory.usage_bytes)} of {limit}")
    for name, counter in (("memory and swap", memcg.memsw), ("swap", memcg.swap)):
        if counter is not None and counter.limit_bytes is not None:
            lines.append(f"cgroup {name} {size(counter.usage_bytes)} of {size(counter.limit_bytes)}")
    if machine.total_swap_bytes:
        lines.append(f"swap {size(machine.free_swap_bytes)} free of {size(machine.total_swap_bytes)}")
    return lines


def _services(report: OomReport, page: int) -> list[str]:
    """Who held the memory in sum: many small processes of one name hide behind one big one."""
    held: dict[str, list[int]] = defaultdict(list)
    for row in report.rows:
        held[row.comm].append((row.rss_pages + (row.swap_pages or 0)) * page)
    biggest = sorted(held.items(), key=lambda item: -sum(item[1]))[:5]
    lines: list[str] = []
    for comm, sizes in biggest:
        label = "" if lines else "Held by"
        lines.append(f"{label:<9} {size(sum(sizes))}: {visible(comm)}, {count(len(sizes), 'process', 'processes')}")
    return lines


def _agrees(event: Event) -> str:
    if event.report.elsewhere.killer != KERNEL:
        return "-"
    return {True: "yes", False: "NO", None: "cannot say"}[event.replay.agrees]


def _when(event: Event) -> str:
    moment = _moment(event.epoch_s)
    if moment is not None:
        return f"{moment:%Y-%m-%d %H:%M:%S}"
    if event.report.time_text:
        return visible(event.report.time_text)
    return "?" if event.report.uptime_s is None else f"{event.report.uptime_s:.0f} s after boot"


def _iso(event: Event) -> str | None:
    moment = _moment(event.epoch_s)
    return event.report.time_text if moment is None else moment.astimezone(timezone.utc).isoformat(timespec="seconds")


def _moment(epoch_s: float | None) -> datetime | None:
    """Return the local time; None also for one that no calendar here has: a log may claim any."""
    if epoch_s is None:
        return None
    try:
        moment = datetime.fromtimestamp(epoch_s, timezone.utc)
        return moment.astimezone()
    except (ValueError, OverflowError, OSError):
        return None


def page_size_of(event: Event) -> int:
    """Return the bytes of a page: as the report tells, else the most common size."""
    return event.replay.page_size or event.report.page_size or _DEFAULT_PAGE


def _rss(kill: Kill, row: TableRow | None, page: int) -> int | None:
    return kill.rss_bytes if kill.rss_bytes is not None or row is None else row.rss_pages * page


def _adj(kill: Kill, row: TableRow | None) -> int | None:
    return kill.oom_score_adj if kill.oom_score_adj is not None or row is None else row.oom_score_adj


def _or_dash(value: int | None) -> str:
    return "-" if value is None else str(value)
