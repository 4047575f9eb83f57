"""``oomctl metrics``: the next victim, and what ``check`` finds, for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from oomctl import __version__
from oomctl.audit import config
from oomctl.audit import metrics as numbers
from oomctl.audit.catalogue import AT_ONCE, findings
from oomctl.audit.facts import Asked, Look
from oomctl.audit.look import look
from oomctl.cli import namesake
from oomctl.cli.parameters import TARGET, NumbersAsArguments
from oomctl.console import complain, emit
from oomctl.errors import DONE, PARTLY_DONE, BadInput, ImpossibleHere, NotPermitted, OomctlError
from oomctl.guard import outputs
from oomctl.kernel.invocation import out_of_memory
from oomctl.kernel.selection import scan
from oomctl.model.listing import Details
from oomctl.procfs import survey
from oomctl.procfs.details import DetailReader
from oomctl.procfs.machine import machine_procfs
from oomctl.procfs.podnames import PodNames
from oomctl.procfs.reach import room
from oomctl.procfs.reader import Procfs
from oomctl.render import podnames
from oomctl.render.openmetrics import text
from oomctl.scenario import question as questions
from oomctl.targets.matching import matching
from oomctl.targets.words import Target, names_cgroup

MOST_CGROUPS = 20
_FAILURES: dict[type[OSError], type[OomctlError]] = {
    PermissionError: NotPermitted,
    FileNotFoundError: BadInput,
    NotADirectoryError: BadInput,
    IsADirectoryError: BadInput,
    FileExistsError: BadInput,
}
"""What it means that a file cannot be written; all else is this machine's fault."""


@click.command(cls=NumbersAsArguments, name="metrics")
@click.option("--output", "path", metavar="FILE", help="Replace FILE as a whole, instead of printing.")
@click.option(
    "--cgroup", "cgroups", metavar="PATH", multiple=True, help=f"Also if this ran out; {MOST_CGROUPS} at most."
)
@click.option(
    "--precious", type=TARGET, metavar="NAME", multiple=True, help="Also where this stands, not to be lost; repeatable."
)
@click.option("--no-names", is_flag=True, help="Leave out names of processes, units and pods.")
@click.option("--config", "settings_path", metavar="FILE", help=f"Read this file instead of {config.STANDARD}.")
def metrics(
    path: str | None, cgroups: tuple[str, ...], precious: tuple[Target, ...], no_names: bool, settings_path: str | None
) -> int:
    """Print the next victim, and what check finds, for Prometheus.

    The text is OpenMetrics, which the textfile collector of node_exporter takes as well: with --output
    a file in its directory is replaced as a whole, and stays as it is if anything fails.

    \b
    oomctl metrics
    oomctl metrics --cgroup /system.slice/mysql.service --precious mysqld
    """
    started = time.monotonic()
    if len(cgroups) > MOST_CGROUPS:
        raise BadInput(f"--cgroup: expected {MOST_CGROUPS} at most, got {len(cgroups)}")
    settings = config.load(settings_path)
    podnames.ask(None if no_names else PodNames())
    procfs = machine_procfs()
    asked = Asked((*precious, *settings.precious), settings.thresholds, namesake.sudo_warning())
    seen = look(procfs, asked)
    if seen.units_unknown:
        complain(f"{seen.units_unknown}; no unit was checked")
    found = findings(seen, frozenset(AT_ONCE) - settings.ignore)
    scopes, all_there = _scopes(procfs, seen, cgroups)
    standing = _precious(procfs, seen.precious_named) if seen.precious_named else []
    run = numbers.Run(time.time(), time.monotonic() - started, __version__)
    told = text(numbers.families(seen, scopes, standing, found, run, names=not no_names))
    if path is None:
        emit(told)
    else:
        _write(path, told)
    return DONE if all_there else PARTLY_DONE


def _write(path: str, told: str) -> None:
    try:
        outputs.replace(path, told.encode(), 0o644)
    except OSError as error:
        kind = next((found for known, found in _FAILURES.items() if isinstance(error, known)), ImpossibleHere)
        raise kind(f"{path}: {error.strerror}; nothing was written") from None


def _scopes(procfs: Procfs, seen: Look, cgroups: Sequence[str]) -> tuple[list[numbers.Scope], bool]:
    """Return the machine and each of ``cgroups``, and whether all of them are there."""
    left = room(procfs, seen.scenario.context).left_bytes
    pod = podnames.of(seen.victim.cgroup)
    machine = numbers.Scope(numbers.MACHINE, seen.scenario, seen.result, seen.victim, left, victims_pod=pod)
    scopes = {machine.name: machine}
    all_there = True
    for name in cgroups:
        try:
            scope = _cgroup(procfs, name)
        except ImpossibleHere as error:
            complain(str(error))
            all_there = False
        else:
            scopes[scope.name] = scope
    return list(scopes.values()), all_there


def _cgroup(procfs: Procfs, name: str) -> numbers.Scope:
    scenario = questions.live(procfs, questions.Shortage(cgroup=name)).scenario
    path = scenario.context.memcg or name
    result = out_of_memory(scenario, procfs.rules)
    victim = DetailReader(procfs).details(result.victim.task) if result.victim else Details()
    left = None if scenario.context.unlimited else room(procfs, scenario.context).left_bytes
    pods = podnames.of(scenario.context.memcg), podnames.of(victim.cgroup)
    return numbers.Scope(path, scenario, result, victim, left, *pods)


def _precious(procfs: Procfs, targets: Sequence[Target]) -> list[numbers.Precious]:
    """Say where those stand that were named; that takes a look at everybody."""
    scenario = survey.machine(procfs, cgroups=names_cgroup(targets))
    killed = {task.pid for task in out_of_memory(scenario, procfs.rules).killed}
    ranking = scan(scenario.tasks, scenario.context, procfs.rules).ranking
    ranks = {candidate.task.pid: rank for rank, candidate in enumerate(ranking, start=1)}
    standing = []
    for target, tasks in matching(targets, scenario.tasks, procfs).items():
        own = [ranks[task.pid] for task in tasks if task.pid in ranks]
        dies = any(task.pid in killed for task in tasks)
        standing.append(numbers.Precious(target.word, dies, min(own, default=None)))
    return standing
