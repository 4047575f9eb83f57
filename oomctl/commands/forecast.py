"""``oomctl forecast``: which limit is reached when, by whose growth, and whom the kernel takes then."""

from __future__ import annotations

import time

import click

from oomctl.cli.options import color_option, json_option
from oomctl.cli.parameters import TARGET, DurationType, NumbersAsArguments
from oomctl.console import complain, emit, emit_answer, progress
from oomctl.errors import ANSWER_IS_NO, DONE, BadInput, ImpossibleHere
from oomctl.kernel.badness import badness
from oomctl.kernel.constraint import memcg_totalpages
from oomctl.model.kernel import Scenario
from oomctl.model.limits import Limit, LimitKind
from oomctl.model.listing import Row
from oomctl.model.look import Pressure
from oomctl.model.trend import LimitForecast, Watched
from oomctl.procfs import survey
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.details import with_details
from oomctl.procfs.groups import groups
from oomctl.procfs.growth import MOST_MOMENTS, Watch
from oomctl.procfs.machine import machine_procfs
from oomctl.procfs.pressure import memory_pressure, pressure_in
from oomctl.procfs.reach import reach
from oomctl.procfs.reader import Procfs
from oomctl.render import forecast as render
from oomctl.render.document import json_line
from oomctl.render.reasons import doubted
from oomctl.scenario import question as questions
from oomctl.targets.words import Target
from oomctl.trend.forecast import of_limit, with_choice
from oomctl.trend.line import LEAST

_WEEK = 7 * 86400.0
_LOOKS = 20


@click.command(cls=NumbersAsArguments)
@click.option("--cgroup", metavar="PATH", help="Only the limit of this memory cgroup.")
@click.option("--for", "nearest_for", type=TARGET, help="Only the limits that TARGET may hit.")
@click.option("--over", type=DurationType(0.1, _WEEK), default="30s", show_default=True, help="Watch for so long.")
@click.option("--every", type=DurationType(0.02, 3600), help="Look so often (default: each second, 20 times at least).")
@click.option(
    "--horizon", type=DurationType(1, 365 * 86400.0), default="24h", show_default=True, help="Look so far ahead."
)
@color_option
@json_option
def forecast(
    cgroup: str | None, nearest_for: Target | None, over: float, every: float | None, horizon: float, as_json: bool
) -> int:
    """Watch for a while: which limit is reached when, and who dies then.

    Looks again and again at the size of every process and at what is left of the machine's memory and
    under the limit of each memory cgroup that has one. Ctrl-C ends that early, with what was seen so far.
    The status is 1 if nothing grows to a limit within the horizon.

    \b
    oomctl forecast --over 10s
    oomctl forecast --for java --over 5m --every 5s --json
    """
    every = every or min(1.0, over / _LOOKS)
    if over < every * (LEAST - 1):
        raise BadInput(f"--over {over:g}s and --every {every:g}s: expected {LEAST} looks at least; a rate needs them")
    procfs = machine_procfs()
    watch = Watch(_scopes(procfs, cgroup, nearest_for))
    _look_for(watch, over, every)
    if not watch.limits:
        raise ImpossibleHere(f"{cgroup or 'every limit that was watched'}: it went away while it was watched")
    answer = _answer(machine_procfs(), watch, horizon)
    if as_json:
        emit(json_line(render.document(answer)))
    else:
        emit_answer(render.text(answer))
    return DONE if any(one.forecast.left is not None for one in answer.limits) else ANSWER_IS_NO


