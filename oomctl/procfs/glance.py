"""A quick look at thousands of processes: only who can be among the worst is read, and only as far as that is open.

For kernels since v5.9. The kernel's own rounded ``oom_score`` is read of everybody. Beginning with the highest, details
follow until nobody is left who can still reach the worst of those that were found. Files are opened by path here: a
PID that is reused in between could mix two processes up, so whatever turns out to matter is read again, whole and
through one open directory.

A bound by ``statm`` and ``oom_score_adj`` would say less: page tables of a few scattered pages may weigh more than the
pages, and no small file tells them (3 pages of tables for each of the address space, at worst).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from heapq import heappush, heapreplace
from typing import Any, NamedTuple

from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN, most_badness
from oomctl.kernel.certainty import Precision, batch_pages, precision, reclaimable_pages
from oomctl.kernel.rules import Counters
from oomctl.kernel.selection import scan_order
from oomctl.model.kernel import Context, Task
from oomctl.procfs.opening import VANISHED
from oomctl.procfs.reader import Procfs
from oomctl.procfs.reading import read_at
from oomctl.procfs.statfiles import NUM_THREADS, RSS, START_BITS, STARTTIME, STATE, VSIZE, split_stat
from oomctl.procfs.workers import WORTH_A_WORKER, shared_numbers, shared_out

_PTE_AND_SWAP = re.compile(rb"\nVmPTE:\s*(\d+) kB\nVmSwap:\s*(\d+) kB")
_RSS_IN_STATUS = re.compile(rb"\nVmRSS:\s*(\d+) kB")
_MAPPED = re.compile(rb"\nRssFile:\s*(\d+) kB\nRssShmem:\s*(\d+) kB")
_TINY = (-998, -999)
"""With these an adj makes a process without memory score 0, by rounding; it can be chosen all the same."""
_LATEST = 1 << START_BITS
_NOBODY, _ANYBODY = -1 << 63, (1 << 63) - 1
"""A badness below any of a kernel, and one above."""
_NTH, _BEST = range(2)
_RSS_COUNTERS = 3  # of files, of anonymous pages, of shared memory

_Row = tuple[int, int, int, bytes, int, int, int, int, int, int, int, int, bool]
"""Badness, start time and PID first: in this order the kernel would take them, the last one first."""


class Glance(NamedTuple):
    """The processes that were looked at."""

    read: list[Task]
    """Those nearest to being first, in the kernel's scan order."""
    unread: int
    """The others that can be chosen."""
    unkillable: int
    """Seen to be spared, and not read."""
    hidden: int
    """Processes that exist but cannot be read from here."""


class _Scale(NamedTuple):
    """What turns the numbers of a process into its badness, and into the most and the least that it may have."""

    context: Context
    off: Precision
    totalpages: int
    page_kb: int
    swap_batch: int
    exact: bool
    """RSS counts as ``status`` has it."""
    status_below: int
    """Pages by which the RSS in ``status`` may be below the one in ``stat``, where that counts."""


class _Seen(NamedTuple):
    """What a worker found; it travels as a plain tuple."""

    rows: list[_Row]
    best: int
    """The badness that one of them has at least, whatever reclaim takes and counters hide."""
    whole: list[int]
    """PIDs that need a whole read: exited leaders, those that are just exiting, text that makes no sense."""
    candidates: int
    """Those that can be chosen, without ``whole``."""
    unkillable: int
    hidden: int


