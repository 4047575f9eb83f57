"""Where kernel messages come from: a file, stdin, the journal or /dev/kmsg; all as blocks of whole lines."""

from __future__ import annotations

import errno
import gzip
import io
import lzma
import os
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO, NamedTuple, cast

from oomctl.errors import BadInput, ImpossibleHere, NotPermitted

BLOCK_BYTES = 1 << 18
LONGEST_LINE_BYTES = 1 << 16
"""Of a longer line the beginning is kept; nothing the kernel prints comes near."""
KMSG_RECORD_BYTES = 1 << 14  # CONSOLE_EXT_LOG_MAX is 8192
_LOST_RECORDS = b"** printk messages dropped **\n"
KMSG = Path("/dev/kmsg")
JOURNAL_COMMAND = ("journalctl", "--quiet", "--no-pager", "--output=short-iso-precise", "_TRANSPORT=kernel")
"""Without -k or -b: kernel messages of every boot that is kept."""


class Source(NamedTuple):
    name: str
    """For messages: a path, ``stdin``, ``journal`` or ``/dev/kmsg``."""
    blocks: Iterator[bytes]


def open_source(path: str | None = None) -> Source:
    """Return the kernel log: of a file, of stdin (``-``), else of this machine.

    BadInput, NotPermitted: the file cannot be read; ImpossibleHere: this machine shows no kernel log.
    """
    if path is None:
        return this_machine()
    if path == "-":
        return Source("stdin", whole_lines(_reader(_buffered(sys.stdin.buffer), "stdin")))
    return Source(path, file_blocks(Path(path)))


def this_machine(journal: tuple[str, ...] = JOURNAL_COMMAND, kmsg: Path = KMSG) -> Source:
    """Return the journal of all boots, or, where it has no kernel messages, the kernel's ring buffer."""
    if shutil.which(journal[0]):
        blocks = journal_blocks(journal)
        first = next(blocks, None)
        if first is not None:
            return Source("journal", chain((first,), blocks))
    return Source(str(kmsg), whole_lines(kmsg_records(kmsg)))


def file_blocks(path: Path) -> Iterator[bytes]:
    """Yield a file's lines in blocks; gzip and xz are known by their first bytes, not by the name."""
    try:
        raw = path.open("rb")
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except IsADirectoryError:
        raise BadInput(f"{path}: a directory; expected a kernel log") from None
    except PermissionError:
        raise NotPermitted(
            f"{path}: reading it was refused; kernel logs are usually open to root and group adm"
        ) from None
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None
    with raw:
        try:
            yield from whole_lines(_reader(raw, str(path)))
        except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
            raise BadInput(f"{path}: damaged compressed file: {error}") from None
        except OSError as error:
            raise BadInput(f"{path}: {error.strerror or error}") from None


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
        raise NotPermitted(
            f"{path}: reading the kernel log was refused;"
            " with kernel.dmesg_restrict=1 it needs CAP_SYSLOG, or name a log file"
        ) from None
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
    environment = {**os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""}
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
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
    first = stream.peek(6)[:6]  # a pipe cannot be rewound
    plain: gzip.GzipFile | lzma.LZMAFile | io.BufferedReader = stream
    if first.startswith(b"\x1f\x8b"):
        plain = gzip.GzipFile(fileobj=stream, mode="rb")
    elif first.startswith(b"\xfd7zXZ\x00"):
        plain = lzma.LZMAFile(stream)  # noqa: SIM115 - it owns nothing; who opened the stream closes it
    elif first.startswith((b"\x28\xb5\x2f\xfd", b"BZh")):
        raise BadInput(f"{name}: compressed with zstd or bzip2; unpack it first (zstdcat, bzcat) and pipe it in")
    while chunk := plain.read(BLOCK_BYTES):
        yield chunk
