"""A process that works for this one. It imports next to nothing, for what begins before anything else."""

from __future__ import annotations

import marshal
import os

TYPE_CHECKING = False  # that of typing takes longer to import than a hundred processes to read
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SIGKILL = 9  # the signal module takes long, too
LOST = (EOFError, ValueError, TypeError)
"""What ``Helper.result`` raises where it was killed, at any byte: memory is what this is about."""


class Helper:
    """A child that does some work, and hands over plain lists, tuples, numbers and bytes: marshal carries them."""

    def __init__(self, work: Callable[[], Any]) -> None:
        """Start it. OSError: no memory, of all times, or no process or descriptor allowed."""
        self._results, sink = os.pipe()
        try:
            self._pid = os.fork()
        except OSError:
            os.close(self._results)
            os.close(sink)
            raise
        if self._pid:
            os.close(sink)
            return
        try:
            os.close(self._results)
            with open(sink, "wb") as results:
                marshal.dump(work(), results)
        finally:
            os._exit(0)  # without a word: who waits for it sees that its answer is not whole

    def result(self) -> Any:
        """Return, once, what the work returned. Raises one of ``LOST``."""
        try:
            with open(self._results, "rb") as results:
                return marshal.load(results)  # noqa: S302 - from our own process
        finally:
            os.waitpid(self._pid, 0)

    def stop(self) -> None:
        """End it."""
        os.close(self._results)
        os.kill(self._pid, _SIGKILL)  # not waited for yet, so the number is still its own
        os.waitpid(self._pid, 0)
