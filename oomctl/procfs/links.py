"""The link count of /proc, which tells how many processes there are even where they are not listed."""

from __future__ import annotations

import os
from collections.abc import Iterable

_UNCOUNTED = frozenset({"self", "thread-self"})
"""They are made for each mount of /proc and registered nowhere."""


def fixed_links(root: str, others: Iterable[str]) -> int:
    """Return what the link count of /proc at ``root`` has besides the processes, of which are the entries ``others``.

    It is 2 + its fixed directories + all processes (``proc_root_getattr``). Linux 5.10 for i386 was seen to count its
    files as well; a fixed directory with some of each tells what this kernel does.
    """
    if _counts_files(f"{root}/tty"):
        return 2 + len(set(others) - _UNCOUNTED)
    return 2 + sum(map(_is_directory, (f"{root}/{name}" for name in others)))


def counts_files(links: int, directories: int, entries: int) -> bool:
    """Whether a directory's count of ``links`` has all its ``entries`` in it, not only its ``directories``."""
    return directories < entries == links - 2


def _counts_files(directory: str) -> bool:
    try:
        names = os.listdir(directory)
        links = os.stat(directory).st_nlink
    except OSError:
        return False
    return counts_files(links, sum(_is_directory(f"{directory}/{name}") for name in names), len(names))


def _is_directory(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)
