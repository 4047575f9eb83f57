"""A file that is to be replaced in a directory of somebody else's: a link of theirs must not lead elsewhere."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from oomctl.guard import files
from oomctl.guard.walk import Walk


def replace(path: str, text: bytes, mode: int) -> None:
    """Put ``text`` in place of the file ``path``, whole or not at all. Raises OSError; what was there stays then.

    Symbolic links on the way are followed only if they are root's or this user's own. What is there and is no regular
    file is not replaced.
    """
    parent, name = os.path.split(path)
    if not name:
        raise _failure(errno.EISDIR, path)
    with _opened(parent or ".") as directory:
        _check_replaceable(name, directory, path)
        files.replace(name, text, mode, directory)


def make_directories(path: str, mode: int) -> None:
    """Make the directory ``path``, and what is missing above it, with exactly this mode. Raises OSError.

    Symbolic links are followed as ``replace`` does; what is there already stays as it is.
    """
    there = path
    missing: list[str] = []
    while there and not os.path.lexists(there):
        there, name = os.path.split(there)
        missing.insert(0, name)
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(_opened(there or "."))
        for name in missing:
            directory = _made(name, mode, directory)
            stack.callback(os.close, directory)


def _made(name: str, mode: int, above: int) -> int:
    """Make a directory, unless somebody else was quicker, and return it open."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        os.mkdir(name, mode, dir_fd=above)
    except FileExistsError:
        return os.open(name, flags, dir_fd=above)
    directory = os.open(name, flags, dir_fd=above)
    os.fchmod(directory, mode)  # mkdir takes off what the umask has
    return directory


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    """Open a directory. Raises OSError where it is none, or a link of somebody else's is on the way."""
    with Walk(path) as walk:
        for seen in walk.go():
            if stat.S_ISLNK(seen.status.st_mode) and seen.status.st_uid not in (0, os.geteuid()):
                raise PermissionError(errno.EPERM, f"{seen.path} is another user's link, and may lead anywhere", path)
        if not stat.S_ISDIR(walk.status_of_last().st_mode):
            raise _failure(errno.ENOTDIR, path)
        directory = walk.open_last(or_directory=True).descriptor
    try:
        yield directory
    finally:
        os.close(directory)


def _check_replaceable(name: str, directory: int, path: str) -> None:
    """Refuse to put a file in place of what is none: root could, also of /dev/null and of the link /dev/stdout."""
    try:
        kind = stat.S_IFMT(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return
    if kind == stat.S_IFDIR:
        raise _failure(errno.EISDIR, path)
    if kind != stat.S_IFREG:
        raise FileExistsError(errno.EEXIST, "no regular file, and so not replaced", path)


def _failure(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)
