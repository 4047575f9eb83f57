"""Long lists of processes are read by several processes, as many as there are CPUs."""

from __future__ import annotations

import marshal
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

MOST_WORKERS = 8
WORTH_A_WORKER = 500
"""So many items take a worker longer than it takes to start it."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Worker(NamedTuple):
    pid: int
    results: int
    """A pipe's end."""


def shared_out(work: Callable[[Sequence[Item]], Result], items: Sequence[Item], cpus: int) -> list[Result]:
    """Return what ``work`` returns for each part of ``items``: one part, or one for each worker where those pay.

    ``work`` returns plain lists, tuples, numbers and bytes: marshal carries them from one process to the other. What a
    worker cannot do, as it was not to be started or was killed, is done here.
    """
    count = max(min(cpus, _cpus_allowed(), MOST_WORKERS, len(items) // WORTH_A_WORKER), 1)
    if threading.active_count() > 1:  # a lock that another thread holds would stay locked in a worker
        count = 1
    # What is alike stands side by side, so that each gets its share of it.
    first, *others = (items[number::count] for number in range(count))
    workers: list[_Worker | None] = []
    try:
        for part in others:
            workers.append(_started(work, part))
        found = [work(first)]
        found += [_result(work, part, worker) for part, worker in zip(others, workers, strict=True)]
    finally:
        for worker in filter(None, workers):
            os.close(worker.results)  # one that is still writing ends by that
            os.waitpid(worker.pid, 0)
    return found


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


def _started(work: Callable[[Sequence[Item]], Result], part: Sequence[Item]) -> _Worker | None:
    """Start a worker on its part; None where there is no memory for it, of all times, or no process allowed."""
    try:
        source, sink = os.pipe()
    except OSError:
        return None
    try:
        pid = os.fork()
    except OSError:
        os.close(source)
        os.close(sink)
        return None
    if pid:
        os.close(sink)
        return _Worker(pid, source)
    with suppress(BaseException), os.fdopen(sink, "wb") as results:
        os.close(source)
        plain: Any = work(part)
        results.write(marshal.dumps(plain))
    os._exit(0)


def _result(work: Callable[[Sequence[Item]], Result], part: Sequence[Item], worker: _Worker | None) -> Result:
    if worker is None:
        return work(part)
    with os.fdopen(worker.results, "rb", closefd=False) as results:
        text = results.read()
    found: Result
    try:
        found = marshal.loads(text)  # noqa: S302 - from our own process
    except (EOFError, ValueError, TypeError):  # it may have been killed, at any byte: memory is what this is about
        found = work(part)
    return found
