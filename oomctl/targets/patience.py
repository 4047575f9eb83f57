"""Searching what a hostile process wrote for an administrator's regular expression, for a bounded time.

Matching backtracks: ``.*java.*tomcat`` takes minutes for 4 KiB of ``javajavajava…``.
"""

from __future__ import annotations

import re
import signal
import threading
from types import FrameType

SECONDS = 0.1
"""Of processor time; a search that ends takes microseconds."""


class TooLong(Exception):
    """The search was given up."""


class _Clock:
    running = False

    def ring(self, _: int, __: FrameType | None) -> None:
        # The engine looks for signals every few thousand steps and ends with what their handler raises.
        if self.running:
            raise TooLong


_CLOCK = _Clock()


def finds(pattern: re.Pattern[str], text: str, seconds: float = SECONDS) -> bool:
    """Whether ``pattern`` is anywhere in ``text``; raises TooLong after ``seconds`` of processor time.

    Without a bound outside the main thread, which is the only one that signals reach.
    """
    if threading.current_thread() is not threading.main_thread():
        return pattern.search(text) is not None
    before = signal.signal(signal.SIGVTALRM, _CLOCK.ring)
    try:
        _CLOCK.running = True
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        return pattern.search(text) is not None
    finally:
        _CLOCK.running = False
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
