"""What a service says of itself: lines of key=value for the journal, and its state for systemd."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import sys
import time
from typing import TextIO

# sd-daemon(3)
ERROR, WARNING, NOTICE, INFO = 3, 4, 5, 6
_PLAIN = re.compile(r"[\w./:@+-]+", re.ASCII)
_MOST_A_SECOND = 20


class Log:
    """Lines on stderr: ``event=set pid=812 …``, with a priority in front where the journal reads them."""

    def __init__(self) -> None:
        self._prefixed = _is_journal(sys.stderr)
        self._second = 0
        self._said = 0
        self._unsaid = 0

    def say(self, priority: int, event: str, **fields: object) -> None:
        """Write one line to stderr: the event, then ``key=value`` for each field that is not None."""
        words = [f"event={event}", *(f"{key}={_value(value)}" for key, value in fields.items() if value is not None)]
        prefix = f"<{priority}>" if self._prefixed else ""
        # Whoever reads this may be gone, or nobody; the policy is to be kept all the same.
        with contextlib.suppress(OSError, ValueError):
            if sys.stderr is not None:
                sys.stderr.write(f"{prefix}{' '.join(words)}\n")
                sys.stderr.flush()

    def say_often(self, priority: int, event: str, **fields: object) -> None:
        """Like ``say``, for what may happen thousands of times a second: beyond some it is only counted."""
        second = int(time.monotonic())
        if second != self._second:
            self.say_rest()
            self._second, self._said = second, 0
        if self._said < _MOST_A_SECOND:
            self._said += 1
            self.say(priority, event, **fields)
        else:
            self._unsaid += 1

    def say_rest(self) -> None:
        """Say how many lines were only counted."""
        if self._unsaid:
            self.say(INFO, "more", lines=self._unsaid)
            self._unsaid = 0


def notify(state: str) -> None:
    """Tell systemd, if it asked to be told: ``READY=1``; see sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
        to.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)


def notify_reloading() -> None:
    """Tell systemd that a reload begins; ``READY=1`` ends it."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")


class KeepAlive:
    """Tells systemd that the service gets on, where the unit has ``WatchdogSec=``; see sd_watchdog_enabled(3)."""

    def __init__(self) -> None:
        microseconds = os.environ.get("WATCHDOG_USEC", "")
        is_for_us = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        asked = microseconds.isascii() and microseconds.isdigit() and len(microseconds) < 20 and is_for_us
        self._every_seconds = max(int(microseconds) / 4e6, 0.01) if asked else float("inf")
        self.due = time.monotonic() + self._every_seconds
        """When ``say`` is to be called again at the latest; ``time.monotonic()``."""

    def say(self) -> None:
        """Tell systemd that all is well, if it is time to."""
        now = time.monotonic()
        if now >= self.due:
            notify("WATCHDOG=1")
            self.due = now + self._every_seconds


def _is_journal(stream: TextIO | None) -> bool:
    """Whether this is the stream to the journal that systemd announced; None: it was closed at the start."""
    if stream is None:
        return False
    with contextlib.suppress(OSError):
        status = os.fstat(stream.fileno())
        return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
    return False


def _value(value: object) -> str:
    """Write a value as one word, or quoted; names of processes are hostile, so nothing but ASCII leaves."""
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
