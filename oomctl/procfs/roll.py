"""The roll of all processes by two files of each: those with an unusual adj or a name asked for, and the largest.

Files are opened by path here: what turns out to matter has to be read again through one open directory.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any

from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN
from oomctl.model.audit import Enrolled, Roll
from oomctl.procfs.reader import Procfs
from oomctl.procfs.reading import read_at
from oomctl.procfs.statfiles import FLAGS, NUM_THREADS, PF_KTHREAD, PPID, RSS, STATE
from oomctl.procfs.workers import shared_out

_LARGEST = 5
_Row = tuple[Any, ...]


def roll(procfs: Procfs, wanted: Callable[[int], bool], names: Container[bytes], protected: int) -> Roll:
    """Return those whose adj is ``wanted`` or whose comm is in ``names``, by PID, and a few that hold the most RAM.

    Among the largest are none with an adj of ``protected`` or less, nor kernel threads, nor oomctl itself.
    """
    pids, _ = procfs.pids()
    parts = shared_out(lambda part: _read(procfs, part, wanted, names, protected), pids, procfs.workers)
    kept = [Enrolled(*row) for rows, _ in parts for row in rows]
    largest = sorted((Enrolled(*row) for _, rows in parts for row in rows), key=lambda one: -one.rss_pages)
    return Roll(tuple(sorted(kept)), tuple(largest[:_LARGEST]))


def _read(
    procfs: Procfs, pids: Sequence[int], wanted: Callable[[int], bool], names: Container[bytes], protected: int
) -> tuple[list[_Row], list[_Row]]:
    kept: list[_Row] = []
    largest: list[tuple[int, _Row]] = []
    least = 0
    with procfs.opened() as root:
        for pid in pids:
            try:
                adj = int(read_at(root, f"{pid}/oom_score_adj", 16))
                stat = read_at(root, f"{pid}/stat", 2048)
                start, end = stat.index(b"("), stat.rindex(b")")
                fields, comm = stat[end + 2 :].split(None, RSS + 1), stat[start + 1 : end]
                rss = int(fields[RSS])
                if not ADJ_MIN <= adj <= ADJ_MAX:
                    raise ValueError("no oom_score_adj")
                is_kept = wanted(adj) or comm in names
                if not (is_kept or rss > least) or pid == procfs.own_pid or int(fields[FLAGS]) & PF_KTHREAD:
                    continue
                row = _row(pid, adj, comm, fields)
            except (OSError, ValueError, IndexError):  # it has ended, or is hidden; the survey counts those
                continue
            if is_kept:
                kept.append(row)
            if rss > least and adj > protected:
                largest = sorted([*largest, (rss, row)], reverse=True)[:_LARGEST]
                least = largest[-1][0] if len(largest) == _LARGEST else 0
    return kept, [row for _, row in largest]


def _row(pid: int, adj: int, comm: bytes, fields: Sequence[bytes]) -> _Row:
    """Return what an ``Enrolled`` is made of."""
    is_zombie = fields[STATE] == b"Z" and fields[NUM_THREADS] == b"1"
    return pid, int(fields[PPID]), adj, max(int(fields[RSS]), 0), comm.decode(errors="replace"), is_zombie
