"""What was seen while watching, made up: rows of pages a second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oomctl.model.trend import Sizes, Track, Watched
from tests.trend.rows import Row

COUNT = 31


def track(sizes: Sequence[Sizes], since: int = 0) -> Track:
    """One size for each second from ``since`` on."""
    return Track(0, since, [(since + index, one) for index, one in enumerate(sizes)])


def private(row: Row, base: int = 0, since: int = 0, count: int = COUNT) -> Track:
    """Private memory of ``base`` pages and what the row adds, watched from ``since`` on."""
    return track([Sizes(int(base + row(moment - since))) for moment in range(since, count)], since)


def watched(
    tracks: Mapping[int, Track], left: Mapping[str | None, Sequence[int]] | None = None, count: int = COUNT
) -> Watched:
    return Watched(range(count), left or {None: [0] * count}, tracks)
