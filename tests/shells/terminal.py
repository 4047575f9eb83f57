"""A pseudo-terminal with a real shell in it: keys go in, a screen comes out.

Nothing here waits for a while: it waits for what must appear, and gives up only after a long time.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pyte

ROWS, COLUMNS = 50, 110
PATIENCE_S = 60
TAB = "\t"
PROMPT = "READY>"


class Terminal:
    def __init__(self, command: Sequence[str], env: Mapping[str, str], cwd: Path) -> None:
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self._keys, shell = os.openpty()
        fcntl.ioctl(shell, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._shell = subprocess.Popen(
            ["setsid", "--ctty", *command], stdin=shell, stdout=shell, stderr=shell, env=dict(env), cwd=cwd
        )
        os.close(shell)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shell.kill()
        self._shell.wait()
        os.close(self._keys)

    def type(self, keys: str) -> None:
        os.write(self._keys, keys.encode())

    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def line(self) -> str:
        """The line with the cursor, up to the cursor, without the prompt."""
        return self._screen.display[self._screen.cursor.y][: self._screen.cursor.x].partition(f"{PROMPT} ")[2]

    def wait_for(self, *texts: str) -> str:
        """Wait until all ``texts`` are on the screen; return it."""
        self.wait_until(lambda: all(text in self.text() for text in texts), f"{texts} on the screen")
        return self.text()

    def wait_for_line(self, line: str) -> None:
        """Wait until exactly ``line`` stands between the prompt and the cursor."""
        self.wait_until(lambda: self.line() == line, f"the line {line!r}")

    def wait_for_prompts(self, number: int) -> None:
        self.wait_until(lambda: self.text().count(PROMPT) >= number, f"{number} prompts")

    def wait_until(self, arrived: Callable[[], bool], what: str) -> None:
        """Wait until ``arrived``; it is asked again whenever the shell has written something."""
        deadline = time.monotonic() + PATIENCE_S
        while not arrived():
            left = deadline - time.monotonic()
            if left <= 0 or not self._read(left):
                raise AssertionError(f"waited in vain for {what}; the cursor's line is {self.line()!r}:\n{self.text()}")

    def _read(self, seconds: float) -> bool:
        """Read what the shell wrote; False when it wrote nothing for so long, or has ended."""
        if not select.select([self._keys], [], [], seconds)[0]:
            return False
        try:
            self._stream.feed(os.read(self._keys, 1 << 16))
        except OSError:
            return False
        return True
