"""``oomctl history``: past OOM kills from the kernel's own reports."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime, timedelta

import click

from oomctl.cli.options import color_option, json_option
from oomctl.console import complain, emit, emit_answer, emit_parts, terminal_width
from oomctl.errors import ANSWER_IS_NO, DONE, BadInput, NothingMatched
from oomctl.kernel.rules import rules_for
from oomctl.kernel.selection import scan
from oomctl.model.kernel import Candidate
from oomctl.model.oomreport import OomReport
from oomctl.oomlog.mentions import Mentions
from oomctl.oomlog.newest import Counted, Kept, last, memory_of, nth_newest
from oomctl.oomlog.parser import parse_blocks
from oomctl.oomlog.replay import scenario_of
from oomctl.oomlog.sources import KMSG, Source, open_source
from oomctl.oomlog.wanted import Wanted, epoch_of, known_kernel
from oomctl.procfs.machine import machine_procfs
from oomctl.procfs.podnames import PodNames
from oomctl.render import history as render
from oomctl.render import podnames
from oomctl.render.killlist import listing
from oomctl.targets.matching import wildcards
from oomctl.targets.words import is_unit

_LARGE_FILE = 32 << 20
_MOST_LINES = 10_000
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


class PlaceType(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.4
    """Which event is meant: 1 or ``last`` is the newest."""

    name = "number"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return its number in the list."""
        text = "1" if value == "last" else str(value)
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
            self.fail(f"{text!r} is not the number of an event: 1 or last is the newest", param, ctx)
        return int(text)


@click.command()
@click.argument("number", type=PlaceType(), required=False, metavar="[N]")
@click.option("--file", "-f", "path", metavar="FILE", help="Read this log (plain, .gz, .xz) instead; - is stdin.")
@click.option("--since", type=TimeType(), metavar="TIME", help="Only events since then: 2026-11-23, yesterday, 2h.")
@click.option(
    *("-n", "-N", "--lines", "--num", "lines"),
    type=click.IntRange(1),
    metavar="N",
    help="Only this many of the last events.",
)
@click.option("--victim", metavar="NAME", help="Only kills of processes of that name; * and ? are wildcards.")
@click.option("--cgroup", metavar="PATH", help="Only kills in that cgroup or below, or because of its limit.")
@click.option("--unit", metavar="UNIT", help="Only kills in that systemd unit; * and ? are wildcards.")
@click.option("--summary", is_flag=True, help="Count kills by victim, by cgroup and by day.")
@click.option("--quiet", "-q", is_flag=True, help="If there is no kill, say nothing and exit with status 0.")
@click.option("--follow", is_flag=True, help="Print each kill as it is logged, until Ctrl-C (-f is --file here).")
@color_option
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
    quiet: bool,
    follow: bool,
    as_json: bool,
) -> int:
    """List past OOM kills, or tell number N of them in full.

    N is the number that the list shows: 1, or last, is the newest. Reads the journal (all boots), else the
    kernel's ring buffer.
    Each report is replayed by the rules of its own kernel: AGREES says whether oomctl would have predicted
    that victim.

    \b
    oomctl history
    oomctl history last
    oomctl history --file /var/log/kern.log.2.gz --since 2026-11-01 --json
    oomctl history --summary --since 7d
    oomctl history --follow --json --unit nginx.service
    """
    _check_question(number, summary, follow)
    podnames.ask(PodNames())
    wanted = asked(victim, cgroup, unit)
    if follow:
        from oomctl.commands.following import follow as follow_log

        is_wanted = lambda report, epoch: wanted(report) and _is_since(epoch, since)  # noqa: E731
        return follow_log(path, lines, is_wanted, as_json, quiet)
    source = open_source(path)
    procfs = machine_procfs() if path is None and source.name == str(KMSG) else None
    boot_time = procfs.boot_time() if procfs is not None else None
    log = Mentions(_watched(source, path))
    counted = Counted(known_kernel(parse_blocks(iter(log)), procfs.kernel if procfs is not None else None))
    if number is not None:
        newest = nth_newest(counted, number)
        these = _dated([newest] if newest is not None else [], since, boot_time)
        return _tell([report for report in these if wanted(report)], number, source.name, path, boot_time, as_json)
    reports: Iterator[OomReport] = (report for report in _dated(counted, since, boot_time) if wanted(report))
    if lines is not None:
        reports = iter(_last(reports, lines))
    if summary:
        from oomctl.commands.counting import summarize

        status = summarize(((report, epoch_of(report, boot_time)) for report in reports), as_json)
    elif as_json:
        status = _print_json(reports, counted, boot_time)
    else:
        status = _list(reports, counted, boot_time, lines or _MOST_LINES)
    if status == ANSWER_IS_NO and quiet:
        return DONE
    return _nothing(source.name, since, wanted, as_json, log) if status else status


