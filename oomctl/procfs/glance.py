"""A quick look at thousands of processes: only what badness is made of.

For kernels since v5.9, and for processes whose score is known and not 0. Files are opened by path here:
a PID that is reused in between could mix two processes up, so whatever turns out to matter is read again,
whole and through one open directory.

Measured on Linux 6.18: 16 µs of CPU time for each of 1,600 processes, where reading them whole takes 31 µs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN
from oomctl.kernel.certainty import Precision, precision, reclaimable_pages
from oomctl.kernel.rules import Counters
from oomctl.kernel.selection import scan_order
from oomctl.model.kernel import Context, Task
from oomctl.procfs.halves import by_halves
from oomctl.procfs.reader import Procfs, Score, Tasks
from oomctl.procfs.reading import VANISHED, read_at
from oomctl.procfs.statfiles import NUM_THREADS, RSS, START_BITS, STARTTIME, STATE, VSIZE, split_stat

_PTE_AND_SWAP = re.compile(rb"\nVmPTE:\s*(\d+) kB\nVmSwap:\s*(\d+) kB")
_RSS_IN_STATUS = re.compile(rb"\nVmRSS:\s*(\d+) kB")
_MAPPED = re.compile(rb"\nRssFile:\s*(\d+) kB\nRssShmem:\s*(\d+) kB")

_Row = tuple[int, int, int, bytes, int, int, int, int, int, int, int, int, bool]
"""Badness, start time and PID first: in this order the kernel would take them, the last one first."""
_NOBODY = -1 << 80
"""A badness below any."""


class _Scale(NamedTuple):
    """What turns the numbers of a process into its badness, and into the least that it may have."""

    context: Context
    off: Precision
    pages_per_adj: int
    page_kb: int
    swap_batch: int
    exact: bool


_Seen = tuple[list[_Row], int, list[int], int]
"""What a worker found: rows; the badness that one of them has at least, whatever reclaim takes and counters hide; PIDs
that need a whole read (exited leaders, those that are just exiting, text that makes no sense); how many are hidden."""


def glance(procfs: Procfs, scores: Sequence[Score], count: int, context: Context, contenders: bool) -> Tasks:
    """Return the ``count`` worst of ``scores``, and (``contenders``) all that may be the first of them.

    Those that end meanwhile are left out. Who is dying, who owns it and what its death would free stays unread.
    """
    counters = procfs.rules.counters
    off = precision(counters, context)
    page_kb = procfs.page_size // 1024
    exact = counters is Counters.EXACT
    scale = _Scale(context, off, procfs.totalpages // 1000, page_kb, procfs.swap_batch, exact)
    reach = off.most if contenders else None
    parts = by_halves(lambda half: _seen(procfs, half, scale, count, reach), scores, procfs.cpus)
    best = max(best for _, best, _, _ in parts)
    seen = _worst([row for rows, _, _, _ in parts for row in rows], best, count, reach)
    exited = procfs.tasks([pid for _, _, whole, _ in parts for pid in whole])
    tasks = [*map(_task, seen), *exited.read]
    tasks.sort(key=scan_order)
    return Tasks(tasks, exited.hidden + sum(hidden for _, _, _, hidden in parts))


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


def _seen(procfs: Procfs, scores: Sequence[Score], scale: _Scale, count: int, reach: int | None) -> _Seen:
    rows: list[_Row] = []
    whole: list[int] = []
    hidden = 0
    best = _NOBODY
    prefix = procfs.root + "/"
    context, off, pages_per_adj, page_kb, batch, exact = scale
    for score, pid in scores:
        base = prefix + str(pid)
        try:
            comm, fields = split_stat(read_at(None, base + "/stat", 2048))
            status = read_at(None, base + "/status", 16384)
            adj = int(read_at(None, base + "/oom_score_adj", 16))
            sizes = _PTE_AND_SWAP.search(status)
            if sizes is None:
                whole.append(pid)
                continue
            if exact:
                resident = _RSS_IN_STATUS.search(status)
                rss = int(resident[1]) // page_kb if resident else 0
            else:
                rss = int(fields[RSS])
            swap, pgtables = int(sizes[2]) // page_kb, int(sizes[1]) // page_kb
            start, vsize = int(fields[STARTTIME]), int(fields[VSIZE])
        except VANISHED:
            continue
        except OSError:
            hidden += 1
            continue
        except (ValueError, IndexError):
            whole.append(pid)
            continue
        swap -= swap % batch
        points = rss + swap + pgtables + adj * pages_per_adj
        if (rss | swap | pgtables | vsize | score) >> 64 or start >> START_BITS or not ADJ_MIN <= adj <= ADJ_MAX:
            whole.append(pid)
            continue
        file, shmem = rss, 0  # all may be reclaimed, where it makes no difference
        if points > best:
            mapped = _MAPPED.search(status)
            if mapped is not None:
                file, shmem = int(mapped[1]) // page_kb, int(mapped[2]) // page_kb
            taken = reclaimable_pages(rss, file, shmem, context)
            best = max(best, points - off.most - (taken + off.taken if taken else 0))
        running = fields[STATE] == b"R" or fields[NUM_THREADS] != b"1"
        rows.append((points, start, pid, comm, rss, swap, pgtables, adj, score, file, shmem, vsize, running))
    return _worst(rows, best, count, reach), best, whole, hidden


def _worst(rows: list[_Row], best: int, count: int, reach: int | None) -> list[_Row]:
    """Keep what the whole choice can turn on: the part of a worker holds at least its share of it."""
    rows.sort(reverse=True)
    if reach is None:
        return rows[:count]
    return rows[:count] + [row for row in rows[count:] if row[0] >= best - reach]
