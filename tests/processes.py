"""Real processes of our own: harmless, named as a test wants them, and what the kernel has about them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Sleeper = Callable[..., "subprocess.Popen[bytes]"]
"""The fixture ``sleeper``: a command (else ``sleep 60``) and the keywords of Popen to a process."""
_PATIENCE_S = 60.0
_CLONE_VM = 0x100  # include/uapi/linux/sched.h
_TOY = "import sys, time; open('/proc/self/comm', 'w').write(sys.argv[1]); print(flush=True); time.sleep(600)"


@contextmanager
def sleepers() -> Iterator[Sleeper]:
    """Start harmless processes, and end them."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*argv: str, **how: object) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(argv or ("sleep", "60"), **how))  # type: ignore[call-overload]
        if argv[:1] == ("setpriv",):
            _become(started[-1].pid, "setpriv")
        return started[-1]

    try:
        yield start
    finally:
        for process in started:
            process.kill()
            process.wait()


def _become(pid: int, before: str) -> None:
    """Wait until a process is the command behind ``before``, and with that somebody else's."""
    deadline = time.monotonic() + _PATIENCE_S
    while Path(f"/proc/{pid}/comm").read_text() == f"{before}\n":
        assert time.monotonic() < deadline, f"{pid} is still {before}"
        time.sleep(0.002)


def toy(start: Sleeper, name: str) -> int:
    """Start a process that calls itself ``name``; return its PID."""
    return ready(start(sys.executable, "-c", _TOY, name, stdout=subprocess.PIPE))


def ready(process: subprocess.Popen[bytes]) -> int:
    """Wait until the process has printed a line; return its PID."""
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()
    return process.pid


def adj_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


# Prints the PID of a second process on its memory map, and then both wait to be killed.
_TWO_ON_ONE_MAP = f"""
import ctypes, signal
libc = ctypes.CDLL(None)
stack = ctypes.create_string_buffer(1 << 16)
top = (ctypes.addressof(stack) + (1 << 16)) & ~15
pause = ctypes.cast(libc.pause, ctypes.c_void_p)
print(libc.clone(pause, ctypes.c_void_p(top), {_CLONE_VM} | signal.SIGCHLD, None), flush=True)
signal.pause()
"""


@contextmanager
def two_on_one_map() -> Iterator[tuple[int, int]]:
    """Give the PIDs of two processes on one memory map."""
    with subprocess.Popen([sys.executable, "-c", _TWO_ON_ONE_MAP], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        other = int(process.stdout.readline())
        try:
            yield process.pid, other
        finally:
            ended(other)
            ended(process.pid)


def ended(pid: int) -> None:
    """Kill a process that may have ended already."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
