"""A log file that goes on: also one that is rotated, by another name or by emptying it, or that is not there yet."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from oomctl.errors import BadInput, NotPermitted
from oomctl.guard.files import open_regular
from oomctl.oomlog.sources import BLOCK_BYTES
from oomctl.oomlog.tails import Lines, refuse_packed

_REMEMBERED_BYTES = 1 << 10
"""Enough for a line of the kernel with its date: lines of two kills may be the same but for that."""
_KEPT_OPEN_S = 60.0
"""How long a rotated file is still read: who writes the log opens the new one only when it is told to."""


class FileTail:
    """A file of that name, whichever has it. What was written between a copy and the emptying is lost to everybody."""

    descriptor = None
    looks_again = True

    def __init__(self, path: str, past: bool = False) -> None:
        """Begin at its end, with ``past`` at its start; one that is not there yet is read from its start.

        BadInput, NotPermitted: what has that name is no log, or cannot be read.
        """
        self.name = path
        self._rotated: list[tuple[_OpenFile, float]] = []
        self._file = self._opened(at_first=True)
        self._end = 0 if self._file is None or not past else self._file.size
        if self._file is not None and not past:
            self._file.to_the_end()

    @property
    def missing(self) -> bool:
        """Whether no file has that name yet."""
        return self._file is None

    @property
    def caught_up(self) -> bool:
        """Whether all was given that stood there when it was opened."""
        return self._file is None or bool(self._rotated) or self._file.position >= self._end

    def poll(self) -> bytes:
        """Return the new lines, of a rotated file before those of the one that has its name now."""
        now = time.monotonic()
        found = b"".join(file.new_lines() for file, _ in self._rotated)
        self._drop(lambda until: until < now)
        if self._file is not None:
            found += self._file.new_lines()
        if found or (self._file is not None and self._file.has_name(self.name)):
            return found
        successor = self._opened()
        if successor is None:
            return b""
        if self._file is not None:
            self._rotated.append((self._file, now + _KEPT_OPEN_S))
        found = b"" if self._file is None else self._file.new_lines()
        self._file = successor
        return found or successor.new_lines()

    def _opened(self, at_first: bool = False) -> _OpenFile | None:
        try:
            return _OpenFile(open_regular(self.name), self.name)
        except FileNotFoundError:
            return None
        except BadInput:
            if at_first:
                raise
        except PermissionError:
            if at_first:
                raise NotPermitted(
                    f"{self.name}: reading it was refused; kernel logs are usually open to root and adm"
                ) from None
        except (OSError, ValueError) as error:
            if at_first:
                raise BadInput(f"{self.name}: {getattr(error, 'strerror', None) or error}") from None
        return None  # its owner may still be about to make it readable

    def _drop(self, is_over: Callable[[float], bool]) -> None:
        for file, until in self._rotated:
            if is_over(until):
                file.close()
        self._rotated = [(file, until) for file, until in self._rotated if not is_over(until)]

    def close(self) -> None:
        """Close every file."""
        self._drop(lambda until: True)
        if self._file is not None:
            self._file.close()


class _OpenFile:
    """A file, how far it was read, and what stood there: by that it is known whether it was emptied since."""

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor = descriptor
        self._lines = Lines()
        self._last = b""
        self.position = 0
        try:
            refuse_packed(os.pread(descriptor, 8, 0), name)
        except BadInput:
            os.close(descriptor)
            raise

    @property
    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def to_the_end(self) -> None:
        self.position = self.size
        start = max(self.position - _REMEMBERED_BYTES, 0)
        self._last = os.pread(self._descriptor, self.position - start, start)

    def new_lines(self) -> bytes:
        """Return the lines that were added, at most a block of them."""
        if os.pread(self._descriptor, len(self._last), self.position - len(self._last)) != self._last:
            self.position, self._last, self._lines = 0, b"", Lines()
        chunk = os.pread(self._descriptor, BLOCK_BYTES, self.position)
        if not chunk:
            return b""
        self.position += len(chunk)
        self._last = (self._last + chunk)[-_REMEMBERED_BYTES:]
        # A writer that does not append leaves a hole where an emptied file was.
        return self._lines.add(chunk.replace(b"\0", b""))

    def has_name(self, path: str) -> bool:
        """Whether it is still the file of that name, or none is."""
        try:
            named = os.stat(path)
        except OSError:
            return True
        own = os.fstat(self._descriptor)
        return (named.st_dev, named.st_ino) == (own.st_dev, own.st_ino)

    def close(self) -> None:
        os.close(self._descriptor)
