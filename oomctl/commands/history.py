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
from oomctl.oomlog.mentions import Mentions
from oomctl.oomlog.parser import parse_blocks
from oomctl.oomlog.replay import scenario_of
from oomctl.oomlog.sources import Source, open_source
from oomctl.oomlog.wanted import Wanted, epoch_of
from oomctl.procfs.machine import machine_procfs
from oomctl.render import history as render
from oomctl.render.killlist import listing
from oomctl.targets.matching import wildcards
from oomctl.targets.words import is_unit

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
@click.option(
    *("-n", "-N", "--lines", "--num", "lines"),
    type=click.IntRange(1),
    metavar="N",
    help="Only the last events, this many.",
)
@click.option("--victim", metavar="NAME", help="Only kills of processes of that name; * and ? are wildcards.")
@click.option("--cgroup", metavar="PATH", help="Only kills in that cgroup or below, or because of its limit.")
@click.option("--unit", metavar="UNIT", help="Only kills in that systemd unit; * and ? are wildcards.")
@click.option("--summary", is_flag=True, help="Count kills by victim, by cgroup and by day.")
@click.option("--follow", is_flag=True, help="Print each kill as it is logged, until Ctrl-C (-f is --file here).")
@json_option
def history(
    number: int | None,
    path: str | None,
    since: datetime | None,
    lines: int | None,
    victim: str | None,
    cgroup: str | None,
    unit: str | None,
    summary: bool,
    follow: bool,
    as_json: bool,
) -> int:
    """List past OOM kills, or tell number N of them in full.

    N is the number that the list shows. Reads the journal (all boots), else the kernel's ring buffer.
    Each report is replayed by the rules of its own kernel: AGREES says whether oomctl would have predicted
    that victim.

    \b
    oomctl history
    oomctl history 3
    oomctl history --file /var/log/kern.log.2.gz --since 2026-11-01 --json
    oomctl history --summary --since 7d
    oomctl history --follow --json --unit nginx.service
    """
    _check_question(number, summary, follow)
    wanted = asked(victim, cgroup, unit)
    if follow:
        from oomctl.commands.following import follow as follow_log

        return follow_log(path, lines, lambda report, epoch: wanted(report) and _is_since(epoch, since), as_json)
    from oomctl.commands.events import event_of

    source = open_source(path)
    boot_time = machine_procfs().boot_time() if path is None and source.name == "/dev/kmsg" else None
    log = Mentions(_watched(source, path))
    every = _wanted(parse_blocks(iter(log)), number, since, boot_time)
    reports: Iterator[OomReport] = (report for report in every if wanted(report))
    if lines is not None:
        reports = iter(_last(reports, lines, _memory_of))
    if summary:
        from oomctl.commands.counting import summarize

        status = summarize(((report, epoch_of(report, boot_time)) for report in reports), as_json)
        return _nothing(source.name, since, wanted, as_json, log) if status else status
    in_full = number is not None or as_json
    answers = (
        event_of(report, epoch_of(report, boot_time), _ranking(report) if number else (), in_full) for report in reports
    )
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
    return _nothing(source.name, since, wanted, as_json, log) if first is None else DONE


def _nothing(name: str, since: datetime | None, wanted: Wanted, as_json: bool, log: Mentions) -> int:
    if not as_json:
        such = " such" if any(wanted) else ""
        when = f" since {since:%Y-%m-%d %H:%M}" if since else ""
        instead = f"; {log.meaning}" if log.meaning and not (such or when) else ""
        complain(f"history: no{such} OOM kill in {name}{when}{instead}")
    return ANSWER_IS_NO


def _check_question(number: int | None, summary: bool, follow: bool) -> None:
    if follow and summary:
        raise BadInput("history: --summary counts what was, --follow tells what comes; ask for one of them")
    if number is not None and (follow or summary):
        raise BadInput(f"history: {number} is one event, {'--follow' if follow else '--summary'} is about all of them")


def asked(victim: str | None, cgroup: str | None, unit: str | None) -> Wanted:
    """Return the kills that the options mean, in the words of a target."""
    if unit is not None and not is_unit(unit):
        unit += ".service"
    # The kernel keeps 15 characters of a name.
    name = None if victim is None else victim if set("*?") & set(victim) else victim[:15]
    return Wanted(
        None if name is None else wildcards(name),
        None if cgroup is None else "/" + cgroup.strip("/"),
        None if unit is None else wildcards(unit),
    )


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
        epoch = epoch_of(report, boot_time)
        undated += since is not None and epoch is None
        if _is_since(epoch, since):
            yield report
        if number is not None:
            break
    if undated:
        complain(f"history: {undated} of the events carry no full date and are listed whatever --since says")


def _is_since(epoch_s: float | None, since: datetime | None) -> bool:
    return since is None or epoch_s is None or epoch_s >= since.timestamp()


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
