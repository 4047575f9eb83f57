"""Long lists of processes are read by several processes, as many as there are CPUs."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from oomctl.procfs.helper import LOST, Helper

MOST_WORKERS = 8
WORTH_A_WORKER = 500
"""So many items take a worker longer than it takes to start it."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def shared_out(work: Callable[[Sequence[Item]], Result], items: Sequence[Item], cpus: int) -> list[Result]:
    """Return what ``work`` returns for each part of ``items``: one part, or one for each worker where those pay.

    ``work`` returns what a ``Helper`` can hand over. What a worker cannot do, as it was not to be started or was
    killed, is done here.
    """
    count = max(min(cpus, _cpus_allowed(), MOST_WORKERS, len(items) // WORTH_A_WORKER), 1)
    if threading.active_count() > 1:  # a lock that another thread holds would stay locked in a worker
        count = 1
    # What is alike stands side by side, so that each gets its share of it.
    first, *others = (items[number::count] for number in range(count))
    helpers: list[Helper | None] = []
    results: list[Result] = []
    try:
        for part in others:
            helpers.append(_started(work, part))
        results.append(work(first))
        for part in others:
            results.append(_result(helpers.pop(0), work, part))
    finally:
        for helper in filter(None, helpers):
            helper.stop()
    return results


def shared_numbers(count: int) -> memoryview | list[int]:
    """Return so many numbers of 64 bits that workers started later share, without a lock.

    Each has its own where there is no memory to share, or where such a number would be written in two steps.
    """
    import mmap

    if sys.maxsize >> 32:
        with suppress(OSError):
            return memoryview(mmap.mmap(-1, 8 * count)).cast("q")
    return [0] * count


def _cpus_allowed() -> int:
    return len(os.sched_getaffinity(0))


def _started(work: Callable[[Sequence[Item]], Result], part: Sequence[Item]) -> Helper | None:
    """Start a worker on its part; None where there is no memory for it, of all times, or no process allowed."""
    try:
        return Helper(lambda: work(part))
    except OSError:
        return None


def _result(helper: Helper | None, work: Callable[[Sequence[Item]], Result], part: Sequence[Item]) -> Result:
    if helper is None:
        return work(part)
    found: Result
    try:
        found = helper.result()
    except LOST:
        found = work(part)
    return found
