"""Toy processes for the kernel to choose among; ``nursery.py`` is the program that makes them."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from tests.kernel_live.memcgs import ToyCgroup

_NUMBERS = itertools.count()
PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1 << 20


class Toy(NamedTuple):
    """What to start. Sizes come on top of what the interpreter itself has mapped (a few MiB)."""

    cgroup: ToyCgroup
    pages: int = 0
    """Private memory it touches."""
    file_pages: int = 0
    """Clean pages of a file on disk that it has mapped."""
    lazyfree_pages: int = 0
    """Private memory that it has touched and given to MADV_FREE."""
    adj: int = 0
    threads: int = 0
    """Besides the leader."""
    sharers: int = 0
    """Other processes on its memory map (CLONE_VM without CLONE_THREAD)."""
    vfork: bool = False
    """Waits for a vfork child that never execs."""
    zombie_leader: bool = False
    """The leader exits, its threads live on; needs ``threads``."""
    execs: bool = False
    """Becomes ``sleep``: a process of about 1 MiB."""
    children: tuple[Toy, ...] = ()
    inherits: bool = False
    """As a child: forked when its parent has touched its memory, which then counts for both."""
    grows_pages: int = 0
    """Grows by this much when poked."""
    writes_until_kill: ToyCgroup | None = None
    """Fills an unmapped file when poked, until somebody in that cgroup is killed: nobody's RSS moves."""
    name: str = "toy"

    def request(self) -> dict[str, Any]:
        """What the nursery is told."""
        watched = self.writes_until_kill
        return self._asdict() | {
            "cgroup": self.cgroup.path,
            "procs": str(self.cgroup.procs),
            "children": [child.request() for child in self.children],
            "writes_until_kill": watched is not None,
            "file": str(Path(tempfile.gettempdir(), f"toy-{next(_NUMBERS)}-{os.getpid()}")),
            "kill_counters": [] if watched is None else [str(path) for path in watched.kill_counters()],
        }


class Started(NamedTuple):
    """A toy at rest."""

    pid: int
    threads: tuple[int, ...]
    sharers: tuple[int, ...]
    vfork_child: int | None
    children: tuple[Started, ...]

    @classmethod
    def of(cls, report: dict[str, Any]) -> Started:
        children = tuple(cls.of(child) for child in report["children"])
        return cls(report["pid"], tuple(report["threads"]), tuple(report["sharers"]), report["vfork_child"], children)

    def processes(self) -> Iterator[int]:
        """It, who shares its memory, and its descendants."""
        yield self.pid
        yield from self.sharers
        if self.vfork_child is not None:
            yield self.vfork_child
        for child in self.children:
            yield from child.processes()

    def poke(self) -> None:
        """Make it do what it was prepared for."""
        os.kill(self.pid, signal.SIGUSR1)


class Nursery:
    """Starts toys from one warm interpreter; they end with it."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("nursery.py")
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for us: toys that die of it look like kills
        )

    def __enter__(self) -> Nursery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=60)

    def start(self, toy: Toy) -> Started:
        """Start a toy and what belongs to it; back when all of them rest."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(toy.request()) + "\n")
        self._process.stdin.flush()
        report = json.loads(self._process.stdout.readline() or '{"error": "the nursery is gone"}')
        if "error" in report:
            raise RuntimeError(f"a toy did not start: {report['error']}")
        return Started.of(report)


def is_alive(pid: int) -> bool:
    """Whether the process exists and is not a zombie without threads."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat[0] not in (b"Z", b"X") or int(stat[17]) > 1
