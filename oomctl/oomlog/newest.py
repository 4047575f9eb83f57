"""What ``oomctl history`` keeps until a log ends: only then it is known which event is the newest, number 1."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice
from typing import IO, TypeVar

from oomctl.errors import ImpossibleHere
from oomctl.model.oomreport import OomReport

KEPT_BYTES = 64 << 20
"""Memory for reports or lines that have to be kept until the last one is known; a log may hold any number."""
_SPOOLED_BYTES = 4 << 20
"""Memory for what is printed at the end whatever it takes; the rest goes to a file."""
_Item = TypeVar("_Item")


class Counted:
    """The reports of a log in its order, and how many there were so far."""

    def __init__(self, reports: Iterable[OomReport]) -> None:
        """Look at nothing yet."""
        self._reports = reports
        self._total = 0

    def __iter__(self) -> Iterator[OomReport]:
        """Pass the reports on."""
        for report in self._reports:
            self._total = report.number
            yield report

    def index(self, number: int) -> int:
        """Return which one, counted from the newest, 1, is ``number`` of the log; right once the log has ended."""
        return self._total + 1 - number


class Kept:
    """Bytes that belong to reports, in the log's order: in memory, from some size on in a file without a name."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        import tempfile  # with what it needs it takes longer to load than a short log to read

        # Whoever is interrupted leaves no file either, as it has no name.
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_SPOOLED_BYTES)  # noqa: SIM115
        self._ends = array("Q", (0,))
        self._numbers = array("Q")

    def close(self) -> None:
        """Forget all of it."""
        self._file.close()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._numbers)

    def add(self, number: int, content: bytes) -> None:
        """Keep what belongs to report ``number`` of the log; ImpossibleHere: there is no room for it."""
        try:
            self._file.write(content)
        except OSError as error:
            raise ImpossibleHere(
                f"history: no room for a temporary file of so many events: {error.strerror};"
                " TMPDIR=DIRECTORY names another place"
            ) from None
        self._ends.append(self._ends[-1] + len(content))
        self._numbers.append(number)

    def from_end(self, place: int) -> bytes | None:
        """Return the last content for 1, the one before it for 2, ...; None: there are fewer."""
        if place > len(self):
            return None
        start, end = self._ends[-place - 1], self._ends[-place]
        self._file.seek(start)
        return self._file.read(end - start)

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Give back all that was added."""
        self._file.seek(0)
        start = 0
        for number, end in zip(self._numbers, islice(self._ends, 1, None)):
            yield number, self._file.read(end - start)
            start = end


def nth_newest(reports: Iterable[OomReport], place: int) -> OomReport | None:
    """Return the newest report for 1, the one before it for 2, ...; None: there are fewer."""
    with closing(Kept()) as spilled:
        return _nth_newest(reports, place, spilled)


def _nth_newest(reports: Iterable[OomReport], place: int, spilled: Kept) -> OomReport | None:
    kept: deque[OomReport] = deque()
    kept_bytes = 0
    for report in reports:
        kept.append(report)
        kept_bytes += memory_of(report)
        while len(kept) > place or (kept_bytes > KEPT_BYTES and len(kept) > 1):
            oldest = kept.popleft()
            kept_bytes -= memory_of(oldest)
            if len(kept) < place:  # it may still be the one
                spilled.add(oldest.number, _pickled(oldest))
    if len(kept) >= place:
        return kept[-place]
    content = spilled.from_end(place - len(kept))
    return None if content is None else _unpickled(content)


def _pickled(report: OomReport) -> bytes:
    import pickle

    return pickle.dumps(report, pickle.HIGHEST_PROTOCOL)


def _unpickled(content: bytes) -> OomReport:
    import pickle

    report: OomReport = pickle.loads(content)  # noqa: S301 - from a file without a name, written by this process
    return report


def last(items: Iterable[_Item], most: int, memory_of: Callable[[_Item], int]) -> tuple[list[_Item], int]:
    """Return the last ``most`` items, or as many as there is memory for, and how many came before these."""
    kept: deque[_Item] = deque()
    kept_bytes = left_out = 0
    for item in items:
        kept.append(item)
        kept_bytes += memory_of(item)
        while len(kept) > most or (kept_bytes > KEPT_BYTES and len(kept) > 1):
            kept_bytes -= memory_of(kept.popleft())
            left_out += 1
    return list(kept), left_out


def memory_of(report: OomReport) -> int:
    """Return about how many bytes of memory a report takes."""
    return 4000 + 500 * len(report.rows) + 300 * len(report.killed) + 4000 * len(report.memory.zones)
