"""oomctl on a terminal: a pseudo-terminal of the kernel's, keys in, everything written to it out."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.commands.invoke import OOMCTL, ROOT

PATIENCE_S = 60.0
"""For a machine that is busy with other things; nothing waits that long unless something is broken."""


class Terminal:
    """A terminal with a program in it."""

    def __init__(self, columns: int, lines: int) -> None:
        self._ours, self._theirs = pty.openpty()
        self.resize(columns, lines)
        self._started: list[subprocess.Popen[bytes]] = []
        self.written = ""
        self.settings_before = self.settings()

    def start(self, *argv: str, program: Sequence[str] = OOMCTL, **env: str) -> subprocess.Popen[bytes]:
        whole = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
        whole |= {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **env}
        process = subprocess.Popen(
            [*program, *argv],
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            env=whole,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - Ctrl-C becomes a signal
        )
        self._started.append(process)
        return process

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def settings(self) -> list[Any]:
        return termios.tcgetattr(self._theirs)

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def wait_for(self, is_there: Callable[[str], object]) -> str:
        """Read until ``is_there`` is true of what was written since the last call; return that."""
        since = len(self.written)
        deadline = time.monotonic() + PATIENCE_S
        while not is_there(self.written[since:]):
            assert time.monotonic() < deadline, f"it never came: {self.written[since:]!r}"
            self._read(0.1)
        return self.written[since:]

    def ended(self, process: subprocess.Popen[bytes]) -> int:
        """Wait for the program, and take what it still writes."""
        deadline = time.monotonic() + PATIENCE_S
        while process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end: {self.written[-2000:]!r}"
            self._read(0.05)
        self._read(0)
        return process.returncode

    def hang_up(self) -> None:
        """Let the terminal go away, as a closed window or a lost connection does."""
        os.close(self._theirs)
        os.close(self._ours)

    def close(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.wait()
        os.close(self._ours)
        os.close(self._theirs)

    def _read(self, seconds: float) -> None:
        while select.select([self._ours], [], [], seconds)[0]:
            self.written += os.read(self._ours, 1 << 16).decode(errors="replace")
            seconds = 0


@contextmanager
def terminal(columns: int = 100, lines: int = 24) -> Iterator[Terminal]:
    opened = Terminal(columns, lines)
    try:
        yield opened
    finally:
        opened.close()


def without_sequences(text: str) -> str:
    """Return what a terminal would print of ``text``, without colours and movements."""
    return re.sub(r"\x1b(\[[0-?]*[ -/]*[@-~]|\].*?(\x07|\x1b\\)|[()][0-9A-B]|[=>78cM])", "", text)
