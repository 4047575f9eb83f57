"""Files that somebody else may have put there: opened without waiting, read with a bound, replaced as a whole."""

from __future__ import annotations

import contextlib
import errno
import os
import re
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


def replace(path: str, text: bytes, mode: int, directory: int | None = None) -> None:
    """Put ``text`` in place of the file ``path``, relative to ``directory`` if given; it is on the disk by then.

    The name it has until then begins with a dot and does not end as ``path`` does. (tempfile would do; to import
    it takes longer than everything else that a change needs.) What a writer that was killed left is removed.
    """
    parent, name = os.path.split(path)
    where = os.open(parent or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        _remove_leftovers(where, name)
        _replace_at(where, name, f".{name}-{os.getpid()}", text, mode)
    finally:
        os.close(where)


def _replace_at(where: int, name: str, temporary: str, text: bytes, mode: int) -> None:
    # O_EXCL: whatever has this name was put there by somebody else, and is neither followed nor written to.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode, dir_fd=where)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, name, src_dir_fd=where, dst_dir_fd=where)
    except BaseException:
        os.unlink(temporary, dir_fd=where)
        raise


def _remove_leftovers(where: int, name: str) -> None:
    """Remove the unfinished files of writers that are no more, and of an earlier bearer of our own PID."""
    for entry in os.listdir(where):
        leftover = re.fullmatch(rf"\.{re.escape(name)}-([0-9]{{1,9}})", entry)
        if leftover and (int(leftover[1]) == os.getpid() or not _runs(int(leftover[1]))):
            with contextlib.suppress(OSError):  # another writer was quicker; or it is a directory
                os.unlink(entry, dir_fd=where)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
