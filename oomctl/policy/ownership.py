"""Opens what root is about to obey: only where nobody else could have written it, as sshd does with its files.

The path is walked from / by descriptors, one name at a time, symbolic links by hand; what was looked at is what is
opened, whatever others rename meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import stat
from collections.abc import Iterator
from typing import NamedTuple

from oomctl.guard import files
from oomctl.procfs.details import user_name

_MOST_LINKS = 40  # MAXSYMLINKS of include/linux/namei.h
_WRITABLE = stat.S_IWGRP | stat.S_IWOTH
_WALK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class Wrong(NamedTuple):
    """A file, directory or link that somebody else could use to change the policy."""

    path: str
    message: str
    """Who, and the command that mends it."""


class Distrusted(Exception):
    """Somebody else could change what was asked for."""

    def __init__(self, found: tuple[Wrong, ...]) -> None:
        super().__init__(str(found[0].message))
        self.found = found


class Opened(NamedTuple):
    descriptor: int
    is_directory: bool


@contextlib.contextmanager
def open_trusted(path: str, or_directory: bool = False) -> Iterator[Opened]:
    """Open a regular file for reading, or (``or_directory``) a directory for listing it; never waits.

    It, every directory above it, and every symbolic link on the way have to belong to root or to the user who asks,
    and must not be writable by others. In a directory that is writable but sticky, such as /tmp, others can neither
    rename nor remove what is not theirs: such a one may be above the file, but not be listed.

    Raises Distrusted with all that is wrong, and OSError for what cannot be opened or is neither.
    """
    walk = _Walk(path)
    try:
        walk.go()
        opened = walk.open_last(or_directory)
        try:
            walk.look(walk.last(), os.fstat(opened.descriptor))
            if walk.wrong:
                raise Distrusted(tuple(dict.fromkeys(walk.wrong)))
            yield opened
        finally:
            os.close(opened.descriptor)
    finally:
        walk.close()


class _Step(NamedTuple):
    path: str
    descriptor: int


class _Walk:
    """The way from / to a file: the directories above it, open, and the names still ahead."""

    def __init__(self, path: str) -> None:
        self.wrong: list[Wrong] = []
        self._trusted = {0, os.geteuid()}
        self._path = path
        self._links = 0
        self._ahead = _names(path if path.startswith("/") else f"{os.getcwd()}/{path}")
        self._way: list[_Step] = []

    def close(self) -> None:
        self._back_to(0)

    def go(self) -> None:
        """Walk until at most one name is ahead, of something that is no link."""
        self._enter("/", os.open("/", _WALK))
        while self._ahead:
            name = self._ahead.pop(0)
            if name == "..":
                self._back_to(max(len(self._way) - 1, 1))
            elif not self._step(name):
                self._ahead = [name]
                return

    def last(self) -> str:
        """Return the path of what was reached, links resolved."""
        return os.path.join(self._way[-1].path, *self._ahead)

    def open_last(self, or_directory: bool) -> Opened:
        above = self._way[-1].descriptor
        name = self._ahead[0] if self._ahead else "."
        if or_directory and stat.S_ISDIR(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode):
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            return Opened(os.open(name, flags, dir_fd=above), True)
        return Opened(files.open_regular(name, os.O_NOFOLLOW, above), False)

    def look(self, path: str, status: os.stat_result, is_above: bool = False) -> None:
        """Note what is wrong with a file, directory or link."""
        if status.st_uid not in self._trusted:
            who = user_name(status.st_uid)
            self.wrong.append(
                Wrong(path, f"belongs to {who}, who could change the policy: chown root: {shlex.quote(path)}")
            )
        writable = status.st_mode & _WRITABLE and not stat.S_ISLNK(status.st_mode)
        if writable and not (is_above and status.st_mode & stat.S_ISVTX):
            who = "everybody" if status.st_mode & stat.S_IWOTH else "its group"
            self.wrong.append(
                Wrong(path, f"{who} can write it, and so change the policy: chmod go-w {shlex.quote(path)}")
            )

    def _step(self, name: str) -> bool:
        """Enter the directory ``name`` or follow the link; False where it is the last one and no link."""
        above = self._way[-1]
        path = os.path.join(above.path, name)
        descriptor = os.open(name, _WALK, dir_fd=above.descriptor)
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode) and self._ahead:
            self._enter(path, descriptor)
            return True
        try:
            if stat.S_ISLNK(status.st_mode):
                self.look(path, status)
                self._follow(os.readlink("", dir_fd=descriptor))
                return True
        finally:
            os.close(descriptor)
        if self._ahead:
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        return False

    def _enter(self, path: str, descriptor: int) -> None:
        self._way.append(_Step(path, descriptor))
        self.look(path, os.fstat(descriptor), is_above=True)

    def _follow(self, target: str) -> None:
        self._links += 1
        if self._links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), self._path)
        self._ahead = _names(target) + self._ahead
        if target.startswith("/"):
            self._back_to(1)

    def _back_to(self, length: int) -> None:
        while len(self._way) > length:
            os.close(self._way.pop().descriptor)


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name not in ("", ".")]
