"""OOM kills as they happen: a log that is read on whenever somebody asks, or waited for."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from oomctl.model.oomreport import OomReport
from oomctl.oomlog.filetail import FileTail
from oomctl.oomlog.parser import Reading
from oomctl.oomlog.sources import KMSG, called, given_descriptor
from oomctl.oomlog.tails import KmsgTail, PipeTail, Tail, journal_tail

_SETTLE_S = 0.5
"""A kill is told when no line was added to its report between two looks: half a second to a second after it."""
_LOOK_S = 0.3
"""How often a log is looked at that cannot be waited for."""
_PATIENCE_S = 30.0
"""How long a report may stop in the middle: the kernel prints it within seconds, a serial line may take longer."""


class Follower:
    """Yields every report of the ring buffer once: first those that it holds already, then new ones."""

    def __init__(self, path: Path = KMSG) -> None:
        """Open the buffer. ImpossibleHere, NotPermitted: there is none, or it may not be read."""
        self._tail = KmsgTail(path, past=True)
        self._reading = Reading()

    def poll(self) -> list[OomReport]:
        """Return the reports that are over since the last call; never waits."""
        reports: list[OomReport] = []
        while lines := self._tail.poll():
            reports += self._reading.push(lines)
        return reports + self._reading.settle()

    def close(self) -> None:
        """Close the buffer; ``poll`` must not be called again."""
        self._tail.close()


def open_tail(path: str | None, past: bool = False) -> Tail:
    """Return a log at its end, with ``past`` at its start: a file, stdin (``-``), else of this machine.

    BadInput, NotPermitted, ImpossibleHere: it cannot be read, or there is none.
    """
    if path is None:
        return journal_tail(past) or KmsgTail(past=past)
    descriptor = given_descriptor(path)
    return FileTail(path, past) if descriptor is None else PipeTail(descriptor, called(path))


class Kills(NamedTuple):
    """What a look at a log gave."""

    reports: list[OomReport]
    past: bool
    """They stood there before the following began."""


def kills(tail: Tail, output: int | None = None) -> Iterator[Kills]:
    """Yield the reports of a log that goes on, as they come in; ends where the log does, at a pipe's end.

    ``output``: a descriptor whose reader may go away; then BrokenPipeError is raised at once, not at the next kill.
    """
    reading = Reading()
    looked = spoke = time.monotonic()
    past = not tail.caught_up
    while True:
        lines = tail.poll()
        if lines is None:
            yield Kills(list(reading.close()), past)
            return
        now = time.monotonic()
        if lines:
            spoke = now
            yield Kills(list(reading.push(lines)), past)
        if now - looked >= _SETTLE_S:
            looked = now
            reports = reading.settle()
            if now - spoke > _PATIENCE_S and reading.waits:
                reports += reading.close()
            yield Kills(reports, past)
        if past and tail.caught_up and (not reading.waits or now - spoke > 3 * _SETTLE_S):
            past = False
            yield Kills([], past)
        if not lines:
            _wait(tail, output, _SETTLE_S if reading.waits or past else None)


def _wait(tail: Tail, output: int | None, most_s: float | None) -> None:
    """Wait until the log has more, or as long as that; None: as long as it takes."""
    if tail.descriptor is None or tail.looks_again:
        most_s = min(most_s or _LOOK_S, _LOOK_S)
    poller = select.poll()
    if tail.descriptor is not None:
        poller.register(tail.descriptor, select.POLLIN)
    if output is not None:
        poller.register(output, 0)  # told even so: nobody reads it any more
    events = poller.poll(None if most_s is None else most_s * 1000)
    if any(descriptor == output and event & (select.POLLERR | select.POLLHUP) for descriptor, event in events):
        raise BrokenPipeError
