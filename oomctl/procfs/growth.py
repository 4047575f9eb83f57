"""Sizes of processes and the room under limits, looked at again and again at little cost.

At each look ``statm`` of everybody is read, and more only of those for whom it has changed: most processes rest. An
hour of looks takes no more memory than two minutes: what is kept is thinned out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from oomctl.model.limits import Limit
from oomctl.model.trend import Sizes, Track, Watched
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.reader import Procfs
from oomctl.procfs.reading import read_at
from oomctl.procfs.rooms import room_of
from oomctl.procfs.statfiles import STARTTIME, split_stat

MOST_MOMENTS = 120
"""So many looks are kept; of more, every other one is dropped."""
_SIZE = re.compile(rb"\n(RssAnon|RssFile|RssShmem|VmSwap|VmPTE|VmPMD|VmRSS):\s*(\d{1,15}) kB", re.ASCII)


class Watch:
    """Looks at the memory of one machine; the clock is the caller's."""

    def __init__(self, scopes: Sequence[str | None]) -> None:
        """``scopes``: memory cgroups whose limits are watched, by their paths, and None for the machine's."""
        self.scopes = tuple(scopes)
        self._moments: list[float] = []
        self._left: dict[str | None, list[int]] = {scope: [] for scope in scopes}
        self._tracks: dict[int, _Process] = {}
        self.limits: dict[str | None, Limit] = {}
        """What was left at the last look; without those that are gone."""

    @property
    def looks(self) -> int:
        """How many are kept."""
        return len(self._moments)

    def look(self, procfs: Procfs, moment: float) -> None:
        """Take one look. Raises ImpossibleHere without /proc."""
        memcgs = Memcgs.of(procfs)
        limits = room_of(procfs, memcgs, self.scopes)
        self._read(procfs, self._pids(procfs, memcgs), moment)
        # Whatever interrupts this: until here no moment was added, so nothing is half seen.
        for scope in [scope for scope in self._left if scope not in limits]:
            del self._left[scope]
        self.scopes = tuple(self._left)
        self.limits = {scope: limits[scope] for scope in self._left}
        for scope, left in self._left.items():
            left.append(limits[scope].left_bytes)
        self._moments.append(moment)

    def thin(self) -> None:
        """Forget every other moment, but not the last."""
        kept = slice((len(self._moments) - 1) % 2, None, 2)
        self._moments = self._moments[kept]
        self._left = {scope: left[kept] for scope, left in self._left.items()}
        for process in self._tracks.values():
            process.keep(self._moments)

    def watched(self) -> Watched:
        """Return all that was seen."""
        tracks = {pid: Track(one.start_ticks, one.points[0][0], one.points) for pid, one in self._tracks.items()}
        return Watched(self._moments, self._left, tracks)

    def _pids(self, procfs: Procfs, memcgs: Memcgs | None) -> Iterable[int]:
        if None in self.scopes or memcgs is None:
            return procfs.pids()[0]
        found = {pid for scope in self.scopes if scope is not None for one in memcgs.members(scope) for pid in one.pids}
        return sorted(found)

    def _read(self, procfs: Procfs, pids: Iterable[int], moment: float) -> None:
        seen: dict[int, _Process] = {}
        with procfs.opened() as root:
            for pid in pids:
                process = self._tracks.get(pid) or _Process()
                try:
                    process.look(root, pid, moment, procfs.page_size)
                except (OSError, ValueError, IndexError):  # ended, hidden, or no text of a kernel
                    continue
                seen[pid] = process
        self._tracks = seen


class _Process:
    """What is known of one process."""

    __slots__ = ("_statm", "points", "start_ticks")

    def __init__(self) -> None:
        self._statm = b""
        self.start_ticks = 0
        self.points: list[tuple[float, Sizes]] = []

    def look(self, root: int, pid: int, moment: float, page_size: int) -> None:
        """Read it again. Raises OSError, ValueError or IndexError, and then nothing was seen."""
        statm = read_at(root, f"{pid}/statm", 256)
        if self.points and statm == self._statm:
            return
        sizes = _sizes(read_at(root, f"{pid}/status", 16384), page_size)
        if not self.points:
            self.start_ticks = int(split_stat(read_at(root, f"{pid}/stat", 2048))[1][STARTTIME])
        self._statm = statm
        self.points.append((moment, sizes))

    def keep(self, moments: Sequence[float]) -> None:
        """Keep of the points those that hold at one of ``moments``."""
        kept: list[tuple[float, Sizes]] = []
        for point in self.points:
            # The one before has held at no moment since, if none lies between them.
            if kept and not any(kept[-1][0] <= moment < point[0] for moment in moments):
                kept.pop()
            kept.append(point)
        self.points = kept


def _sizes(status: bytes, page_size: int) -> Sizes:
    found = {name: int(number) * 1024 // page_size for name, number in _SIZE.findall(status)}
    tables_and_swap = found.get(b"VmSwap", 0) + found.get(b"VmPTE", 0) + found.get(b"VmPMD", 0)
    # Before v4.5 nothing tells them apart.
    private = found.get(b"RssAnon", found.get(b"VmRSS", 0))
    return Sizes(private + tables_and_swap, found.get(b"RssShmem", 0), found.get(b"RssFile", 0))
