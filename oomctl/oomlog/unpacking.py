"""Compressed logs, unpacked in bounded memory.

Each module for it is imported where a file needs it: a small Python may lack them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

from oomctl.errors import BadInput

_MOST_BYTES = 72 << 20
"""Memory for unpacking xz; ``xz -9`` needs 65 MiB, a file may ask for 4 GiB."""


def unpacked(stream: io.BufferedReader, name: str, block_bytes: int) -> Iterator[bytes] | None:
    """Return the content of a gzip or xz file in blocks; None for what is neither by its first bytes.

    BadInput, there or while reading: compressed otherwise, damaged, or this Python cannot unpack it.
    """
    first = stream.peek(6)[:6]  # a pipe cannot be rewound
    if first.startswith((b"\x28\xb5\x2f\xfd", b"BZh")):
        raise BadInput(f"{name}: compressed with zstd or bzip2; unpack it first (zstdcat, bzcat) and pipe it in")
    if first.startswith(b"\x1f\x8b"):
        return _gzip(stream, name, block_bytes)
    return _xz(stream, name, block_bytes) if first.startswith(b"\xfd7zXZ\x00") else None


def _gzip(stream: io.BufferedReader, name: str, block_bytes: int) -> Iterator[bytes]:
    try:
        import gzip
        import zlib
    except ImportError:
        raise _cannot(name, "gzip", "zcat") from None
    try:
        plain = gzip.GzipFile(fileobj=stream, mode="rb")
        while block := plain.read(block_bytes):
            yield block
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _damaged(name, error) from None


def _xz(stream: io.BufferedReader, name: str, block_bytes: int) -> Iterator[bytes]:
    """Unpack xz; lzma.LZMAFile would do, but it takes as much memory as the file asks for."""
    try:
        import lzma
    except ImportError:
        raise _cannot(name, "xz", "xzcat") from None
    data = b""
    while data := data or stream.read(block_bytes):
        unpacking = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MOST_BYTES)
        while not unpacking.eof:
            if unpacking.needs_input and not data:
                data = stream.read(block_bytes)
                if not data:
                    raise _damaged(name, "it ends too early")
            try:
                plain = unpacking.decompress(data, block_bytes)
            except lzma.LZMAError as error:
                if "Memory" not in str(error):
                    raise _damaged(name, error) from None
                most = _MOST_BYTES >> 20
                raise BadInput(
                    f"{name}: to unpack it takes more than {most} MiB of memory; unpack it first (xzcat) and pipe it in"
                ) from None
            data = b""
            if plain:
                yield plain
        # Another stream may follow, behind zero bytes that fill up to its alignment.
        data = unpacking.unused_data.lstrip(b"\0")
        while not data and (more := stream.read(block_bytes)):
            data = more.lstrip(b"\0")


def _cannot(name: str, kind: str, program: str) -> BadInput:
    return BadInput(
        f"{name}: compressed with {kind}, which this Python was built without; unpack it first ({program})"
        " and pipe it in"
    )


def _damaged(name: str, error: Exception | str) -> BadInput:
    return BadInput(f"{name}: damaged compressed file: {error}")
