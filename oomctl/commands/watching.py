"""Watching for a while, for the commands that say which limit is reached when."""

from __future__ import annotations

import time

from oomctl.console import complain, progress
from oomctl.errors import BadInput
from oomctl.kernel.constraint import memcg_totalpages
from oomctl.model.kernel import Scenario
from oomctl.model.limits import Limit
from oomctl.model.look import Pressure
from oomctl.model.trend import LimitForecast, Watched
from oomctl.procfs import survey
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.groups import groups
from oomctl.procfs.growth import MOST_MOMENTS, Watch
from oomctl.procfs.machine import machine_procfs
from oomctl.procfs.pressure import memory_pressure, pressure_in
from oomctl.procfs.reader import Procfs
from oomctl.trend.forecast import of_limit, with_choice
from oomctl.trend.line import LEAST

_LOOKS = 20


def pace(over: float, every: float | None) -> float:
    """Return the seconds from look to look. BadInput where they are too many for a rate."""
    every = every or min(1.0, over / _LOOKS)
    if over < every * (LEAST - 1):
        raise BadInput(f"--over {over:g}s and --every {every:g}s: expected {LEAST} looks at least; a rate needs them")
    return every


def every_scope(procfs: Procfs) -> list[str | None]:
    """Return None for the machine, and the path of each memory cgroup that has a limit and somebody in it."""
    memcgs = Memcgs.of(procfs)
    limited = [] if memcgs is None else groups(procfs, memcgs)
    return [None, *(group.path for group in limited if group.limit is not None and group.pids)]


def watch_for(watch: Watch, over: float, every: float, command: str) -> None:
    """Look again and again, until the time is over or somebody presses Ctrl-C. Raises KeyboardInterrupt too early.

    Where looks take long the time is exceeded: without enough of them nothing could be told.
    """
    begun = time.monotonic()
    try:
        with progress() as show:
            while True:
                watch.look(machine_procfs(), time.monotonic())
                passed = time.monotonic() - begun
                if passed >= over and watch.looks >= LEAST:
                    return
                show(f"watching: {passed:.0f} of {over:.0f} s (Ctrl-C: enough)")
                if watch.looks >= MOST_MOMENTS:
                    watch.thin()
                    every *= 2
                time.sleep(min(max(every - passed % every, 0.0), max(over - passed, 0.0)))
    except KeyboardInterrupt:
        if watch.looks < LEAST:
            complain(f"{command}: stopped after {watch.looks} looks; a rate needs {LEAST}")
            raise


def of_limits(procfs: Procfs, watch: Watch, watched: Watched, horizon: float) -> list[LimitForecast]:
    """Return what becomes of each limit: those that are reached first, the nearest before; without anybody's choice."""
    found = [
        of_limit(limit, _limit_bytes(procfs, limit), watched.moments, watched.left[scope], horizon)
        for scope, limit in watch.limits.items()
    ]
    return sorted(found, key=lambda one: (float("inf") if one.left is None else one.left.mid, one.limit.left_bytes))


def with_victim(procfs: Procfs, one: LimitForecast, watched: Watched) -> tuple[LimitForecast, Scenario]:
    """Add who grows, who dies and who waits, and give the scenario of now that it follows from.

    Raises ImpossibleHere where the memory cgroup has gone since.
    """
    path = one.limit.memcg
    scenario = survey.machine(procfs) if path is None else survey.memcg(procfs, path)[0]
    return with_choice(one, scenario, watched)._replace(pressure=_pressure(procfs, path)), scenario


def _limit_bytes(procfs: Procfs, limit: Limit) -> int:
    memcgs = None if limit.memcg is None else Memcgs.of(procfs)
    pages = procfs.totalpages
    if memcgs is not None and limit.memcg is not None:
        pages = memcg_totalpages(memcgs.limits(limit.memcg)) or pages
    return pages * procfs.page_size


def _pressure(procfs: Procfs, path: str | None) -> Pressure | None:
    if path is None:
        return memory_pressure(procfs)
    memcgs = Memcgs.of(procfs)
    return None if memcgs is None else pressure_in(memcgs, path)
