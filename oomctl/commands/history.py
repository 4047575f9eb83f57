"""``oomctl history``: past OOM kills from the kernel's own reports."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import TypeVar

import click

from oomctl.cli.options import json_option
from oomctl.console import complain, emit, emit_parts, emit_text, terminal_width
from oomctl.errors import ANSWER_IS_NO, DONE, BadInput, NothingMatched
from oomctl.kernel.rules import rules_for
from oomctl.kernel.selection import scan
from oomctl.model.kernel import Candidate
from oomctl.model.oomreport import OomReport
from oomctl.oomlog.parser import parse_blocks
from oomctl.oomlog.replay import replay, scenario_of
from oomctl.oomlog.sources import Source, open_source
from oomctl.procfs.machine import machine_procfs
from oomctl.render import history as render
from oomctl.render.killlist import listing

_LARGE_FILE = 32 << 20
_KEPT_BYTES = 64 << 20
"""Memory for reports or lines that have to be kept until the last one is known; a log may hold any number."""
_MOST_LINES = 10_000
_Item = TypeVar("_Item")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class TimeType(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.4
    """A moment: ``2026-11-23``, ``2026-11-23 14:05``, ``today``, ``yesterday``, or ``90m``, ``2h``, ``3d`` ago."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment, with a zone: the local one where none is given."""
        text = str(value).strip().lower()
        now = datetime.now().astimezone()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        named = {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}
        if text in named:
            return named[text]
        number = text.removesuffix(" ago").removesuffix("ago").lstrip("-").strip()
        if number[-1:] in _UNITS and number[:-1].isascii() and number[:-1].isdigit() and len(number) < 10:
            return now - timedelta(seconds=int(number[:-1]) * _UNITS[number[-1]])
        try:
            return datetime.fromisoformat(text.upper().replace("Z", "+00:00")).astimezone()
        except (ValueError, OverflowError, OSError):
            message = f"{value!r} is not a time: 2026-11-23, '2026-11-23 14:05', today, yesterday, 2h, 3d"
            raise click.BadParameter(message, ctx, param) from None


@click.command()
@click.argument("number", type=click.IntRange(1), required=False, metavar="[N]")
@click.option("--file", "-f", "path", metavar="FILE", help="Read this log (plain, .gz, .xz) instead; - is stdin.")
@click.option("--since", type=TimeType(), metavar="TIME", help="Only events since then: 2026-11-23, yesterday, 2h.")
@click.option("-n", "-N", "--lines", "--num", "lines", type=click.IntRange(1), help="Only the last events, this many.")
@json_option
def history(number: int | None, path: str | None, since: datetime | None, lines: int | None, as_json: bool) -> int:
    """List past OOM kills, or tell number N of them in full.

    N is the number that the list shows. Reads the journal (all boots), else the kernel's ring buffer.
    Each report is replayed by the rules of its own kernel: AGREES says whether oomctl would have predicted
    that victim.

    \b
    oomctl history
    oomctl history 3
    oomctl history --file /var/log/kern.log.2.gz --since 2026-11-01 --json
    """
    source = open_source(path)
    boot_time = machine_procfs().boot_time() if path is None and source.name == "/dev/kmsg" else None
    reports = _wanted(parse_blocks(_watched(source, path)), number, since, boot_time)
    if lines is not None:
        reports = iter(_last(reports, lines, _memory_of))
    in_full = number is not None or as_json
    answers = (_event(report, _epoch(report, boot_time), bool(number), in_full) for report in reports)
    first = next(answers, None)
    if first is None and number is not None:
        raise NothingMatched(f"history: {source.name} has no event {number}")
    events = chain((first,) if first is not None else (), answers)
    if as_json:
        emit_parts(render.document(events))
    elif number is not None:
        width = terminal_width()
        emit_text("".join(render.full(event, width) for event in events))
    elif first is not None:
        width = terminal_width()
        emit(listing(_last(map(render.cells, events), lines, _memory_of_cells), width))
    else:
        complain(f"history: no OOM kill in {source.name}" + (f" since {since:%Y-%m-%d %H:%M}" if since else ""))
    return ANSWER_IS_NO if first is None else DONE


def _last(items: Iterable[_Item], wanted: int | None, memory_of: Callable[[_Item], int]) -> list[_Item]:
    """Return the last ``wanted`` items, else as many as people read; says so where there is no memory for these."""
    kept: deque[_Item] = deque()
    kept_bytes = left_out = 0
    for item in items:
        kept.append(item)
        kept_bytes += memory_of(item)
        while len(kept) > (wanted or _MOST_LINES) or (kept_bytes > _KEPT_BYTES and len(kept) > 1):
            kept_bytes -= memory_of(kept.popleft())
            left_out += 1
    if left_out and len(kept) < (wanted or len(kept) + 1):
        complain(f"history: {left_out} earlier events are left out: too many to keep; --json alone lists all")
    return list(kept)


def _memory_of(report: OomReport) -> int:
    return 4000 + 500 * len(report.rows) + 300 * len(report.killed) + 4000 * len(report.memory.zones)


def _memory_of_cells(line: tuple[str, ...]) -> int:
    return sum(map(sys.getsizeof, line))


def _event(report: OomReport, epoch: float | None, ranked: bool, in_full: bool) -> render.Event:
    """Return what is said of one report; a list needs no more than the replay."""
    event = render.Event(report, replay(report), epoch, _ranking(report) if ranked else ())
    if not in_full:
        return event
    # What a list does not need is not loaded for it.
    from oomctl.oomlog.short import shortage_of
    from oomctl.oomlog.where import accounting_of

    page = render.page_size_of(event)
    return event._replace(memory=accounting_of(report, page), shortage=shortage_of(report, page))


def _ranking(report: OomReport) -> tuple[Candidate, ...]:
    try:
        scenario = scenario_of(report)
    except BadInput:
        return ()
    return scan(scenario.tasks, scenario.context, rules_for(scenario.kernel)).ranking


def _wanted(
    reports: Iterable[OomReport], number: int | None, since: datetime | None, boot_time: float | None
) -> Iterator[OomReport]:
    undated = 0
    for report in reports:
        if number is not None and report.number != number:
            continue
        epoch = _epoch(report, boot_time)
        undated += since is not None and epoch is None
        if since is None or epoch is None or epoch >= since.timestamp():
            yield report
        if number is not None:
            break
    if undated:
        complain(f"history: {undated} of the events carry no full date and are listed whatever --since says")


def _epoch(report: OomReport, boot_time: float | None) -> float | None:
    """Seconds since 1970; from this boot's clock where only the uptime is known and the log is this boot's."""
    if report.epoch_s is None and boot_time is not None and report.uptime_s is not None:
        return boot_time + report.uptime_s
    return report.epoch_s


def _watched(source: Source, path: str | None) -> Iterator[bytes]:
    """Show progress on stderr while a large file is read at a terminal."""
    size = os.path.getsize(path) if path and os.path.isfile(path) else 0
    if size < _LARGE_FILE or not sys.stderr.isatty() or (path or "").endswith((".gz", ".xz")):
        yield from source.blocks
        return
    from oomctl.render.terminal import progress

    with progress(source.name, size) as advance:
        for block in source.blocks:
            advance(len(block))
            yield block
