"""``oom_score`` of everybody, again and again: the files stay open where that is cheap.

Reading an open one takes half of the time of opening, reading and closing it. But the kernel keeps 5 KiB for each, and
that on machines where memory is short: so only a small part of what is available is spent on it.
"""

from __future__ import annotations

import os
import resource
from contextlib import suppress

from oomctl.procfs.opening import READING, VANISHED
from oomctl.procfs.reader import Procfs, Score, Scores

HELD_BYTES = 5 << 10
"""What the kernel keeps for an open file of /proc that was read: 46 MiB of slab for 9,000 (Linux 6.18)."""
_PART_OF_AVAILABLE = 400
_SPARE_DESCRIPTORS = 64
_LONGEST = 16


class HeldScores:
    """Reads the scores of one machine."""

    def __init__(self) -> None:
        self._files: dict[int, int] = {}
        self._most = _most_descriptors()

    def read(self, procfs: Procfs) -> Scores:
        """Return what ``Procfs.scores`` does. Raises ImpossibleHere without /proc."""
        pids, hidden = procfs.pids()
        for pid in self._files.keys() - pids:
            self._forget(pid)
        room = min(self._most, procfs.meminfo.mem_available // _PART_OF_AVAILABLE // HELD_BYTES)
        while len(self._files) > room:
            os.close(self._files.popitem()[1])
        listed: list[Score] = []
        files, pread, own_pid = self._files, os.pread, procfs.own_pid
        with procfs.opened() as root:
            for pid in pids:
                try:
                    text = pread(files[pid], _LONGEST, 0) if pid in files else self._opened(root, pid, room)
                    if pid != own_pid:
                        listed.append(Score(int(text), pid))
                except VANISHED:
                    self._forget(pid)
                except (OSError, ValueError):  # not permitted, or no number
                    hidden += 1
        return Scores(listed, hidden)

    def _opened(self, root: int, pid: int, room: int) -> bytes:
        descriptor = os.open(f"{pid}/oom_score", READING, dir_fd=root)
        if len(self._files) < room:
            self._files[pid] = descriptor
            return os.pread(descriptor, _LONGEST, 0)
        try:
            return os.read(descriptor, _LONGEST)
        finally:
            os.close(descriptor)

    def _forget(self, pid: int) -> None:
        """Let go of one that ended; another one that has its PID is seen at the next look."""
        held = self._files.pop(pid, None)
        if held is not None:
            os.close(held)

    def close(self) -> None:
        """Let go of the files."""
        while self._files:
            os.close(self._files.popitem()[1])


def _most_descriptors() -> int:
    """Raise this process's limit as far as it may be, and return how many files may stay open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = max(soft, 1 << 16)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return max(soft - _SPARE_DESCRIPTORS, 0)
