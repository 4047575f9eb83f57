"""Long lists of processes are read by two processes, where there are two CPUs.

It pays while both have nothing else to do. Measured on Linux 6.18 with 5,200 processes and two CPUs that were busy
with other things, it won nothing: the quick look took 245 ms by one process and 241 ms by two (lower quartiles), the
scores 96 and 100 ms, for 6 % more CPU time.
"""

from __future__ import annotations

import contextlib
import marshal
import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

_WORTH_A_SECOND_CPU = 1000

Item = TypeVar("Item")
Result = TypeVar("Result")


def by_halves(work: Callable[[Sequence[Item]], Result], items: Sequence[Item], cpus: int) -> list[Result]:
    """Return ``work(items)``, or what it returns for each half where a second process pays.

    ``work`` returns plain lists, tuples, numbers and bytes: marshal carries them from one process to the other.
    """
    if cpus < 2 or len(items) < _WORTH_A_SECOND_CPU:
        return [work(items)]
    half = len(items) // 2
    source, sink = os.pipe()
    try:
        helper = os.fork()
    except OSError:  # no memory for it, of all times
        os.close(source)
        os.close(sink)
        return [work(items)]
    if helper == 0:
        with contextlib.suppress(BaseException), os.fdopen(sink, "wb") as results:
            plain: Any = work(items[half:])
            results.write(marshal.dumps(plain))
        os._exit(0)
    os.close(sink)
    with os.fdopen(source, "rb") as results:
        try:
            first = work(items[:half])
            text = results.read()
        finally:
            results.close()
            os.waitpid(helper, 0)
    second: Result
    try:
        second = marshal.loads(text)  # noqa: S302 - from our own process
    except (EOFError, ValueError, TypeError):  # it may have been killed, at any byte: memory is what this is about
        second = work(items[half:])
    return [first, second]
