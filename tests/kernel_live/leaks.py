"""Processes that leak in a memory cgroup; ``leak.py`` is the program that each of them runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from tests.kernel_live.memcgs import ToyCgroup

_PROGRAM = Path(__file__).parents[1] / "vm" / "guest" / "leak.py"


class Leaker(NamedTuple):
    """One process, as ``leak.py`` is told."""

    kind: str
    rate_mib: float = 0.0
    size_mib: int = 0
    adj: int = 0


class Leaking(NamedTuple):
    """Leakers that have their size, and wait."""

    pids: tuple[int, ...]
    go: Callable[[], None]
    """Lets them grow."""


@contextmanager
def leaking(leakers: Sequence[Leaker], cgroup: ToyCgroup) -> Iterator[Leaking]:
    """Start all of them in ``cgroup``, and end them, but not what they have forked.

    They and what watches them go before others of a busy machine: what leaks by fits and starts is rightly unclear.
    """
    with _before_others(), ExitStack() as stack:
        processes = [stack.enter_context(_started(one, cgroup)) for one in leakers]

        def go() -> None:
            for process in processes:
                assert process.stdin is not None
                process.stdin.write(b"\n")

        yield Leaking(tuple(process.pid for process in processes), go)


@contextmanager
def _before_others() -> Iterator[None]:
    """Give this process, and with it all that it starts, the highest priority that there is without real time."""
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -20)
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, usual)


@contextmanager
def _started(one: Leaker, cgroup: ToyCgroup) -> Iterator[subprocess.Popen[bytes]]:
    words = [one.kind, str(one.rate_mib), str(cgroup.procs), str(one.size_mib), str(one.adj)]
    command = [sys.executable, "-I", "-S", str(_PROGRAM), *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline(), f"{one} did not start"
            yield process
        finally:
            process.kill()
