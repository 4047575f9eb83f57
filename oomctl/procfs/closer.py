"""A closer look at the few that may be first: which of their threads run, and what reclaim can take from the first.

What costs too much for everybody is read of them only; for the others the worst is assumed.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from oomctl.kernel.certainty import assess
from oomctl.kernel.selection import scan
from oomctl.model.kernel import Scenario, Task
from oomctl.procfs.evictable import evictable_pages, memory_holder
from oomctl.procfs.reader import Procfs
from oomctl.procfs.reading import pids_listed_at, read_at
from oomctl.procfs.reclaim import takes_huge_pages_apart
from oomctl.procfs.statfiles import STATE, stat_at, state_at

MOST_CONTENDERS = 50
MOST_THREADS = 2000
_LAZYFREE = re.compile(rb"\nLazyFree:\s*(\d{1,16}) kB")
_HUGE = re.compile(rb"\nAnonHugePages:\s*(\d{1,16}) kB")
_MOST_WALKED = 3
_IN_VFORK = {b"kernel_clone", b"wait_for_vfork_done", b"_do_fork", b"do_fork"}
"""Where a task in D waits until its child execs (``wchan``): it holds no lock."""


def closer_look(procfs: Procfs, scenario: Scenario, cgroups: Callable[[], frozenset[int]] | None = None) -> Scenario:
    """Return ``scenario`` with more exact facts of those that may be first; as it is where one is certain already.

    ``cgroups`` returns the inodes of the memory cgroup that is full, and of those below it; None: it is another memory.
    """
    context, rules = scenario.context, procfs.rules
    ranking = scan(scenario.tasks, context, rules).ranking
    contenders = assess(ranking, context, rules).contenders if ranking else ()
    if len(contenders) < 2:
        return scenario
    inodes = None if cgroups is None else cgroups()
    exact: dict[int, Task] = {}
    threads_left = MOST_THREADS
    for number, task in enumerate(contenders[:MOST_CONTENDERS]):
        found = task
        if task.running:
            running, looked_at = _running(procfs, task.pid, threads_left)
            threads_left -= looked_at
            found = found._replace(running=running)
        if number < _MOST_WALKED:
            found = _walked(procfs, found, bool(context.droppable_pages), inodes)
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


def _walked(procfs: Procfs, task: Task, droppable: bool, cgroups: frozenset[int] | None) -> Task:
    """Return ``task`` with what its page tables tell.

    They are walked under the lock of the memory map, which a task in D may hold for long: it is left alone.
    """
    if _may_hold_lock(procfs, task):
        return task
    if droppable:
        task = task._replace(droppable_pages=_droppable_pages(procfs, task))
    if cgroups is not None and (task.file_pages or task.shmem_pages):
        task = task._replace(evictable_pages=evictable_pages(procfs, task, cgroups))
    return task


def _may_hold_lock(procfs: Procfs, task: Task) -> bool:
    try:
        with procfs.open_task(task.pid) as directory:
            return state_at(directory) == "D" and read_at(directory, "wchan", 64) not in _IN_VFORK
    except OSError:
        return True


def _droppable_pages(procfs: Procfs, task: Task) -> int | None:
    """Return what ``smaps_rollup`` says of MADV_FREE, and of huge pages that may be split; None: it may not be read."""
    try:
        with procfs.open_task(task.pid) as directory:
            text = read_at(directory, memory_holder(task) + "smaps_rollup", 4096)
    except OSError:
        return None
    lazyfree, huge = _LAZYFREE.search(text), _HUGE.search(text)
    if lazyfree is None or huge is None:
        return None
    split = int(huge[1]) if takes_huge_pages_apart(procfs.page_size) else 0
    return (int(lazyfree[1]) + split) * 1024 // procfs.page_size