def glance(procfs: Procfs, count: int, context: Context, contenders: bool) -> Glance:
    """Return the ``count`` worst of all processes, and (``contenders``) all that may be the first of them.

    Those that end meanwhile are left out. Who is dying, who owns it and what its death would free stays unread.
    """
    scale = _scale(procfs, context)
    reach = scale.off.most if contenders else None
    bar = shared_numbers(2)
    bar[_NTH] = bar[_BEST] = _NOBODY
    look = partial(_Look, procfs, scale, count, reach, bar)
    ahead = procfs.scores_ahead()
    if ahead is None:
        pids, hidden = procfs.pids()
        seen = shared_out(lambda part: look().at(part), pids, procfs.workers)
    else:
        listed, hidden = ahead
        listed.sort(reverse=True)
        seen = shared_out(lambda part: look().at_scores(part), listed, _workers(listed, count, procfs.workers))
    parts = [_Seen(*part) for part in seen]
    best = max(part.best for part in parts)
    rows = _worst([row for part in parts for row in part.rows], best, count, reach)
    whole = procfs.tasks([pid for part in parts for pid in part.whole])
    return Glance(
        sorted([*map(_task, rows), *whole.read], key=scan_order),
        unread=sum(part.candidates for part in parts) - len(rows),
        unkillable=sum(part.unkillable for part in parts),
        hidden=hidden + whole.hidden + sum(part.hidden for part in parts),
    )


def _workers(listed: Sequence[tuple[int, int]], count: int, most: int) -> int:
    """Return how many to share ``listed`` among: those beyond the score of the ``count``-th will hardly be read."""
    last = listed[min(count, len(listed)) - 1][0] - 1 if listed else 0
    near = sum(score >= last for score, _ in listed)
    return most if near > WORTH_A_WORKER else 1


def _scale(procfs: Procfs, context: Context) -> _Scale:
    counters, cpus = procfs.rules.counters, procfs.cpus
    held = cpus * (batch_pages(cpus) - 1) if counters is Counters.PER_CPU_EXACT_STATUS else 0
    return _Scale(
        context,
        precision(counters, context),
        procfs.totalpages,
        procfs.page_size // 1024,
        procfs.swap_batch,
        exact=counters is Counters.EXACT,
        status_below=_RSS_COUNTERS * held,
    )


