"""Logs that go on: the ring buffer, a pipe, the journal, a file; each gives what is new whenever it is asked."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from pathlib import Path
from typing import Protocol

from oomctl.errors import BadInput, ImpossibleHere
from oomctl.guard import programs
from oomctl.oomlog.sources import (
    BLOCK_BYTES,
    JOURNAL_COMMAND,
    KMSG,
    KMSG_RECORD_BYTES,
    LONGEST_LINE_BYTES,
    open_kmsg,
    records,
)
from oomctl.oomlog.structured import plain_lines

_PACKED = (b"\x1f\x8b", b"\xfd7zXZ")
_CURSOR = re.compile(rb'"__CURSOR"\s?:\s?"([^"\\]{1,500})"')
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 10.0
_MOST_FAILURES = 5


class Tail(Protocol):
    """A log that goes on."""

    @property
    def name(self) -> str:
        """For messages: a path, ``stdin``, ``journal`` or ``/dev/kmsg``."""

    @property
    def descriptor(self) -> int | None:
        """What to wait for with poll(2); None: only looking again tells."""

    @property
    def looks_again(self) -> bool:
        """Whether it wants to be asked from time to time although ``descriptor`` is silent."""

    @property
    def caught_up(self) -> bool:
        """Whether all was given that stood there when it was opened."""

    def poll(self) -> bytes | None:
        """Return the whole lines that are new, never waiting for them; None: there will be no more."""

    def close(self) -> None:
        """Give back what it holds; it must not be asked again."""


class Lines:
    """Chunks to whole lines, in bounded memory whatever the lines' length."""

    def __init__(self) -> None:
        """Begin at the start of a line."""
        self.rest = b""
        """The line that has no end yet."""

    def add(self, chunk: bytes) -> bytes:
        """Return the lines that have their end now."""
        end = chunk.rfind(b"\n") + 1
        if not end:
            self.rest = (self.rest + chunk)[:LONGEST_LINE_BYTES]
            return b""
        whole, self.rest = self.rest + chunk[:end], chunk[end:][:LONGEST_LINE_BYTES]
        return whole


class KmsgTail:
    """The kernel's ring buffer."""

    looks_again = False

    def __init__(self, path: Path = KMSG, past: bool = False) -> None:
        """Open it at its end, with ``past`` at its oldest record. ImpossibleHere, NotPermitted: it cannot be read."""
        self.name = str(path)
        self.descriptor = open_kmsg(path)
        self.caught_up = not past
        if not past:
            os.lseek(self.descriptor, 0, os.SEEK_END)

    def poll(self) -> bytes:
        """Return the new records."""
        found = b"".join(records(lambda: os.read(self.descriptor, KMSG_RECORD_BYTES)))
        self.caught_up = True
        return found

    def close(self) -> None:
        """Close it."""
        os.close(self.descriptor)


class PipeTail:
    """What another program writes; all of it is new, and its end is the end."""

    looks_again = False
    caught_up = True

    def __init__(self, descriptor: int, name: str) -> None:
        """Read from ``descriptor``, which stays open."""
        self.name, self.descriptor = name, descriptor
        self._lines = Lines()
        self._begun = self._ended = False

    def poll(self) -> bytes | None:
        """Return the new lines. BadInput: what comes is packed, or cannot be read."""
        if self._ended:
            return None
        if not readable(self.descriptor):
            return b""
        try:
            chunk = os.read(self.descriptor, BLOCK_BYTES)
        except OSError as error:
            raise BadInput(f"{self.name}: {error.strerror}") from None
        if not self._begun:
            refuse_packed(chunk, self.name)
            self._begun = True
        if chunk:
            return self._lines.add(chunk)
        self._ended = True
        return self._lines.rest

    def close(self) -> None:
        """Leave the descriptor to whom it belongs."""


def readable(descriptor: int) -> bool:
    """Whether a read would not wait: there is something, or the end."""
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(0))


def refuse_packed(beginning: bytes, name: str) -> None:
    """Refuse a compressed log, which has been written to its end. BadInput."""
    if beginning.startswith(_PACKED):
        raise BadInput(f"{name}: a compressed log does not go on; without --follow it is read")


class JournalTail:
    """The journal, through ``journalctl --follow``; where that ends it is started again behind the last message."""

    name = "journal"

    def __init__(self, command: tuple[str, ...], newest: str, past: bool) -> None:
        """Begin behind the message with the cursor ``newest``, with ``past`` at the first one that is kept."""
        self._command = command
        self._cursor = None if past else newest
        self._newest = newest
        self.caught_up = not past
        self._failures = 0
        self._again_at = 0.0
        self._lines = Lines()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def descriptor(self) -> int | None:
        """The pipe that journalctl writes to; None: it is not running."""
        return None if self._process is None or self._process.stdout is None else self._process.stdout.fileno()

    @property
    def looks_again(self) -> bool:
        """Whether it is not running."""
        return self._process is None

    def poll(self) -> bytes:
        """Return the new messages as lines of syslog. ImpossibleHere: journalctl ends time and again."""
        if self._process is None:
            if time.monotonic() < self._again_at:
                return b""
            self._start()
        descriptor = self.descriptor
        if descriptor is None or not readable(descriptor):
            return b""
        chunk = os.read(descriptor, BLOCK_BYTES)
        if not chunk:
            self._ended()
            return b""
        self._failures = 0
        return self._messages(self._lines.add(chunk))

    def _messages(self, lines: bytes) -> bytes:
        cursors = _CURSOR.findall(lines)
        if cursors:
            self._cursor = cursors[-1].decode("ascii", "replace")
            self.caught_up = self.caught_up or self._newest.encode() in cursors
        texts = [text for text in lines.decode("utf-8", "replace").split("\n") if text]
        plain, _ = plain_lines(texts, True)
        return "".join(line + "\n" for line in plain).encode("utf-8", "replace")

    def _start(self) -> None:
        where = () if self._cursor is None else (f"--after-cursor={self._cursor}",)
        try:
            self._process = subprocess.Popen(
                (*self._command, "--follow", "--no-tail", *where),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=programs.environment(),
            )
        except OSError:
            self._ended()

    def _ended(self) -> None:
        """Start it again a little later. What it had not written to its end comes again then."""
        self.close()
        self._lines = Lines()
        self._failures += 1
        if self._failures > _MOST_FAILURES:
            raise ImpossibleHere("journalctl ends time and again instead of following; name a log file instead")
        pause_s = min(_FIRST_PAUSE_S * 2 ** (self._failures - 1), _LONGEST_PAUSE_S)
        self._again_at = time.monotonic() + pause_s

    def close(self) -> None:
        """End journalctl."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            assert process.stdout is not None  # noqa: S101 - for mypy: it is a pipe
            process.stdout.close()
            process.wait()


def journal_tail(past: bool, journal: tuple[str, ...] = JOURNAL_COMMAND) -> JournalTail | None:
    """Return the journal as it goes on; None where it has no kernel messages or cannot be read."""
    if programs.find(journal[0]) is None:
        return None
    command = tuple("--output=json" if word.startswith("--output=") else word for word in journal)
    try:
        ran = subprocess.run(
            (*command, "--lines=1"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=programs.environment(),
            check=False,
        )
    except OSError:
        return None
    cursors = _CURSOR.findall(ran.stdout)
    return JournalTail(command, cursors[-1].decode("ascii", "replace"), past) if cursors else None
