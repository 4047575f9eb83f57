"""Where kernel messages come from: a file, stdin, the journal or /dev/kmsg; all as blocks of whole lines."""

from __future__ import annotations

import errno
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from oomctl.errors import BadInput, ImpossibleHere, NotPermitted
from oomctl.guard import programs
from oomctl.guard.files import open_regular
from oomctl.oomlog.unpacking import unpacked

BLOCK_BYTES = 1 << 18
LONGEST_LINE_BYTES = 1 << 16
"""Of a longer line the beginning is kept; nothing the kernel prints comes near."""
LARGEST_LOG = 16 << 30
"""Bytes of a plain log that are read: many years of one, and an end for what has none."""
LARGEST_UNPACKED = 4 << 30
"""Bytes that a compressed log may have unpacked: a few MB can hold terabytes of nothing."""
KMSG_RECORD_BYTES = 1 << 14  # CONSOLE_EXT_LOG_MAX is 8192
_LOST_RECORDS = b"** printk messages dropped **\n"
KMSG = Path("/dev/kmsg")
JOURNAL_COMMAND = (
    *("journalctl", "--quiet", "--no-pager", "--output=short-iso-precise", "_TRANSPORT=kernel"),
    *("+", "_SYSTEMD_UNIT=systemd-oomd.service", "+", "_SYSTEMD_UNIT=earlyoom.service"),
    *("+", "_SYSTEMD_UNIT=nohang.service", "+", "_SYSTEMD_UNIT=nohang-desktop.service"),
    *("+", "_PID=1", "MESSAGE_ID=fe6faa94e7774663a0da52717891d8ef"),  # SD_MESSAGE_UNIT_OUT_OF_MEMORY
    *("+", "_PID=1", "MESSAGE_ID=d989611b15e44c9dbf31e3c81256e4ed"),  # SD_MESSAGE_UNIT_OOMD_KILL
)
"""Without -k or -b: the messages of the kernel, and of those who kill beside it, of every boot that is kept.

The fields that begin with an underscore are set by journald: nobody else can write such messages.
"""


class Source(NamedTuple):
    """An open kernel log."""

    name: str
    """For messages: a path, ``stdin``, ``journal`` or ``/dev/kmsg``."""
    blocks: Iterator[bytes]


def open_source(path: str | None = None) -> Source:
    """Return the kernel log: of a file, of stdin (``-``), else of this machine.

    BadInput, NotPermitted: the file cannot be read; ImpossibleHere: this machine shows no kernel log.
    """
    if path is None:
        return this_machine()
    return Source(called(path), file_blocks(path))


def called(path: str) -> str:
    """Return how messages name a file."""
    return "stdin" if path == "-" else path


def this_machine(journal: tuple[str, ...] = JOURNAL_COMMAND, kmsg: Path = KMSG) -> Source:
    """Return the journal of all boots, or, where it has no kernel messages, the kernel's ring buffer."""
    if programs.find(journal[0]):
        blocks = journal_blocks(journal)
        first = next(blocks, None)
        if first is not None:
            return Source("journal", chain((first,), blocks))
    return Source(str(kmsg), whole_lines(kmsg_records(kmsg)))


def file_blocks(path: str) -> Iterator[bytes]:
    """Yield a file's lines in blocks; gzip and xz are known by their first bytes, not by the name."""
    with opened(path) as stream:
        yield from blocks_of(stream, called(path))


@contextmanager
def opened(path: str) -> Iterator[io.BufferedReader]:
    """Open a file or stdin (``-``) that somebody named, without waiting for it.

    BadInput, NotPermitted: it cannot be read. A FIFO, a device or a socket is refused, unless it is a
    descriptor that is open already, as a shell passes ``<(command)``.
    """
    if path == "-":
        if sys.stdin is None:
            raise BadInput("stdin: it is closed")
        yield _buffered(sys.stdin.buffer)
        return
    try:
        descriptor = _open(path)
    except FileNotFoundError:
        hint = "; sudo closes it, pipe into - instead" if _DESCRIPTOR.fullmatch(path) else ""
        raise BadInput(f"{path}: no such file{hint}") from None
    except PermissionError:
        hint = "; kernel logs are usually open to root and group adm" if path.startswith("/var/log/") else ""
        raise NotPermitted(f"{path}: reading it was refused{hint}") from None
    except ValueError as error:  # a null byte in the name
        raise BadInput(f"{path}: {error}") from None
    except OSError as error:
        is_socket = error.errno == errno.ENXIO
        raise BadInput(f"{path}: {'a socket; expected a regular file' if is_socket else error.strerror}") from None
    with open(descriptor, "rb") as stream:
        if os.fstat(descriptor).st_size > LARGEST_LOG:
            raise _endless(path, LARGEST_LOG)
        yield stream


_DESCRIPTOR = re.compile(r"/dev/(?:stdin|fd/(\d{1,9}))|/proc/self/fd/(\d{1,9})", re.ASCII)


def _open(path: str) -> int:
    given = _DESCRIPTOR.fullmatch(path)
    if given is None:
        return open_regular(path)
    try:
        # Not opened anew: that would wait for a FIFO's writer, and is not possible for a socket.
        return os.dup(int(given[1] or given[2] or 0))
    except OSError:
        raise FileNotFoundError from None


