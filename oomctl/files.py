"""Files that somebody else may have put there: opened without waiting, read with a bound, replaced as a whole."""

from __future__ import annotations

import errno
import os
import stat

_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a directory",
}


def open_regular(path: str | os.PathLike[str], flags: int = 0, directory: int | None = None) -> int:
    """Return a descriptor for reading a regular file, relative to ``directory`` if given; never waits.

    Raises OSError with a strerror that names what it is instead: opening a FIFO would wait for a writer, and
    reading a device may never end.
    """
    # O_NONBLOCK: without it the open itself waits for a FIFO's other end. Regular files do not know it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | flags, dir_fd=directory)
    kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
    if kind != stat.S_IFREG:
        os.close(descriptor)
        code = errno.EISDIR if kind == stat.S_IFDIR else errno.EINVAL
        raise OSError(code, f"{_KINDS.get(kind, 'something else')}; expected a regular file", os.fspath(path))
    return descriptor


def read_bounded(descriptor: int, most_bytes: int) -> bytes:
    """Return what a descriptor holds, at most ``most_bytes``: cut there, however much more there is.

    In memory of that size, not more: the file of a hostile process may have no end.
    """
    chunks = []
    left = most_bytes
    while left > 0:
        chunk = os.read(descriptor, min(left, 1 << 16))
        if not chunk:
            break
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def read_regular(path: str | os.PathLike[str], most_bytes: int) -> bytes:
    """Return the content of a regular file. Raises OSError for anything else, and (EFBIG) for a larger one."""
    descriptor = open_regular(path)
    try:
        content = read_bounded(descriptor, most_bytes + 1)
    finally:
        os.close(descriptor)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"larger than {most_bytes} bytes", os.fspath(path))
    return content


def replace(path: str, text: bytes, mode: int) -> None:
    """Put ``text`` in place of the file ``path``, on the disk before this returns.

    The name it has until then begins with a dot and does not end as ``path`` does. (tempfile would do; to import
    it takes longer than everything else that a change needs.)
    """
    directory, name = os.path.split(path)
    temporary = os.path.join(directory, f".{name}-{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
