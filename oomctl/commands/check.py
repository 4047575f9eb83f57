"""``oomctl check``: what is wrong or dangerous here, before anybody is killed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import click

from oomctl.audit import config, counted
from oomctl.audit.catalogue import CHECKS, IDS, WATCHING, findings
from oomctl.audit.facts import Asked
from oomctl.audit.growth import SOON_SECONDS
from oomctl.audit.look import look
from oomctl.cli import namesake
from oomctl.cli.options import color_option, json_option
from oomctl.cli.parameters import TARGET, WATCHING_FOR, NumbersAsArguments
from oomctl.console import complain, emit, emit_text
from oomctl.errors import ANSWER_IS_NO, DONE, BadInput, ImpossibleHere, NothingMatched, OomctlError
from oomctl.model.audit import Finding, Severity
from oomctl.model.listing import Row
from oomctl.model.trend import LimitForecast
from oomctl.procfs.details import with_details
from oomctl.procfs.machine import machine_procfs
from oomctl.procfs.podnames import PodNames
from oomctl.procfs.reader import Procfs
from oomctl.render import check as render
from oomctl.render import podnames
from oomctl.targets.matching import matching, no_match
from oomctl.targets.words import Target

_PLUG_INS = ("nagios", "checkmk")


class Plugged(NumbersAsArguments):
    """Whose every failure is said in the words of the monitoring that asked, with its status for *unknown*."""

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> click.Context:
        """Parse, and say of a mistake on the command line what the plug-in would."""
        wanted = _plug_in(args)
        try:
            return super().make_context(info_name, args, *rest, **extra)
        except (click.UsageError, OomctlError) as error:
            if wanted is None:
                raise
            raise click.exceptions.Exit(_unknown(wanted, _message(error))) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run, and say of whatever fails what the plug-in would."""
        wanted = ctx.params.get("wanted")
        try:
            return super().invoke(ctx)
        except Exception as error:
            if wanted not in _PLUG_INS or isinstance(error, (click.exceptions.Exit, BrokenPipeError)):
                raise
            return _unknown(wanted, _message(error))


@click.command(cls=Plugged)
@click.argument("targets", type=TARGET, metavar="[TARGET]...", nargs=-1)
@click.option("--only", metavar="ID", multiple=True, help="Only this check; repeatable.")
@click.option("--ignore", metavar="ID", multiple=True, help="Not this check; repeatable.")
@click.option(
    "--precious",
    type=TARGET,
    metavar="NAME",
    multiple=True,
    help="Warn if this would be killed next; repeatable.",
)
@click.option(
    "--min-severity",
    "least",
    type=click.Choice([severity.value for severity in Severity]),
    default=Severity.INFO.value,
    show_default=True,
    help="Tell only what is as bad as this.",
)
@click.option("--over", type=WATCHING_FOR, help="Watch for so long, for limits that are reached soon.")
@click.option("--config", "path", metavar="FILE", help=f"Read this file instead of {config.STANDARD}.")
@click.option("--explain", "explained", metavar="ID", help="Say what a check is about; all: what each is.")
@click.option("--format", "wanted", type=click.Choice(_PLUG_INS), help="One line for a monitoring system.")
@color_option
@json_option
def check(
    targets: tuple[Target, ...],
    only: tuple[str, ...],
    ignore: tuple[str, ...],
    precious: tuple[Target, ...],
    least: str,
    over: float | None,
    path: str | None,
    explained: str | None,
    wanted: str | None,
    as_json: bool,
) -> int:
    """Find what is wrong or dangerous here, with what mends it.

    The worst comes first. With TARGETs only what concerns them is told. The status is 1 where something
    is found; with --format nagios that of a plug-in, 3 for a failure of the check itself.
    One look is instant; with --over it comes after watching what grows, which Ctrl-C ends early.

    \b
    oomctl check
    oomctl check --precious postgres --min-severity warning
    oomctl check --over 30s --only runs-out-soon
    oomctl check --explain memcg-unkillable
    """
    if explained is not None:
        return _explain(explained)
    if as_json and wanted:
        raise BadInput(f"--json and --format {wanted} contradict each other")
    settings = config.load(path)
    ids = frozenset(_known(only) or IDS) - (settings.ignore - frozenset(only)) - frozenset(_known(ignore))
    if over is None:
        for name in WATCHING & frozenset(only):
            raise BadInput(f"--only {name}: one look does not tell; --over 30s watches for it")
        ids -= WATCHING
    _say_who_is_missing(targets)
    podnames.ask(PodNames())
    forecasts = _watched(over) if over is not None and ids & WATCHING else ()
    procfs = machine_procfs()
    asked = Asked((*precious, *settings.precious), settings.thresholds, namesake.sudo_warning())
    seen = look(procfs, asked)._replace(forecasts=forecasts)
    if seen.units_unknown and not wanted:
        complain(f"{seen.units_unknown}; no unit was checked")
    found = findings(seen, ids)
    if targets:
        found = _about(found, targets, procfs)
    told = [finding for finding in found if finding.severity.rank >= Severity(least).rank]
    status = _tell(told, len(ids), procfs, wanted, as_json)
    untold = {finding.id for finding in found} - {finding.id for finding in told}
    # Only what somebody was told of is old news next time.
    if seen.kills is not None and "kills-seen" in ids - untold and not targets:
        counted.remember(procfs.boot_id(), seen.kills)
    return status


