"""A file that is to be replaced in a directory of somebody else's: a link of theirs must not lead elsewhere."""

from __future__ import annotations

import errno
import os
import stat

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
    with Walk(parent or ".") as walk:
        for seen in walk.go():
            if stat.S_ISLNK(seen.status.st_mode) and seen.status.st_uid not in (0, os.geteuid()):
                raise PermissionError(errno.EPERM, f"{seen.path} is another user's link, and may lead anywhere", path)
        if not stat.S_ISDIR(walk.status_of_last().st_mode):
            raise _failure(errno.ENOTDIR, path)
        directory = walk.open_last(or_directory=True)
        try:
            _check_replaceable(name, directory.descriptor, path)
            files.replace(name, text, mode, directory.descriptor)
        finally:
            os.close(directory.descriptor)


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
