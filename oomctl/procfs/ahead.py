"""What a look at all processes needs first, read by other processes while this one still imports its modules.

On a large machine that is half of the time, and takes nothing but ``os``.
"""

from __future__ import annotations

import os

from oomctl.procfs.helper import LOST, Helper
from oomctl.procfs.opening import LISTING, is_pid, scores_at

_WORTH_IT = 1000  # processes; fewer are read in the time that it takes to start another one
_ROOT = "/proc"


class Ahead:
    """One look at the processes of /proc."""

    def __init__(
        self, listed: int, others: list[str], links: int, scores: list[tuple[int, int]], unreadable: int
    ) -> None:
        """Keep what was read."""
        self.listed = listed
        """How many processes the directory lists."""
        self.others = others
        """Its entries that are no processes."""
        self.links = links
        """To the directory: each process that exists is one of them."""
        self.scores = scores
        """(``oom_score``, PID) of each but oomctl's own."""
        self.unreadable = unreadable
        """Processes whose score may not be read."""


_helpers: list[Helper] = []
"""The one that reads, if any."""


def start() -> None:
    """Begin to read, where that pays."""
    own = os.getpid()
    try:
        if len(os.sched_getaffinity(0)) > 1 and os.stat(_ROOT).st_nlink >= _WORTH_IT:
            _helpers.append(Helper(lambda: _read(own)))
    except OSError:
        return


def taken() -> Ahead | None:
    """Return what was read, once; None where nothing was, or not all of it."""
    if not _helpers:
        return None
    try:
        return Ahead(*_helpers.pop().result())
    except LOST:
        return None


def stop() -> None:
    """End a reader that nobody asked."""
    while _helpers:
        _helpers.pop().stop()


def _read(asking: int) -> tuple[int, list[str], int, list[tuple[int, int]], int]:
    before = os.stat(_ROOT).st_nlink
    names = os.listdir(_ROOT)
    links = min(before, os.stat(_ROOT).st_nlink)
    pids = [int(name) for name in names if is_pid(name)]
    others = [name for name in names if not is_pid(name)]
    left_out = (asking, os.getpid())
    root = os.open(_ROOT, LISTING)
    # Three processes on two CPUs: the one that imports is not held up by much, and the CPUs have work to the end.
    half = Helper(lambda: _highest_first(root, pids[1::2], left_out))
    scores, unreadable = _highest_first(root, pids[::2], left_out)
    more, unreadable_too = half.result()
    return len(pids), others, links, scores + more, unreadable + unreadable_too


def _highest_first(root: int, pids: list[int], left_out: tuple[int, int]) -> tuple[list[tuple[int, int]], int]:
    scores, unreadable = scores_at(root, pids, left_out)
    scores.sort(reverse=True)  # two sorted lists are soon made one
    return scores, unreadable