def _scopes(procfs: Procfs, cgroup: str | None, nearest_for: Target | None) -> list[str | None]:
    """Return the memory cgroups whose limits are asked about, and None for the machine."""
    questions.check(questions.Shortage(cgroup=cgroup, nearest_for=nearest_for))
    memcgs = Memcgs.of(procfs)
    if nearest_for is not None:
        found = reach(procfs, questions.one_task(procfs, nearest_for))
        for doubt in found.doubts:
            complain(f"forecast: {doubted(doubt)}")
        if any(limit.kind is LimitKind.NODES for limit in found.limits):
            complain(f"forecast: {nearest_for.word} is confined to some NUMA nodes; how they fill is not watched")
        return [limit.memcg for limit in found.limits if limit.kind is not LimitKind.NODES]
    if cgroup is None:
        limited = [] if memcgs is None else groups(procfs, memcgs)
        return [None, *(group.path for group in limited if group.limit is not None and group.pids)]
    if memcgs is None:
        raise ImpossibleHere("no memory controller is mounted here: there are no memory cgroups to ask about")
    path = memcgs.resolve(questions.cgroup_named(procfs, cgroup))
    if memcg_totalpages(memcgs.limits(path)) is None:
        raise ImpossibleHere(f"cgroup {path} has no limit of its own; --for TARGET finds those above it")
    return [path]


def _look_for(watch: Watch, over: float, every: float) -> None:
    """Look again and again, until the time is over or somebody presses Ctrl-C. Raises KeyboardInterrupt too early."""
    begun = time.monotonic()
    try:
        with progress() as show:
            while True:
                watch.look(machine_procfs(), time.monotonic())
                passed = time.monotonic() - begun
                if passed >= over:
                    return
                show(f"watching: {passed:.0f} of {over:.0f} s (Ctrl-C: enough)")
                if watch.looks >= MOST_MOMENTS:
                    watch.thin()
                    every *= 2
                time.sleep(min(max(every - passed % every, 0.0), max(over - passed, 0.0)))
    except KeyboardInterrupt:
        if watch.looks < LEAST:
            complain(f"forecast: stopped after {watch.looks} looks; a rate needs {LEAST}")
            raise


def _answer(procfs: Procfs, watch: Watch, horizon: float) -> render.Answer:
    watched = watch.watched()
    moments = watched.moments
    found = [
        of_limit(limit, _limit_bytes(procfs, limit), moments, watched.left[scope], horizon)
        for scope, limit in watch.limits.items()
    ]
    found.sort(key=lambda one: (float("inf") if one.left is None else one.left.mid, one.limit.left_bytes))
    limits = [_in_full(procfs, one, watched) for one in found]
    seconds = moments[-1] - moments[0]
    return render.Answer(procfs.kernel, procfs.page_size, seconds, len(moments), horizon, procfs.pids()[1], limits)


def _limit_bytes(procfs: Procfs, limit: Limit) -> int:
    memcgs = None if limit.memcg is None else Memcgs.of(procfs)
    pages = procfs.totalpages
    if memcgs is not None and limit.memcg is not None:
        pages = memcg_totalpages(memcgs.limits(limit.memcg)) or pages
    return pages * procfs.page_size


def _in_full(procfs: Procfs, one: LimitForecast, watched: Watched) -> render.Told:
    """Add who grows and who dies, where the limit is reached."""
    if one.left is None:
        return render.Told(one)
    path = one.limit.memcg
    try:
        scenario = survey.machine(procfs) if path is None else survey.memcg(procfs, path)[0]
    except ImpossibleHere as error:
        complain(f"forecast: {error}")
        return render.Told(one)
    whole = with_choice(one, scenario, watched)._replace(pressure=_pressure(procfs, path))
    return render.Told(whole, _victim(procfs, whole, scenario))


def _pressure(procfs: Procfs, path: str | None) -> Pressure | None:
    if path is None:
        return memory_pressure(procfs)
    memcgs = Memcgs.of(procfs)
    return None if memcgs is None else pressure_in(memcgs, path)


def _victim(procfs: Procfs, one: LimitForecast, scenario: Scenario) -> Row | None:
    """Return the victim as it is now."""
    candidate = None if one.choice is None else one.choice.result.victim
    if candidate is None:
        return None
    task = next(task for task in scenario.tasks if task.pid == candidate.task.pid)
    now = badness(task, scenario.context.totalpages, procfs.rules)
    return with_details([Row(task, candidate=now)], procfs, cmdline=True)[0]