def _tell(
    reports: list[OomReport], number: int, name: str, path: str | None, boot_time: float | None, as_json: bool
) -> int:
    """Tell one event in full."""
    from oomctl.commands.events import event_of

    if not reports:
        raise NothingMatched(f"history: {name} has no event {number}")
    (report,) = reports
    ranking, unranked = _ranking(report)
    event = event_of(report, epoch_of(report, boot_time), ranking)._replace(unranked=unranked)
    if as_json:
        emit_parts(render.document([(number, render.members_of(event))]))
    else:
        again = path if path is not None and os.path.isfile(path) and not path.startswith("/dev/") else None
        emit_answer(render.full(event, number, again, terminal_width()))
    return DONE


def _print_json(reports: Iterable[OomReport], counted: Counted, boot_time: float | None) -> int:
    from oomctl.commands.events import event_of

    with closing(Kept()) as kept:
        for report in reports:
            kept.add(report.number, render.members_of(event_of(report, epoch_of(report, boot_time))).encode())
        emit_parts(render.document((counted.index(number), text.decode()) for number, text in kept))
        return DONE if len(kept) else ANSWER_IS_NO


def _list(reports: Iterable[OomReport], counted: Counted, boot_time: float | None, most: int) -> int:
    from oomctl.commands.events import event_of

    events = (event_of(report, epoch_of(report, boot_time), in_full=False) for report in reports)
    rows, left_out = last(((event.report.number, render.cells(event)) for event in events), most, _memory_of_row)
    _say_left_out(left_out)
    if not rows:
        return ANSWER_IS_NO
    emit(listing([(str(counted.index(number)), *cells) for number, cells in rows], terminal_width()))
    return DONE


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


def _last(reports: Iterable[OomReport], wanted: int) -> list[OomReport]:
    """Return the last ``wanted`` reports; says so where there is no memory for these."""
    kept, left_out = last(reports, wanted, memory_of)
    if len(kept) < wanted:
        _say_left_out(left_out)
    return kept


def _say_left_out(events: int) -> None:
    if events:
        complain(f"history: {events} earlier events are left out: too many to keep; --json alone lists all")


def _memory_of_row(row: tuple[int, tuple[str, ...]]) -> int:
    return sum(map(sys.getsizeof, row[1]))


def _ranking(report: OomReport) -> tuple[tuple[Candidate, ...], str | None]:
    """Return the candidates by badness, or why they cannot be ranked."""
    try:
        scenario = scenario_of(report)
    except BadInput as error:
        return (), str(error)
    return scan(scenario.tasks, scenario.context, rules_for(scenario.kernel)).ranking, None


def _dated(reports: Iterable[OomReport], since: datetime | None, boot_time: float | None) -> Iterator[OomReport]:
    """Yield those that are not from before; says how many cannot be judged."""
    undated = 0
    for report in reports:
        epoch = epoch_of(report, boot_time)
        undated += since is not None and epoch is None
        if _is_since(epoch, since):
            yield report
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
