"""What the kernel itself wrote about a kill: its victim and its table. A second reading of the log, on purpose."""

from __future__ import annotations

import errno
import os
import re
import select
import time
from types import TracebackType
from typing import NamedTuple

_SUMMARY = re.compile(r"oom-kill:constraint=.*,oom_memcg=(?P<memcg>.*),task_memcg=.*,pid=(?P<pid>\d+),uid=\d+$")
_KILLED = re.compile(r"Memory cgroup out of memory: Killed process (?P<pid>\d+) \(")
_HEADER = re.compile(r"\[ *pid *\] +uid +tgid .* name$")
_ROW = re.compile(r"\[ *\d+\] ")
_INVOKED = " invoked oom-killer: "
_GROUP = " are going to be killed due to memory.oom.group set"


class Row(NamedTuple):
    """One line of the kernel's table, by tgid."""

    tgid: int
    rss_pages: int
    pgtables_bytes: int
    swap_pages: int
    adj: int


class KernelKill(NamedTuple):
    """One report."""

    victim: int | None
    """The victim's tgid; None where the rate limit swallowed the report."""
    killed: tuple[int, ...]
    """Who has a `Killed process` line: the thread that holds the memory, not always the leader."""
    rows: tuple[Row, ...]
    """The table in the order of the scan; empty where the rate limit swallowed it."""


class KernelLog:
    """The kernel log from now on."""

    def __init__(self) -> None:
        self._fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.lseek(self._fd, 0, os.SEEK_END)
        self._new = select.poll()
        self._new.register(self._fd, select.POLLIN)
        self._lines: list[str] = []

    def __enter__(self) -> KernelLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._fd)

    def wait_for_kill(self, memcg: str, pids: frozenset[int], timeout_s: float = 60.0) -> KernelKill:
        """Return the first kill because of the limit of ``memcg``; ``pids`` are the ids of all its threads.

        A second one right after it is none of it: its report may lack all lines but the last (see `Pace`).

        Other kills of the machine are passed over. Raises TimeoutError when there is none.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            self._read(deadline)
            kill = parse(self._lines, memcg, pids)
            if kill is not None:
                return kill
        raise TimeoutError(f"nobody was killed in {memcg} within {timeout_s} s")

    def killed_so_far(self, pids: frozenset[int]) -> int:
        """How many `Killed process` lines there are by now about the threads ``pids``."""
        self._read(0)
        return sum((kill := _KILLED.search(line)) is not None and int(kill["pid"]) in pids for line in self._lines)

    def new_kills(self) -> int:
        """How many processes, of whatever cgroup, were killed since this was last asked."""
        self._read(0)
        kills = sum(_KILLED.search(line) is not None for line in self._lines)
        self._lines.clear()
        return kills

    def _read(self, deadline: float) -> None:
        self._new.poll(max(deadline - time.monotonic(), 0) * 1000)  # select() takes no descriptor above 1023
        while True:
            try:
                record = os.read(self._fd, 8192)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.EPIPE:  # EPIPE: the ring buffer overtook us; go on with what is left
                    raise
                continue
            self._lines.append(record.decode(errors="replace").split("\n", 1)[0].partition(";")[2])


def parse(lines: list[str], memcg: str, pids: frozenset[int]) -> KernelKill | None:
    """Find the first complete report about ``memcg`` in the messages ``lines``."""
    columns: list[str] = []
    rows: list[Row] = []
    victim: int | None = None
    killed: list[int] = []
    group = False
    for line in lines:
        if _INVOKED in line:
            if killed:
                break
            columns, rows, victim, group = [], [], None, False
        elif _GROUP in line:
            group = True
        elif _HEADER.match(line):
            columns = re.sub(r"\[ *pid *\]", "pid", line).split()
        elif columns and _ROW.match(line):
            rows.append(_row(columns, line))
        elif summary := _SUMMARY.search(line):
            victim = int(summary["pid"]) if summary["memcg"] == memcg else None
        elif (kill := _KILLED.search(line)) and int(kill["pid"]) in pids and (group or not killed):
            killed.append(int(kill["pid"]))
    return KernelKill(victim, tuple(killed), tuple(rows) if victim is not None else ()) if killed else None


def _row(columns: list[str], line: str) -> Row:
    numbers = map(int, re.sub(r"[\[\]]", " ", line).split(None, len(columns) - 1)[:-1])
    value = dict(zip(columns, numbers))
    return Row(value["tgid"], value["rss"], value["pgtables_bytes"], value["swapents"], value["oom_score_adj"])
