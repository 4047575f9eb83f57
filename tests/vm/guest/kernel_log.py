"""The kernel's own account of its kills, read from /dev/kmsg without oomctl's help."""

from __future__ import annotations

import os
import re
import time
from collections import deque
from typing import NamedTuple

_KILLED = re.compile(r"Killed process (\d+) ")
_SUMMARY = re.compile(r"oom-kill:constraint=CONSTRAINT_(\w+),.*,pid=(\d+),uid=\d+$")
_GROUP = "are going to be killed due to memory.oom.group set"
_CONSTRAINTS = {"NONE": "none", "MEMCG": "memcg", "CPUSET": "cpuset", "MEMORY_POLICY": "mempolicy"}
_ROW = re.compile(r"\[ *\d+\]")
_ENDS_WITHOUT_VICTIM = ("no killable processes", "OOM request ignored")
_PRINTED, _PRINTED_SECONDS = 10, 5.0
"""So many reports in so much time and no more (``oom_rs`` in mm/oom_kill.c)."""


class Kill(NamedTuple):
    """One report. ``pids`` are those of the thread groups that were sent SIGKILL, the victim first."""

    pids: list[int]
    later: list[int]
    """Who was killed by reports that came before anybody looked."""
    constraint: str | None
    """By the name that oomctl has for it; None where the rate limit swallowed the report."""
    rows: dict[int, list[int]]
    """By tgid: total_vm, rss, …, pgtables_bytes, swapents, oom_score_adj as the kernel's table has them."""
    columns: list[str]
    text: list[str]


class KernelLog:
    def __init__(self) -> None:
        self._fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self._fd, 0, os.SEEK_END)
        self._waiting: list[str] = []
        self._killed_at: deque[float] = deque(maxlen=_PRINTED // 2)

    def await_room_for_a_report(self) -> None:
        """Wait until the kernel prints the next report whole, and some for further victims."""
        if len(self._killed_at) == self._killed_at.maxlen:
            time.sleep(max(0.0, self._killed_at[0] + _PRINTED_SECONDS - time.monotonic()))

    def skip(self) -> None:
        """Forget everything until now."""
        self._waiting += self._read()
        self._waiting.clear()

    def kill(self, seconds: float, groups: bool = False) -> Kill | None:
        """Wait for the next report; None when none comes, or when the kernel found nobody.

        With ``groups``, wait on until the log is still: the rest of the cgroup is killed with the victim.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._waiting += self._read()
            if any(_KILLED.search(line) for line in self._waiting):
                while groups:
                    time.sleep(0.5)
                    more = self._read()
                    self._waiting += more
                    groups = bool(more)
                lines, self._waiting = self._waiting, []
                return _parsed(lines)
            if any(words in line for line in self._waiting for words in _ENDS_WITHOUT_VICTIM):
                self._waiting.clear()
                return None
            time.sleep(0.01)
        return None

    def killed_since(self) -> set[int]:
        """Whom the kernel killed after the report that was read last."""
        self._waiting += self._read()
        return {int(found[1]) for line in self._waiting if (found := _KILLED.search(line))}

    def _read(self) -> list[str]:
        lines: list[str] = []
        while True:
            try:
                record = os.read(self._fd, 8192).decode(errors="replace")
            except BlockingIOError:
                return lines
            except BrokenPipeError:
                continue  # overrun: the oldest are gone
            lines.append(record.partition(";")[2].splitlines()[0])
            if _KILLED.search(lines[-1]):
                self._killed_at.append(time.monotonic())


def _parsed(lines: list[str]) -> Kill:
    """Take the first report of ``lines``: who dies in it, and who died by later ones meanwhile."""
    pids: list[int] = []
    later: list[int] = []
    constraint: str | None = None
    chosen: int | None = None
    rows: dict[int, list[int]] = {}
    columns: list[str] = []
    group = further = False
    for line in lines:
        summary = _SUMMARY.search(line)
        killed = _KILLED.search(line)
        if pids and (further or (killed and not group) or "invoked oom-killer" in line):
            further = True
            later += [int(killed[1])] if killed else []
        elif _GROUP in line:
            group = True
        elif line.startswith("[  pid  ]"):
            columns = line.replace("[  pid  ]", "").split()[:-1]
        elif columns and _ROW.match(line):
            numbers = [int(number) for number in line.partition("]")[2].split()[: len(columns)]]
            rows[numbers[1]] = numbers
        elif summary:
            constraint, chosen = _CONSTRAINTS.get(summary[1], summary[1]), int(summary[2])
        elif killed:
            pids.append(int(killed[1]))
    # The first line may name a thread of the victim; the summary names the thread group.
    if chosen is not None and pids:
        pids[0] = chosen
    return Kill(pids, later, constraint, rows, columns, lines)
