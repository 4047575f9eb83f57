"""What the looks of a live view have shown lately, and what follows from it: who grows, and when memory is full.

Nothing is read for it. Where processes are too many to be read whole each time, a rate comes from the looks that did.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from oomctl.model.kernel import Constraint, Scenario, Task
from oomctl.model.limits import Limit
from oomctl.model.listing import Details, Growth
from oomctl.model.look import Look
from oomctl.model.trend import Ahead, Seconds, Sizes, Track, Watched
from oomctl.trend.forecast import of_limit, with_choice
from oomctl.trend.line import LEAST, slope
from oomctl.trend.outlook import sizes_at

_WINDOW_S = 60.0
_SEVERAL = 15
"""Where refreshes are far apart, what so many of them have shown is kept for longer than that."""
MOST_MOMENTS = 40
"""So many looks are remembered; of more, every other one is forgotten."""
_JITTER = 0.9
_CHOICE_HOLDS_S = 10.0
_HORIZON_S = 24 * 3600.0
_MOST_SHARED = 0.05
"""Of the growth: as far as a rate is in doubt anyway."""


class Seen:
    """Remembers the looks of the last minute; the clock is the caller's, and never turns back."""

    def __init__(self, delay_s: float = 0.0) -> None:
        """``delay_s``: seconds between two refreshes."""
        self._window_s = max(_WINDOW_S, delay_s * _SEVERAL)
        self._spacing_s = 0.0
        self._moments: list[float] = []
        self._left: dict[str | None, list[tuple[float, int]]] = {}
        self._tracks: dict[tuple[int, int], _Process] = {}
        self._scope: str | None = None
        self._ahead: Ahead | None = None
        self._chosen_at = 0.0

    def remember(self, look: Look, limit: Limit | None, moment: float) -> None:
        """Take in one look at everybody in the memory in question, of which ``limit`` says what is left.

        One that comes too soon after the last one tells nothing new, and is left out.
        """
        scope = scope_of(look.scenario)
        if self._moments and moment - self._moments[-1] <= self._spacing_s * _JITTER:
            self._ahead = self._ahead if scope == self._scope else None
            self._scope = scope
            return
        self._scope = scope
        self._moments.append(moment)
        if len(self._moments) > MOST_MOMENTS:
            self._thin()
        self._moments = [one for one in self._moments if one >= moment - self._window_s]
        for task in look.scenario.tasks:
            process = self._tracks.get((task.pid, task.start_ticks))
            if process is None:
                process = self._tracks[task.pid, task.start_ticks] = _Process(moment, _sizes(task))
            process.last_seen = moment
            if look.read is None or task.pid in look.read:
                process.add(moment, _sizes(task), self._moments[0])
        self._tracks = {key: one for key, one in self._tracks.items() if one.last_seen >= self._moments[0]}
        kept = set(self._moments)
        self._left = {
            name: left for name, row in self._left.items() if (left := [point for point in row if point[0] in kept])
        }
        if limit is not None:
            self._left.setdefault(scope, []).append((moment, limit.left_bytes))
        self._ahead = None if limit is None else self._forecast(look, limit, scope)

    def with_growth(self, look: Look) -> Look:
        """Return ``look`` with the growth of each process of which it is known."""
        details = dict(look.details)
        for task in look.scenario.tasks:
            growth = self.growth(task, look.scenario.page_size)
            if growth is not None:
                details[task.pid] = details.get(task.pid, Details())._replace(growth=growth)
        return look._replace(details=details)

    def growth(self, task: Task, page_size: int) -> Growth | None:
        """Return by how many bytes a minute ``task`` grows; None where it was not looked at often enough."""
        process = self._tracks.get((task.pid, task.start_ticks))
        if process is None or not self._moments:
            return None
        pages = process.growth(self._moments[0])
        return pages and Growth(pages.total * page_size * 60, pages.private * page_size * 60)

    def time_left(self, tasks: Sequence[Task], limit: Limit, page_size: int) -> Seconds | None:
        """Return when the private memory of ``tasks`` has grown into all that is left under ``limit``.

        None where it does not grow evenly, where that is not within a day, where one of them was not seen often enough,
        and where shared memory moves with it: several may have the same. May be asked while another thread looks.
        """
        processes = [self._tracks.get((task.pid, task.start_ticks)) for task in tasks]
        points = [tuple(process.points) for process in processes if process is not None]
        if not points or len(points) < len(tasks):
            return None
        since = max(row[0][0] for row in points)
        moments = [moment for moment in tuple(self._moments) if moment >= since]
        if len(moments) < LEAST:
            return None
        sizes = [sizes_at(moments, row) for row in points]
        private = [sum(one.private for one in now) for now in zip(*sizes)]
        shared = sum(max(one.shmem for one in row) - min(one.shmem for one in row) for row in sizes)
        if shared > (private[-1] - private[0]) * _MOST_SHARED:
            return None
        left = [limit.left_bytes + (private[-1] - pages) * page_size for pages in private]
        return of_limit(limit, 0, moments, left, _HORIZON_S).left

    @property
    def ahead(self) -> Ahead | None:
        """What becomes of the memory of the last look; None where it has no limit."""
        return self._ahead

    def _forecast(self, look: Look, limit: Limit, scope: str | None) -> Ahead:
        moments, left = zip(*self._left[scope])
        scenario = look.scenario
        total = scenario.context.totalpages * scenario.page_size
        found = of_limit(limit, total, moments, left, _HORIZON_S)
        old = self._ahead
        if found.left is not None and look.read is not None and old is not None and self._is_fresh(old, scope, look):
            found = found._replace(growing=old.forecast.growing, choice=old.forecast.choice)
        elif found.left is not None:
            self._chosen_at = moments[-1]
            tracks = {
                task.pid: Track(task.start_ticks, process.first_seen, process.points)
                for task in scenario.tasks
                for process in (self._tracks[task.pid, task.start_ticks],)
            }
            found = with_choice(found, scenario, Watched(moments, {limit.memcg: left}, tracks))
        return Ahead(found, tuple(total - number for number in left), look.read is None)

    def _is_fresh(self, old: Ahead, scope: str | None, look: Look) -> bool:
        """Whether the choice of an earlier look may be shown again: among many it is dear, and only probable anyway."""
        choice = old.forecast.choice
        victim = None if choice is None else choice.result.victim
        lately = self._moments[-1] - self._chosen_at < _CHOICE_HOLDS_S
        if not lately or old.forecast.limit.memcg != scope or victim is None:
            return False
        now = {(task.pid, task.start_ticks) for task in look.scenario.tasks}
        return (victim.task.pid, victim.task.start_ticks) in now

    def _thin(self) -> None:
        """Forget every other moment, but not the last; from now on moments are as far apart."""
        self._moments = self._moments[(len(self._moments) - 1) % 2 :: 2]
        self._spacing_s = (self._moments[-1] - self._moments[0]) / (len(self._moments) - 1)
        for process in self._tracks.values():
            process.keep(self._moments)