class _Look:
    """One worker's look at its part of the processes."""

    def __init__(
        self, procfs: Procfs, scale: _Scale, count: int, reach: int | None, bar: memoryview | list[int]
    ) -> None:
        self._procfs = procfs
        self._scale = scale
        self._count = count
        self._reach = reach
        self._bar = bar
        """What any worker has found: the badness of its ``count``-th, and the one that somebody has at least.

        Shared without a lock: what gets lost would have spared some reading.
        """
        self._worst: list[tuple[int, int, int]] = []
        """Badness, start time and PID of the ``count`` worst rows, the least of them first."""
        self.rows: list[_Row] = []
        self.best = _NOBODY
        self.whole: list[int] = []
        self.candidates = self.unkillable = self.hidden = 0

    def at(self, pids: Sequence[int]) -> tuple[Any, ...]:
        """Look at processes, beginning with the highest score; return what a ``_Seen`` is made of."""
        with self._procfs.opened() as root:
            listed, self.hidden = self._procfs.scores_of(root, pids)
        listed.sort(reverse=True)
        return self.at_scores(listed)

    def at_scores(self, listed: Sequence[tuple[int, int]]) -> tuple[Any, ...]:
        """As ``at``, where the scores are known, highest first."""
        with self._procfs.opened() as root:
            for number, (score, pid) in enumerate(listed):
                if score == 0 or not self._matters(self._most(score)):
                    self._count_others(listed[number:])
                    break
                self._at(root, pid, score)
        rows = _worst(self.rows, self.best, self._count, self._reach)
        return rows, self.best, self.whole, self.candidates, self.unkillable, self.hidden

    def _most(self, score: int) -> int:
        return most_badness(score, self._scale.totalpages) + self._scale.off.most

    def _at(self, root: int, pid: int, score: int) -> None:
        try:
            row = self._row(root, pid, score)
        except VANISHED:
            return
        except OSError:
            self.hidden += 1
        except (ValueError, IndexError):
            self.whole.append(pid)
        else:
            self.candidates += 1
            if row is not None:
                self._keep(row)

    def _count_others(self, listed: Sequence[tuple[int, int]]) -> None:
        """Count those that cannot matter; a score of 0 (formula of v5.9 and later) is that of who is not eligible."""
        zeros = [pid for score, pid in listed if score == 0]
        tiny = [pid for pid in zeros if self._procfs.adj(pid) in _TINY]
        self.whole += tiny
        self.unkillable += len(zeros) - len(tiny)
        self.candidates += len(listed) - len(zeros)

    def _matters(self, points: int, start: int = _LATEST, pid: int = 0) -> bool:
        """Whether who has so much at most may be among the worst, or be the first."""
        own = self._worst[0] if len(self._worst) >= self._count else None
        if points >= self._bar[_NTH] and (own is None or (points, start, pid) > own):
            return True
        return self._reach is not None and points + self._reach >= self._bar[_BEST]

    def _row(self, root: int, pid: int, score: int) -> _Row | None:
        """Return the details of a process, or None as soon as it turns out not to matter.

        Raises OSError, and ValueError or IndexError where a whole read has to find out what it is.
        """
        adj = int(read_at(root, f"{pid}/oom_score_adj", 16))
        status = read_at(root, f"{pid}/status", 16384)
        sizes, resident = _PTE_AND_SWAP.search(status), _RSS_IN_STATUS.search(status)
        if sizes is None or resident is None or not ADJ_MIN <= adj <= ADJ_MAX:
            raise ValueError("no memory")
        scale = self._scale
        rss, swap, pgtables = (int(size) // scale.page_kb for size in (resident[1], sizes[2], sizes[1]))
        swap -= swap % scale.swap_batch
        rest = swap + pgtables + adj * (scale.totalpages // 1000)
        if not self._matters(rest + rss + scale.status_below):
            return None
        comm, stat = split_stat(read_at(root, f"{pid}/stat", 2048))
        start, vsize = int(stat[STARTTIME]), int(stat[VSIZE])
        if not scale.exact:
            rss = int(stat[RSS])
        if (rss | swap | pgtables | vsize | score) >> 64 or start >> START_BITS:
            raise ValueError("no number of a kernel")
        if not self._matters(rest + rss, start, pid):
            return None
        mapped = _MAPPED.search(status)
        # All may be reclaimed, where it is not told.
        file, shmem = (int(mapped[1]) // scale.page_kb, int(mapped[2]) // scale.page_kb) if mapped else (rss, 0)
        running = stat[STATE] == b"R" or stat[NUM_THREADS] != b"1"
        return rest + rss, start, pid, comm, rss, swap, pgtables, adj, score, file, shmem, vsize, running

    def _keep(self, row: _Row) -> None:
        self.rows.append(row)
        if len(self._worst) < self._count:
            heappush(self._worst, row[:3])
        elif row[:3] > self._worst[0]:
            heapreplace(self._worst, row[:3])
        if len(self._worst) == self._count:
            self._raise_bar(_NTH, self._worst[0][0])
        points, rss, file, shmem = row[0], row[4], row[9], row[10]
        if points > self.best:
            taken = reclaimable_pages(rss, file, shmem, self._scale.context)
            off = self._scale.off
            self.best = max(self.best, points - off.most - (taken + off.taken if taken else 0))
            self._raise_bar(_BEST, self.best)

    def _raise_bar(self, which: int, points: int) -> None:
        if self._bar[which] < points <= _ANYBODY:
            self._bar[which] = points


def _worst(rows: list[_Row], best: int, count: int, reach: int | None) -> list[_Row]:
    """Keep what the whole choice can turn on: the part of a worker holds at least its share of it."""
    rows.sort(reverse=True)
    if reach is None:
        return rows[:count]
    return rows[:count] + [row for row in rows[count:] if row[0] >= best - reach]


def _task(row: _Row) -> Task:
    _, start, pid, comm, rss, swap, pgtables, adj, score, file, shmem, vsize, running = row
    return Task(
        pid,
        comm.decode(errors="replace"),
        rss_pages=rss,
        swap_pages=swap,
        pgtables_pages=pgtables,
        adj=adj,
        start_ticks=start,
        oom_score=score,
        file_pages=file,
        shmem_pages=shmem,
        vsize_bytes=vsize,
        running=running,
    )
