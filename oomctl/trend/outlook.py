"""What each process may hold by the time a limit is reached: its own rate goes on, and nobody else's matters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from oomctl.model.kernel import Task
from oomctl.model.trend import Motion, Sizes, Track, Watched
from oomctl.trend.line import Line, line

_NONE = Sizes(0)
_REST = Line(Motion.STEADY, 0.0, 0.0, (0.0, 0.0), 0.0, 1.0, 0.0, 0.0)
_BORN = 3
"""So many looks at a process show that it grows, and not only that it began."""


class Growth(NamedTuple):
    """By how many pages a process grows, page tables included; less than none where it shrinks."""

    least: Sizes
    middle: Sizes
    most: Sizes


class Outlook(NamedTuple):
    """What was seen of one process."""

    now: Sizes
    """When the scenario was read."""
    lines: tuple[Line | None, Line | None, Line | None]
    """Of each of its sizes; None where it was not watched for long enough."""
    fastest: tuple[float | None, float | None, float | None]
    """Where there is no line, pages per second at most; None: nothing is known."""
    began: bool = True
    """It was not there at the first look."""

    @property
    def rate(self) -> float:
        """Pages per second of private and shared memory, as far as these grow."""
        growing = (one for one in self.lines[:2] if one is not None and one.motion is Motion.GROWING)
        return sum(one.slope for one in growing)

    def growth(self, seconds: float, room_pages: int) -> Growth:
        """Return how it grows in ``seconds``; one of which no rate is known by no more than ``room_pages``."""
        parts = [
            _unknown(fastest, seconds, room_pages) if found is None else _along(found, now, seconds)
            for found, fastest, now in zip(self.lines, self.fastest, self.now)
        ]
        least, middle, most = (Sizes(*part) for part in zip(*parts))
        # Reclaim has the pages of files before anybody dies: they may only make it larger than it ought to be.
        return Growth(least._replace(file=0), middle._replace(file=0), most._replace(file=max(most.file, 0)))


def outlook(task: Task, watched: Watched) -> Outlook:
    """Return what was seen of ``task`` while it was watched."""
    track = watched.tracks.get(task.pid)
    nothing = (None, None, None)
    if track is None or track.start_ticks != task.start_ticks or _has_no_files(task, track):
        return Outlook(_NONE, nothing, nothing)
    now = _now(task, track)
    if len(track.points) == 1 and track.first_seen <= watched.moments[0]:  # it rests, as most do
        return Outlook(now, (_REST, _REST, _REST), nothing, began=False)
    moments = [moment for moment in watched.moments if moment >= track.first_seen]
    if not moments:
        return Outlook(now, nothing, nothing)
    rows = list(zip(*sizes_at(moments, track.points)))
    first, second, third = (line(moments, row) for row in rows)
    between = watched.moments[-1] - watched.moments[-2] if len(watched.moments) > 1 else 0.0
    private, shmem, file = (
        None if one else _fastest(moments, row, between) for one, row in zip((first, second, third), rows)
    )
    began = track.first_seen > watched.moments[0]
    return Outlook(now, (first, second, third), (private, shmem, file), began)


def sizes_at(moments: Sequence[float], points: Sequence[tuple[float, Sizes]]) -> list[Sizes]:
    """Return what held at each of ``moments``, which begin no earlier than the points do."""
    found = []
    index = 0
    for moment in moments:
        while index + 1 < len(points) and points[index + 1][0] <= moment:
            index += 1
        found.append(points[index][1])
    return found


def _now(task: Task, track: Track) -> Sizes:
    """Return its sizes when the scenario was read, which is later than the last look."""
    if task.anon_pages is None:
        return track.points[-1][1]
    return Sizes(task.anon_pages + task.swap_pages + task.pgtables_pages, task.shmem_pages, task.file_pages)


def _has_no_files(task: Task, track: Track) -> bool:
    """Whether nothing was seen of its memory: the leader of its threads has exited."""
    return track.points[-1][1] == _NONE and bool(task.rss_pages or task.swap_pages)


def _fastest(moments: Sequence[float], row: Sequence[float], between: float) -> float | None:
    """Return how much it grew per second at most; ``between``: seconds between the last two looks."""
    if len(moments) < _BORN:
        age = max(moments[-1] - moments[0], between)
        return row[-1] / age if age else None
    pairs = zip(moments[1:], moments[2:], row[1:], row[2:])
    return max(0.0, *((after - before) / (later - earlier) for earlier, later, before, after in pairs))


def without_members(used_pages: Sequence[int], tasks: Sequence[Task], watched: Watched) -> list[int]:
    """Return what is used at each moment besides the private and shared memory of ``tasks``, up to a constant.

    Who began meanwhile stays in it, as those will be that begin later: what a child has of its parent was used before.
    """
    rest = list(used_pages)
    for task in tasks:
        track = watched.tracks.get(task.pid)
        if track is None or track.start_ticks != task.start_ticks:
            continue
        if len(track.points) == 1 or track.first_seen > watched.moments[0]:
            continue
        for index, sizes in enumerate(sizes_at(watched.moments, track.points)):
            rest[index] -= sizes.private + sizes.shmem
    return rest


class Range(NamedTuple):
    """A growth in pages, with its bounds."""

    least: int
    middle: int
    most: int


def along(found: Line, seconds: float) -> Range:
    """Return by how many pages something grows along its line in ``seconds``, from the line's own level."""
    if found.motion is Motion.STEADY:
        return Range(0, 0, 0)
    rate = found.rate(seconds)
    middle = 0.0 if found.motion is Motion.UNCLEAR else rate.mid * seconds
    least, most = rate.low * seconds + found.below, rate.high * seconds + found.above
    return Range(int(least), int(middle), int(most) + 1)


def _along(found: Line, now: int, seconds: float) -> Range:
    """Return the same from what it is ``now``; no size becomes negative."""
    least, middle, most = along(found, seconds)
    off = 0 if found.motion is Motion.STEADY else int(found.level) - now
    return Range(max(least + off, -now), max(middle + off, -now), max(most + off, 0))


def _unknown(fastest: float | None, seconds: float, room_pages: int) -> Range:
    return Range(0, 0, room_pages if fastest is None else min(int(fastest * seconds), room_pages))
