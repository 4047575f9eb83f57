"""Single keys from the terminal, and a terminal that is left as it was found, however the program ends."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SLICE_S = 0.2  # how long a resized or stopped terminal may go unnoticed


class Keyboard:
    """Keys typed at the terminal behind stdin."""

    def __init__(self) -> None:
        self._fd = sys.stdin.fileno()
        self._was = termios.tcgetattr(self._fd)
        self.wants_stop = False
        """Ctrl-Z was pressed: end the block, then call ``stop_here``."""

    def raw(self) -> None:
        """Let keys arrive one by one and unseen; Ctrl-C and Ctrl-Z stay signals."""
        tty.setcbreak(self._fd, termios.TCSANOW)

    def restore(self) -> None:
        """Put the terminal back as it was found."""
        termios.tcsetattr(self._fd, termios.TCSANOW, self._was)

    @property
    def size(self) -> os.terminal_size:
        """Of the terminal, now."""
        return os.get_terminal_size(self._fd)

    def wait(self, seconds: float, drawn_for: os.terminal_size) -> bytes | None:
        """Return what was typed (empty: the terminal is gone), None after ``seconds`` or at another size."""
        while seconds > 0:
            ready, _, _ = select.select([self._fd], [], [], min(seconds, _SLICE_S))
            if ready:
                return os.read(self._fd, 256)
            if self.wants_stop or self.size != drawn_for:
                return None
            seconds -= _SLICE_S
        return None


@contextmanager
def keyboard() -> Iterator[Keyboard]:
    """Read keys while the block runs. Being told to end (SIGTERM, SIGHUP) leaves the block in order, too."""
    keys = Keyboard()

    def end(number: int, _: FrameType | None) -> None:
        sys.exit(128 + number)

    def stop(_: int, __: FrameType | None) -> None:
        keys.wants_stop = True

    handlers = {signal.SIGTERM: end, signal.SIGHUP: end, signal.SIGTSTP: stop}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        keys.raw()
        yield keys
    finally:
        keys.restore()
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_here() -> None:
    """Do what Ctrl-Z does, and come back when the shell says so."""
    os.kill(os.getpid(), signal.SIGSTOP)
