"""Opens what root is about to obey: only where nobody else could have written it, as sshd does with its files.

The way there is walked by ``guard.walk``; here is said what is wrong with it.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
from collections.abc import Iterator
from typing import NamedTuple

from oomctl.guard.walk import Opened, Walk
from oomctl.procfs.details import user_name

_WRITABLE = stat.S_IWGRP | stat.S_IWOTH


class Wrong(NamedTuple):
    """A file, directory or link that somebody else could use to change the settings."""

    path: str
    message: str
    """Who, and the command that mends it."""


class Distrusted(Exception):
    """Somebody else could change what was asked for."""

    def __init__(self, faults: tuple[Wrong, ...]) -> None:
        super().__init__(str(faults[0].message))
        self.faults = faults


@contextlib.contextmanager
def open_trusted(path: str, or_directory: bool = False) -> Iterator[Opened]:
    """Open a regular file for reading, or (``or_directory``) a directory for listing it; never waits.

    It, every directory above it, and every symbolic link on the way have to belong to root or to the user who asks,
    and must not be writable by others. In a directory that is writable but sticky, such as /tmp, others can neither
    rename nor remove what is not theirs: such a one may be above the file, but not be listed.

    Raises Distrusted with all that is wrong, and OSError for what cannot be opened or is neither.
    """
    with Walk(path) as walk:
        wrong = [found for seen in walk.go() for found in _wrong_with(seen.path, seen.status, is_above=True)]
        opened = walk.open_last(or_directory)
        try:
            wrong += _wrong_with(walk.last(), os.fstat(opened.descriptor))
            if wrong:
                raise Distrusted(tuple(dict.fromkeys(wrong)))
            yield opened
        finally:
            os.close(opened.descriptor)


def _wrong_with(path: str, status: os.stat_result, is_above: bool = False) -> Iterator[Wrong]:
    """Yield what is wrong with a file, directory or link."""
    if status.st_uid not in (0, os.geteuid()):
        who = user_name(status.st_uid)
        yield Wrong(path, f"belongs to {who}, who could change the settings: chown root: {shlex.quote(path)}")
    writable = status.st_mode & _WRITABLE and not stat.S_ISLNK(status.st_mode)
    if writable and not (is_above and status.st_mode & stat.S_ISVTX):
        who = "everybody" if status.st_mode & stat.S_IWOTH else "its group"
        yield Wrong(path, f"{who} can write it, and so change the settings: chmod go-w {shlex.quote(path)}")