def given_descriptor(path: str) -> int | None:
    """Return a descriptor that is open already and that ``path`` means, as ``-`` and ``/dev/fd/63``; else None.

    BadInput: it is closed.
    """
    if path == "-":
        if sys.stdin is None:
            raise BadInput("stdin: it is closed")
        return sys.stdin.fileno()
    given = _DESCRIPTOR.fullmatch(path)
    if given is None:
        return None
    descriptor = int(given[1] or given[2] or 0)
    try:
        os.fstat(descriptor)
    except OSError:
        raise BadInput(f"{path}: no such file; sudo closes it, pipe into - instead") from None
    return descriptor


def blocks_of(stream: io.BufferedReader, name: str, begun: bytes = b"") -> Iterator[bytes]:
    """Yield the lines of an open log in blocks, first those of ``begun``: plain text that was read already.

    BadInput: it cannot be read or unpacked, or has no end.
    """
    try:
        plain = _bounded(chain((begun,), _chunks(stream)), name, LARGEST_LOG) if begun else _reader(stream, name)
        yield from whole_lines(plain)
    except OSError as error:
        raise BadInput(f"{name}: {error.strerror or error}") from None


def plain(stream: io.BufferedReader, name: str) -> io.BufferedReader:
    """Return what reads the content of a gzip or xz file; of any other it is ``stream`` itself.

    BadInput, there or while reading: as ``oomlog.unpacking.unpacked`` says, or it has no end.
    """
    content = unpacked(stream, name, BLOCK_BYTES)
    return stream if content is None else io.BufferedReader(_Chunks(_bounded(content, name, LARGEST_UNPACKED)))


class _Chunks(io.RawIOBase):
    """Bytes that come in chunks, as a file has them."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._rest = self._rest or memoryview(next(self._chunks, b""))
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def whole_lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Cut chunks at line ends, in bounded memory whatever the lines' length."""
    rest = b""
    overlong = False
    for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        if not end:
            if not overlong:
                rest += chunk
                overlong = len(rest) > LONGEST_LINE_BYTES
                rest = rest[:LONGEST_LINE_BYTES]
            continue
        block, after = chunk[:end], chunk[end:]
        if overlong:
            block = block[block.index(b"\n") :]
        yield rest + block
        overlong = len(after) > LONGEST_LINE_BYTES
        rest = after[:LONGEST_LINE_BYTES]
    if rest:
        yield rest


def kmsg_records(path: Path = KMSG) -> Iterator[bytes]:
    """Yield the ring buffer's records from the oldest to the newest, then end instead of waiting."""
    descriptor = open_kmsg(path)
    try:
        yield from records(lambda: os.read(descriptor, KMSG_RECORD_BYTES))
    finally:
        os.close(descriptor)


def open_kmsg(path: Path = KMSG) -> int:
    """Return a descriptor of the ring buffer at its oldest record, for ``records``."""
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ImpossibleHere(f"{path}: missing here, as in most containers; name a log file instead") from None
    except PermissionError:
        # With kernel.dmesg_restrict=1 it takes CAP_SYSLOG, which root of a container lacks.
        instead = "root lacks CAP_SYSLOG here; ask on the host," if os.geteuid() == 0 else "try sudo oomctl history,"
        raise NotPermitted(f"{path}: reading the kernel log was refused; {instead} or --file FILE") from None
    except OSError as error:
        raise ImpossibleHere(f"{path}: {error.strerror}") from None


def records(read: Callable[[], bytes]) -> Iterator[bytes]:
    """Yield the records that are there, and end where ``read`` would have to wait for more."""
    while True:
        try:
            record = read()
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno == errno.EPIPE:
                # Overwritten while we read: the next read goes on at the oldest record that is left.
                yield _LOST_RECORDS
                continue
            if error.errno == errno.EINVAL:
                yield _LOST_RECORDS  # a record longer than the buffer; the kernel has moved past it
                continue
            raise ImpossibleHere(f"/dev/kmsg: {error.strerror}") from None
        if not record:
            return
        yield record if record.endswith(b"\n") else record + b"\n"


def journal_blocks(command: tuple[str, ...] = JOURNAL_COMMAND) -> Iterator[bytes]:
    """Yield the journal's kernel messages; nothing where it cannot be read."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=programs.environment(),
        )
    except OSError:
        return
    with process:
        assert process.stdout is not None  # noqa: S101 - for mypy: it is a pipe
        try:
            blocks = whole_lines(_reader(_buffered(process.stdout), "journal"))
            yield from (block for block in blocks if not block.startswith(b"-- No entries"))
        finally:
            process.stdout.close()
            if process.poll() is None:
                process.terminate()


def _buffered(stream: IO[bytes]) -> io.BufferedReader:
    return stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, stream))


def _reader(stream: io.BufferedReader, name: str) -> Iterator[bytes]:
    """Read raw chunks, through gzip or xz where the first bytes say so."""
    plain = unpacked(stream, name, BLOCK_BYTES)
    if plain is None:
        return _bounded(_chunks(stream), name, LARGEST_LOG)
    return _bounded(plain, name, LARGEST_UNPACKED)


def _chunks(stream: io.BufferedReader) -> Iterator[bytes]:
    while chunk := stream.read(BLOCK_BYTES):
        yield chunk


def _bounded(chunks: Iterator[bytes], name: str, most_bytes: int) -> Iterator[bytes]:
    left = most_bytes
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise _endless(name, most_bytes)
        yield chunk


def _endless(name: str, most_bytes: int) -> BadInput:
    return BadInput(f"{name}: more than {most_bytes >> 30} GiB, too much for a log; pipe in the part that matters")
