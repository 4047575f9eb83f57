"""Logs that begin with their newest line, as ``journalctl -r`` and most web pages show them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from oomctl.oomlog.dates import apart_s
from oomctl.oomlog.prefix import split_prefix

LARGEST_HELD = 4 << 20
"""Bytes that are put in order at a time: many reports, or the table of 30,000 tasks."""
_MOST_OTHERS = 2
"""Blocks without words of a report after which no held one is open any more."""
_HEADER = b"invoked oom-killer:"
_STEPS = (
    ("invoked oom-killer", re.compile(r"()invoked oom-killer")),
    ("adj name", re.compile(r"()adj name")),
    ("oom-kill:", re.compile(r"oom-kill:.{0,4000}pid=(\d{1,10})")),
    ("ill process ", re.compile(r"[Kk]ill process (\d{1,10})")),
    ("illed process ", re.compile(r"Killed process (\d{1,10})")),
    ("oom_reaper: ", re.compile(r"reaped process (\d{1,10})")),
    ("no killable processes", re.compile(r"()no killable processes")),
    ("Kernel panic", re.compile(r"()Kernel panic - not syncing: .{0,80}memory")),
)
"""Lines of a report in the order in which the kernel prints them, with the PID that they name."""
_NAMES_VICTIM = 2
"""From this step on, the lines of one report name one PID."""


def newest_first(lines: Sequence[str]) -> bool | None:
    """Whether the lines with words of a report stand in the opposite order; None: these do not tell."""
    steps = [step for step in map(_step, lines) if step is not None]
    upwards = 0
    for (one, pid), (other, other_pid) in zip(steps, steps[1:]):
        of_one_kill = min(one, other) < _NAMES_VICTIM or pid == other_pid
        if one != other and of_one_kill:
            upwards += 1 if other > one else -1
    if upwards:
        return upwards < 0
    return _descending(lines)


def _step(line: str) -> tuple[int, str] | None:
    for number, (word, pattern) in enumerate(_STEPS):
        if word in line:
            match = pattern.search(line)
            if match is not None:
                return number, match[1]
    return None


def _descending(lines: Sequence[str]) -> bool | None:
    prefixes = [split_prefix(line) for line in lines]
    descending = None
    for one, other in zip(prefixes, prefixes[1:]):
        if one.uptime_s is not None and other.uptime_s is not None:
            apart: float | None = other.uptime_s - one.uptime_s
        else:
            apart = apart_s(one.time_text, other.time_text)
        if apart is not None and apart > 0:
            return False
        if apart is not None and apart < 0:
            descending = True
    return descending


class Reverser:
    """Holds blocks of a log that runs backwards, and gives them out the right way round, a few reports at a time."""

    def __init__(self) -> None:
        """Begin with nothing held."""
        self._held: list[bytes] = []
        self._size = self._others = 0

    @property
    def holds(self) -> bool:
        """Whether there is something that was not given out yet."""
        return bool(self._held)

    def add(self, block: bytes) -> bytes:
        """Take a block with words of a report; return what is complete, oldest first."""
        self._others = 0
        self._hold(block)
        if self._size <= LARGEST_HELD:
            return b""
        text = b"".join(self._held)
        # In this order a report ends with its header, behind which the next newest may begin.
        last = text.rfind(_HEADER)
        cut = text.find(b"\n", last) + 1 if last >= 0 else 0
        self._held, self._size = [], 0
        if cut:
            self._hold(text[cut:])
        return reversed_lines(text[: cut or len(text)])

    def add_other(self, block: bytes) -> bytes:
        """Take a block without words of a report; return what is complete, oldest first."""
        self._others += 1
        if self._others >= _MOST_OTHERS or self._size + len(block) > LARGEST_HELD:
            return self.close()
        self._hold(block)
        return b""

    def close(self) -> bytes:
        """Return what is held, oldest first."""
        text = b"".join(self._held)
        self._held, self._size, self._others = [], 0, 0
        return reversed_lines(text)

    def _hold(self, block: bytes) -> None:
        if block:
            self._held.append(block if block.endswith(b"\n") else block + b"\n")
            self._size += len(block)


def reversed_lines(block: bytes) -> bytes:
    """Return the lines in the opposite order."""
    lines = block.splitlines(keepends=True)
    lines.reverse()
    return b"".join(lines)
