"""The roll of all processes: who is there, whose child, with which adj; two files of each, by all CPUs.

Files are opened by path here: what turns out to matter has to be read again through one open directory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN
from oomctl.model.audit import Enrolled, Roll
from oomctl.procfs.opening import VANISHED
from oomctl.procfs.reader import Procfs
from oomctl.procfs.reading import read_at
from oomctl.procfs.statfiles import FLAGS, NUM_THREADS, PF_KTHREAD, PPID, RSS, STATE, split_stat
from oomctl.procfs.workers import shared_out


def roll(procfs: Procfs) -> Roll:
    """Return every process but oomctl's own and kernel threads, in the order of /proc."""
    pids, hidden = procfs.pids()
    parts = shared_out(lambda part: _read(procfs, part), pids, procfs.cpus)
    listed = [Enrolled(*fields) for rows, _ in parts for fields in rows]
    listed.sort()
    return Roll(tuple(listed), hidden + sum(unreadable for _, unreadable in parts))


def _read(procfs: Procfs, pids: Sequence[int]) -> tuple[list[tuple[Any, ...]], int]:
    read: list[tuple[Any, ...]] = []
    hidden = 0
    with procfs.opened() as root:
        for pid in pids:
            if pid == procfs.own_pid:
                continue
            try:
                row = _row(root, pid)
            except VANISHED:
                continue
            except (OSError, ValueError, IndexError):
                hidden += 1
                continue
            if row is not None:
                read.append(row)
    return read, hidden


def _row(root: int, pid: int) -> tuple[Any, ...] | None:
    """Return what an ``Enrolled`` is made of; None for a kernel thread."""
    comm, stat = split_stat(read_at(root, f"{pid}/stat", 2048))
    if int(stat[FLAGS]) & PF_KTHREAD:
        return None
    adj = int(read_at(root, f"{pid}/oom_score_adj", 16))
    if not ADJ_MIN <= adj <= ADJ_MAX:
        raise ValueError("no oom_score_adj")
    is_zombie = stat[STATE] == b"Z" and stat[NUM_THREADS] == b"1"
    return pid, int(stat[PPID]), adj, max(int(stat[RSS]), 0), comm.decode(errors="replace"), is_zombie
