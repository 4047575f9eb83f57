"""The way to a file, looked at name by name: who could have put there what a path names, or lead it elsewhere.

A path is walked from / by descriptors, symbolic links by hand; what was looked at is what is opened, whatever others
rename meanwhile.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from types import TracebackType
from typing import NamedTuple

from oomctl.guard.files import open_regular

_MOST_LINKS = 40  # MAXSYMLINKS, include/linux/namei.h
_PATH = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class Seen(NamedTuple):
    """A directory on the way, or a symbolic link."""

    path: str
    """With the links before it resolved."""
    status: os.stat_result


class Opened(NamedTuple):
    """What a walk ended at, open for reading or listing."""

    descriptor: int
    is_directory: bool


class _Step(NamedTuple):
    path: str
    descriptor: int


class Walk:
    """The way from / to a file: the directories above it, open until the block ends, and the names still ahead."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._links = 0
        self._ahead = _names(path if path.startswith("/") else f"{os.getcwd()}/{path}")
        self._way: list[_Step] = []

    def __enter__(self) -> Walk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._back_to(0)

    def go(self) -> Iterator[Seen]:
        """Walk until at most one name is ahead, of something that is no link, and yield what is passed.

        Raises OSError where there is nothing to be passed.
        """
        yield self._enter("/", os.open("/", _PATH))
        while self._ahead:
            name = self._ahead.pop(0)
            if name == "..":
                self._back_to(max(len(self._way) - 1, 1))
                continue
            seen = self._step(name)
            if seen is None:
                self._ahead = [name]
                return
            yield seen

    def last(self) -> str:
        """Return the path of what was reached, links resolved."""
        return os.path.join(self._way[-1].path, *self._ahead)

    def status_of_last(self) -> os.stat_result:
        """Return what is known of what was reached. Raises OSError."""
        name = self._ahead[0] if self._ahead else "."
        return os.stat(name, dir_fd=self._way[-1].descriptor, follow_symlinks=False)

    def open_last(self, or_directory: bool) -> Opened:
        """Open what was reached: a regular file for reading, or (``or_directory``) a directory for listing it.

        Never waits. Raises OSError for what is neither.
        """
        above = self._way[-1].descriptor
        name = self._ahead[0] if self._ahead else "."
        if or_directory and stat.S_ISDIR(self.status_of_last().st_mode):
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            return Opened(os.open(name, flags, dir_fd=above), True)
        return Opened(open_regular(name, os.O_NOFOLLOW, above), False)

    def may_be_made(self) -> bool:
        """Whether what is missing, when ``go`` raised FileNotFoundError, would be made below what was passed."""
        return ".." not in self._ahead

    def _step(self, name: str) -> Seen | None:
        """Enter the directory ``name`` or follow the link; None where it is the last one and no link."""
        above = self._way[-1]
        path = os.path.join(above.path, name)
        descriptor = os.open(name, _PATH, dir_fd=above.descriptor)
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode) and self._ahead:
            return self._enter(path, descriptor)
        try:
            if stat.S_ISLNK(status.st_mode):
                self._follow(os.readlink("", dir_fd=descriptor))
                return Seen(path, status)
        finally:
            os.close(descriptor)
        if self._ahead:
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        return None

    def _enter(self, path: str, descriptor: int) -> Seen:
        self._way.append(_Step(path, descriptor))
        return Seen(path, os.fstat(descriptor))

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


def only_ours(path: str) -> bool:
    """Whether nobody but root and this user can have put there what ``path`` names, or anything on the way to it.

    Symbolic links are followed under the same rule. What does not exist yet is as good as where it would be made.
    """
    if not os.path.isabs(path):
        return False
    with contextlib.suppress(OSError), Walk(path) as walk:  # OSError: out of our sight
        try:
            return all(_is_ours(seen.status) for seen in walk.go()) and _is_ours(walk.status_of_last())
        except FileNotFoundError:
            return walk.may_be_made()
    return False


def _is_ours(status: os.stat_result) -> bool:
    """Whether only root and this user can change what it holds.

    Nobody writes a link, and in a sticky directory others replace only what is their own. A group that may write is
    taken for the user's own (as a umask of 002 makes it), but not by root.
    """
    if status.st_uid not in (0, os.geteuid()):
        return False
    writable = status.st_mode & (0o022 if os.geteuid() == 0 else 0o002)
    is_sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    return not writable or stat.S_ISLNK(status.st_mode) or bool(is_sticky)


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name not in ("", ".")]
