"""``oomctl forecast``: which limit is reached when, by whose growth, and whom the kernel takes then."""

from __future__ import annotations

import click

from oomctl.cli.options import color_option, json_option
from oomctl.cli.parameters import TARGET, WATCHING_FOR, DurationType, NumbersAsArguments
from oomctl.commands.watching import every_scope, of_limits, pace, watch_for, with_victim
from oomctl.console import complain, emit, emit_answer
from oomctl.errors import ANSWER_IS_NO, DONE, ImpossibleHere
from oomctl.kernel.badness import badness
from oomctl.kernel.constraint import memcg_totalpages
from oomctl.model.kernel import Scenario
from oomctl.model.limits import LimitKind
from oomctl.model.listing import Row
from oomctl.model.trend import LimitForecast, Watched
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.details import with_details
from oomctl.procfs.growth import Watch
from oomctl.procfs.machine import machine_procfs
from oomctl.procfs.podnames import PodNames
from oomctl.procfs.reach import reach
from oomctl.procfs.reader import Procfs
from oomctl.render import forecast as render
from oomctl.render import podnames
from oomctl.render.document import json_line
from oomctl.render.reasons import doubted
from oomctl.scenario import question as questions
from oomctl.targets.words import Target


@click.command(cls=NumbersAsArguments)
@click.option("--cgroup", metavar="PATH", help="Only the limit of this memory cgroup.")
@click.option("--for", "nearest_for", type=TARGET, help="Only the limits that TARGET may hit.")
@click.option("--over", type=WATCHING_FOR, default="30s", show_default=True, help="Watch for so long.")
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
    every = pace(over, every)
    podnames.ask(PodNames())
    procfs = machine_procfs()
    watch = Watch(_scopes(procfs, cgroup, nearest_for))
    watch_for(watch, over, every, "forecast")
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
    if nearest_for is not None:
        found = reach(procfs, questions.one_task(procfs, nearest_for))
        for doubt in found.doubts:
            complain(f"forecast: {doubted(doubt)}")
        if any(limit.kind is LimitKind.NODES for limit in found.limits):
            complain(f"forecast: {nearest_for.word} is confined to some NUMA nodes; how they fill is not watched")
        return [limit.memcg for limit in found.limits if limit.kind is not LimitKind.NODES]
    if cgroup is None:
        return every_scope(procfs)
    memcgs = Memcgs.of(procfs)
    if memcgs is None:
        raise ImpossibleHere("no memory controller is mounted here: there are no memory cgroups to ask about")
    path = memcgs.resolve(questions.cgroup_named(procfs, cgroup))
    if memcg_totalpages(memcgs.limits(path)) is None:
        raise ImpossibleHere(f"cgroup {path} has no limit of its own; --for TARGET finds those above it")
    return [path]


def _answer(procfs: Procfs, watch: Watch, horizon: float) -> render.Answer:
    watched = watch.watched()
    moments = watched.moments
    limits = [_in_full(procfs, one, watched) for one in of_limits(procfs, watch, watched, horizon)]
    seconds = moments[-1] - moments[0]
    return render.Answer(procfs.kernel, procfs.page_size, seconds, len(moments), horizon, procfs.pids()[1], limits)


def _in_full(procfs: Procfs, one: LimitForecast, watched: Watched) -> render.Told:
    """Add who grows and who dies, where the limit is reached."""
    if one.left is None:
        return render.Told(one)
    try:
        whole, scenario = with_victim(procfs, one, watched)
    except ImpossibleHere as error:
        complain(f"forecast: {error}")
        return render.Told(one)
    return render.Told(whole, _victim(procfs, whole, scenario))


def _victim(procfs: Procfs, one: LimitForecast, scenario: Scenario) -> Row | None:
    """Return the victim as it is now."""
    candidate = None if one.choice is None else one.choice.result.victim
    if candidate is None:
        return None
    task = next(task for task in scenario.tasks if task.pid == candidate.task.pid)
    now = badness(task, scenario.context.totalpages, procfs.rules)
    return with_details([Row(task, candidate=now)], procfs, cmdline=True)[0]