def _watched(over: float) -> tuple[LimitForecast, ...]:
    """Watch every limit; of those that are reached soon the forecast says who dies."""
    from oomctl.commands.watching import every_scope, of_limits, pace, watch_for, with_victim
    from oomctl.procfs.growth import Watch

    watch = Watch(every_scope(machine_procfs()))
    watch_for(watch, over, pace(over, None), "check")
    procfs, watched = machine_procfs(), watch.watched()
    found = of_limits(procfs, watch, watched, SOON_SECONDS)
    for number, one in enumerate(found):
        if one.left is not None:
            with suppress(ImpossibleHere):  # it has gone since: when is all that can be said
                found[number] = with_victim(procfs, one, watched)[0]
    return tuple(found)


def _tell(found: Sequence[Finding], checks: int, procfs: Procfs, wanted: str | None, as_json: bool) -> int:
    if wanted == "nagios":
        line, status = render.nagios(found)
        emit(line)
        return status
    if wanted == "checkmk":
        emit(render.checkmk(found))
        return DONE
    if as_json:
        emit(render.document(found, _rows(found, procfs), procfs.page_size))
    else:
        emit_text(render.text(found, checks))
    return ANSWER_IS_NO if found else DONE


def _rows(found: Sequence[Finding], procfs: Procfs) -> dict[int, Row]:
    """Read who is told of again, with all that a list of processes has."""
    starts = {finding.process.pid: finding.process.start_ticks for finding in found if finding.process}
    tasks = [task for task in procfs.tasks(starts).read if task.start_ticks == starts[task.pid]]
    return {row.task.pid: row for row in with_details([Row(task) for task in tasks], procfs, cmdline=True)}


def _say_who_is_missing(targets: Sequence[Target]) -> None:
    """Complain of each target that matches nobody, before anything takes long. NothingMatched: none matches anybody."""
    if not targets:
        return
    procfs = machine_procfs()
    tasks = procfs.tasks()
    matches = matching(targets, tasks.read, procfs)
    unmatched = [target for target, matched in matches.items() if not matched]
    for target in unmatched:
        message = no_match(target.word, tasks.hidden)
        if len(unmatched) == len(matches) and target is unmatched[-1]:
            raise NothingMatched(message)
        complain(message)


def _about(found: Sequence[Finding], targets: Sequence[Target], procfs: Procfs) -> list[Finding]:
    """Return what concerns any of ``targets``, also one that began while limits were watched."""
    pids = {task.pid for matched in matching(targets, procfs.tasks().read, procfs).values() for task in matched}
    return [finding for finding in found if finding.pids & pids]


def _known(ids: Sequence[str]) -> Sequence[str]:
    """Return ``ids``. BadInput for one that is none."""
    for name in ids:
        if name not in IDS:
            raise BadInput(f"no check is called {name!r}; oomctl check --explain all lists them")
    return ids


def _explain(name: str) -> int:
    if name != "all":
        _known([name])
    told = [one for one in CHECKS if name in ("all", one.id)]
    emit_text("\n".join(render.explanation(one.id, one.meaning, one.harm, one.met) for one in told))
    return DONE


def _plug_in(args: Sequence[str]) -> str | None:
    """Return which plug-in the words of a command line ask for, whatever else is wrong with them."""
    joined = dict.fromkeys(args[number + 1] for number, word in enumerate(args[:-1]) if word == "--format")
    wanted = [*joined, *(word.partition("=")[2] for word in args if word.startswith("--format="))]
    return next((word for word in wanted if word in _PLUG_INS), None)


def _message(error: Exception) -> str:
    return error.format_message() if isinstance(error, click.UsageError) else str(error) or type(error).__name__


def _unknown(wanted: str, reason: str) -> int:
    emit(render.nagios_failure(reason) if wanted == "nagios" else render.checkmk_failure(reason))
    return render.UNKNOWN if wanted == "nagios" else DONE