class _Pages(NamedTuple):
    """Pages a second."""

    total: float
    private: float


class _Process:
    """What was seen of one process."""

    __slots__ = ("_found", "_read_at", "first_seen", "last_seen", "points")

    def __init__(self, moment: float, sizes: Sizes) -> None:
        self.first_seen = self.last_seen = moment
        self.points = [(moment, sizes)]
        """Each size holds from its moment to the next one."""
        self._read_at: list[float] = []
        self._found: tuple[float, _Pages | None] | None = None
        """The growth, and when it was read last before that was asked for."""

    def add(self, moment: float, sizes: Sizes, oldest: float) -> None:
        """Take in what was read now; forget what no longer holds at ``oldest``."""
        if sizes != self.points[-1][1]:
            if self.points[-1][0] == moment:
                self.points[-1] = (moment, sizes)
            else:
                self.points.append((moment, sizes))
        while len(self.points) > 1 and self.points[1][0] <= oldest:
            del self.points[0]
        self._read_at.append(moment)
        while self._read_at[0] < oldest:
            del self._read_at[0]

    def keep(self, moments: Sequence[float]) -> None:
        """Keep what holds at ``moments``."""
        kept = set(moments)
        self._read_at = [moment for moment in self._read_at if moment in kept]
        if len(self.points) > 1:
            since = [moment for moment in moments if moment >= self.points[0][0]]
            thinned = [self.points[0]]
            for moment, sizes in zip(since, sizes_at(since, self.points)):
                if sizes != thinned[-1][1]:
                    thinned.append((moment, sizes))
            self.points = thinned

    def growth(self, oldest: float) -> _Pages | None:
        """Return its slope since ``oldest``, as far as it was read; None where that was too seldom."""
        last = self._read_at[-1] if self._read_at else oldest
        if self._found is None or self._found[0] != last:
            moments = [moment for moment in self._read_at if moment >= oldest]
            self._found = last, self._slope(moments) if len(moments) >= LEAST else None
        return self._found[1] if last >= oldest else None

    def _slope(self, moments: Sequence[float]) -> _Pages:
        if len(self.points) == 1:
            return _Pages(0.0, 0.0)
        sizes = sizes_at(moments, self.points)
        total = slope(moments, [one.private + one.shmem for one in sizes])
        if all(one.shmem == sizes[0].shmem for one in sizes):
            return _Pages(total, total)
        return _Pages(total, slope(moments, [one.private for one in sizes]))


def scope_of(scenario: Scenario) -> str | None:
    """Return the memory cgroup that is in question; None: the machine."""
    return scenario.context.memcg if scenario.context.constraint is Constraint.MEMCG else None


def _sizes(task: Task) -> Sizes:
    if task.anon_pages is None:  # before v4.5 nothing tells them apart
        return Sizes(task.rss_pages + task.swap_pages + task.pgtables_pages)
    return Sizes(task.anon_pages + task.swap_pages + task.pgtables_pages, task.shmem_pages, task.file_pages)
