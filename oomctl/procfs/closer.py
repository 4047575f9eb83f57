"""A closer look at the few that may be first: which of their threads run, and what the first gave to MADV_FREE.

What costs too much for everybody is read of them only; for the others the worst is assumed.
"""

from __future__ import annotations

import re

from oomctl.kernel.certainty import assess
from oomctl.kernel.selection import scan
from oomctl.model.kernel import Scenario, Task
from oomctl.procfs.reader import Procfs
from oomctl.procfs.reading import pids_listed_at, read_at
from oomctl.procfs.statfiles import STATE, stat_at

MOST_CONTENDERS = 50
MOST_THREADS = 2000
_LAZYFREE = re.compile(rb"\nLazyFree:\s*(\d{1,16}) kB")
_MOST_ROLLED_UP = 3


def closer_look(procfs: Procfs, scenario: Scenario) -> Scenario:
    """Return ``scenario`` with more exact facts of those that may be first; as it is where one is certain already."""
    context, rules = scenario.context, procfs.rules
    ranking = scan(scenario.tasks, context, rules).ranking
    contenders = assess(ranking, context, rules).contenders if ranking else ()
    if len(contenders) < 2:
        return scenario
    exact: dict[int, Task] = {}
    threads_left = MOST_THREADS
    for number, task in enumerate(contenders[:MOST_CONTENDERS]):
        found = task
        if task.running:
            running, looked_at = _running(procfs, task.pid, threads_left)
            threads_left -= looked_at
            found = found._replace(running=running)
        if context.lazyfree_pages and number < _MOST_ROLLED_UP:
            found = found._replace(lazyfree_pages=_lazyfree_pages(procfs, task.pid))
        exact[task.pid] = found
    return scenario._replace(tasks=tuple(exact.get(task.pid, task) for task in scenario.tasks))


def _running(procfs: Procfs, pid: int, most: int) -> tuple[bool, int]:
    """Return whether a thread is on a CPU or waits for one, or may be, and how many threads were looked at."""
    looked_at = 0
    try:
        with procfs.open_task(pid) as directory:
            tids = pids_listed_at(directory, "task")
            if len(tids) > most:
                return True, 0
            for tid in tids:
                looked_at += 1
                if stat_at(directory, f"task/{tid}/stat")[1][STATE] == b"R":
                    return True, looked_at
    except (OSError, ValueError, IndexError):  # a thread has ended, so something goes on there
        return True, looked_at
    return False, looked_at


def _lazyfree_pages(procfs: Procfs, pid: int) -> int | None:
    """Return what ``smaps_rollup`` says of MADV_FREE; None where it may not be read, or would make the reader wait.

    It walks the page tables under the lock of the memory map, which a task in D may hold for long.
    """
    try:
        with procfs.open_task(pid) as directory:
            if stat_at(directory)[1][STATE] == b"D":
                return None
            found = _LAZYFREE.search(read_at(directory, "smaps_rollup", 4096))
    except (OSError, ValueError, IndexError):
        return None
    return int(found[1]) * 1024 // procfs.page_size if found else None
