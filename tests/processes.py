"""Real processes of our own: harmless, named as a test wants them, and what the kernel has about them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Sleeper = Callable[..., "subprocess.Popen[bytes]"]
"""The fixture ``sleeper``: a command (else ``sleep 60``) and the keywords of Popen to a process."""
_TOY = "import sys, time; open('/proc/self/comm', 'w').write(sys.argv[1]); print(flush=True); time.sleep(600)"


@contextmanager
def sleepers() -> Iterator[Sleeper]:
    """Start harmless processes, and end them."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*argv: str, **how: object) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(argv or ("sleep", "60"), **how))  # type: ignore[call-overload]
        return started[-1]

    try:
        yield start
    finally:
        for process in started:
            process.kill()
            process.wait()


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
