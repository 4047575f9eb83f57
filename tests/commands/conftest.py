from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.proc_tree import ProcTree

Sleeper = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def server(proc_tree: ProcTree) -> ProcTree:
    """A small server: one big process of a user, a database of two processes, and who can never be chosen."""
    proc_tree.add(1, "systemd", 300, score=0, uid=0, ppid=0)
    proc_tree.add(10, "postgres", 50_000, score=600, uid=0, adj=-100)
    proc_tree.add(11, "postgres", 20_000, score=679, uid=0, ppid=10)
    proc_tree.add(20, "java", 90_000, swap=256, score=726, uid=54321)
    proc_tree.add(30, "safe", 5_000, adj=-1000, score=0, uid=0)
    proc_tree.add_kthread(40)
    return proc_tree


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    """Starts harmless processes of our own, and ends them."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*argv: str, **how: object) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(argv or ("sleep", "60"), **how))  # type: ignore[call-overload]
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def adj_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())
