"""Files under /proc and in cgroups: opened without waiting, read with a bound, and how PIDs stand in them.

A process chooses how long some of its files are, and who mounts something there what stands in them.
"""

from __future__ import annotations

import errno
import functools
import os
from collections.abc import Callable
from typing import TypeVar

from oomctl.guard.files import read_bounded
from oomctl.procfs.opening import LISTING, READING, is_pid

LONGEST_LIST = 1 << 25  # PID_MAX_LIMIT, 4,194,304 PIDs with a separator
_FIRST_READ = 1 << 14  # what a status fits into, but for one with thousands of groups


class Malformed(OSError):
    """A file of a process says what no kernel writes there: such a process counts as hidden."""

    def __init__(self, what: str) -> None:
        super().__init__(errno.EBADMSG, "not as the kernel writes it", what)


Parser = TypeVar("Parser", bound=Callable[..., object])


def parses(function: Parser) -> Parser:
    """Decorate what reads a process: text that it cannot make sense of is Malformed, whatever it stumbled over."""

    @functools.wraps(function)
    def parsing(*args: object) -> object:
        try:
            return function(*args)
        except (ValueError, IndexError) as error:
            raise Malformed(str(error)) from error

    return parsing  # type: ignore[return-value]  # the same signature


def read_at(directory: int | None, name: str, most_bytes: int = 4096, in_pieces: bool = False) -> bytes:
    """Read a file, below an open directory if given: at most ``most_bytes``, cut there. Raises OSError.

    What the kernel hands out at once is over with a read that leaves room; lists that may be longer than a page come
    ``in_pieces``, and end with an empty one.
    """
    descriptor = os.open(name, READING, dir_fd=directory)
    try:
        if in_pieces:
            return read_bounded(descriptor, most_bytes)
        if most_bytes <= _FIRST_READ:
            return os.read(descriptor, most_bytes)
        text = os.read(descriptor, _FIRST_READ)
        return text if len(text) < _FIRST_READ else text + read_bounded(descriptor, most_bytes - _FIRST_READ)
    finally:
        os.close(descriptor)


def pids_listed_at(directory: int, name: str) -> list[int]:
    """Return the names of a directory below an open one that are PIDs or TIDs. Raises OSError."""
    descriptor = os.open(name, LISTING, dir_fd=directory)
    try:
        return [int(entry) for entry in os.listdir(descriptor) if is_pid(entry)]
    finally:
        os.close(descriptor)


def pids_in(text: bytes) -> list[int]:
    """Return the PIDs in a list with blanks or newlines between them."""
    return [int(word) for word in text.split() if is_pid(word)]
