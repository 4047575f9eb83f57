"""A quick look at thousands of processes: only what badness is made of.

For kernels since v5.9, and for processes whose score is known and not 0. Files are opened by path here:
a PID that is reused in between could mix two processes up, so whatever turns out to matter is read again,
whole and through one open directory.

Measured on Linux 6.18: 16 µs of CPU time for each of 1,600 processes, where reading them whole takes 31 µs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN
from oomctl.kernel.rules import Counters
from oomctl.kernel.selection import scan_order
from oomctl.model.kernel import Task
from oomctl.procfs.halves import by_halves
from oomctl.procfs.reader import Procfs, Score, Tasks
from oomctl.procfs.reading import VANISHED, read_at
from oomctl.procfs.statfiles import RSS, START_BITS, STARTTIME, STATE, VSIZE, split_stat

_PTE_AND_SWAP = re.compile(rb"\nVmPTE:\s*(\d+) kB\nVmSwap:\s*(\d+) kB")
_RSS_IN_STATUS = re.compile(rb"\nVmRSS:\s*(\d+) kB")


_Row = tuple[int, int, int, bytes, int, int, int, int, int, int, bool]
"""Badness, start time and PID first: in this order the kernel would take them, the last one first."""


def glance(procfs: Procfs, scores: Sequence[Score], count: int, reach_pages: int | None) -> Tasks:
    """Return the ``count`` worst of ``scores``, and all within ``reach_pages`` of the worst (None: nobody else).

    Those that end meanwhile are left out. Who is dying, who owns it and what its death would free stays unread.
    """
    parts = by_halves(lambda half: _seen(procfs, half, count, reach_pages), scores, procfs.cpus)
    seen = _worst([row for rows, _, _ in parts for row in rows], count, reach_pages)
    tasks = [
        Task(
            pid,
            comm.decode(errors="replace"),
            rss_pages=rss,
            swap_pages=swap,
            pgtables_pages=pgtables,
            adj=adj,
            start_ticks=start,
            oom_score=score,
            vsize_bytes=vsize,
            running=running,
        )
        for _, start, pid, comm, rss, swap, pgtables, adj, score, vsize, running in seen
    ]
    exited = procfs.tasks([pid for _, whole, _ in parts for pid in whole])
    tasks += exited.read
    tasks.sort(key=scan_order)
    return Tasks(tasks, exited.hidden + sum(hidden for _, _, hidden in parts))


def _seen(
    procfs: Procfs, scores: Sequence[Score], count: int, reach_pages: int | None
) -> tuple[list[_Row], list[int], int]:
    """Return rows, the PIDs that need a whole read, and how many are hidden.

    Whole reads are for exited leaders, those that are just exiting, and text that makes no sense.
    """
    rows: list[_Row] = []
    whole: list[int] = []
    hidden = 0
    prefix, page_kb, batch = procfs.root + "/", procfs.page_size // 1024, procfs.swap_batch
    pages_per_adj = procfs.totalpages // 1000
    exact = procfs.rules.counters is Counters.EXACT
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
        rows.append((points, start, pid, comm, rss, swap, pgtables, adj, score, vsize, fields[STATE] == b"R"))
    return _worst(rows, count, reach_pages), whole, hidden


def _worst(rows: list[_Row], count: int, reach_pages: int | None) -> list[_Row]:
    """Keep what the whole choice can turn on: the part of a worker holds at least its share of it."""
    rows.sort(reverse=True)
    if reach_pages is None:
        return rows[:count]
    return rows[:count] + [row for row in rows[count:] if rows[0][0] - row[0] <= reach_pages]
