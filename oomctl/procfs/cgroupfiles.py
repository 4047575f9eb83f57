"""Files and directories of cgroups, in a hierarchy of any depth: what stands in them, none where they are missing."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from oomctl.errors import ImpossibleHere
from oomctl.guard.files import read_bounded
from oomctl.procfs.opening import PASSING, READING
from oomctl.procfs.reading import LONGEST_LIST, pids_in, read_at

_V1_UNLIMITED = 1 << 62  # PAGE_COUNTER_MAX is just below 2**63 bytes, by page size
_UNLIMITED_32_BIT_PAGES = (1 << 31) - 1  # there it is LONG_MAX pages (include/linux/page_counter.h)
_LONGEST_CONTROL = 1 << 16  # memory.stat has 100 lines
_LONGEST_PATH = 4000  # what the kernel takes at once, PATH_MAX less something
_SIZE = re.compile(r"\d{1,20}", re.ASCII)


class Listed(NamedTuple):
    """A list of processes."""

    pids: list[int]
    zeros: int = 0
    """So many have no number in this PID namespace (v2; v1 leaves them out)."""
    readable: bool = True


def limit_in(directory: str, name: str, page_size: int) -> int | None:
    """Return a limit in pages; None: there is none, or no such file.

    Raises ImpossibleHere where it may not be read, as it may be the one that decides.
    """
    try:
        text = read_path(f"{directory}/{name}", _LONGEST_CONTROL).decode(errors="replace").strip()
    except PermissionError as error:
        raise ImpossibleHere(
            f"{directory}/{name}: {error.strerror}; what limit is set there cannot be seen, ask as root"
        ) from None
    except (OSError, ValueError):
        return None
    if _SIZE.fullmatch(text) is None:  # "max", or no such file
        return None
    size = int(text)
    unlimited = size >= _V1_UNLIMITED or size == _UNLIMITED_32_BIT_PAGES * page_size
    return None if unlimited else size // page_size


def number_in(directory: str, name: str, default: int = 0) -> int:
    """Return the number in a control file; ``default`` where there is no such file, or none in it."""
    text = text_in(directory, name).strip()
    return int(text) if _SIZE.fullmatch(text) else default


def text_in(directory: str, name: str) -> str:
    """Return a control file's text, empty where this kernel or this cgroup has no such file."""
    try:
        return read_path(f"{directory}/{name}", _LONGEST_CONTROL).decode(errors="replace")
    except (OSError, ValueError):
        return ""


def lists_at(directory: int, name: str) -> Listed:
    """Return the processes in a file below an open directory, none where it cannot be read."""
    try:
        text = read_at(directory, name, LONGEST_LIST, in_pieces=True)
    except PermissionError:
        return Listed([], readable=False)
    except OSError:
        return Listed([])
    return Listed(pids_in(text), text.split().count(b"0"))


def read_path(path: str, most_bytes: int) -> bytes:
    """Read a file with a path of any length. Raises OSError, and ValueError for a path with a NUL."""
    descriptor = opened(path, READING)
    try:
        return read_bounded(descriptor, most_bytes)
    finally:
        os.close(descriptor)


def children_at(directory: int) -> list[str]:
    """Return the names of the cgroups in an open directory, oldest first."""
    try:
        with os.scandir(directory) as entries:
            directories = [(entry.inode(), entry.name) for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [name for _, name in sorted(directories)]


def is_directory(path: str) -> bool:
    """Whether there is a directory of that name."""
    try:
        os.close(opened(path, PASSING))
    except (OSError, ValueError):
        return False
    return True


def opened(path: str, flags: int) -> int:
    """Open a path of any length: one too long for the kernel piece by piece, as cgroups may be nested.

    Raises OSError, and ValueError for a path with a NUL.
    """
    whole, start, directory = os.fsencode(path), 0, None
    while True:
        cut = whole.rfind(b"/", start + 1, start + _LONGEST_PATH) if len(whole) - start > _LONGEST_PATH else -1
        name = whole[start:cut] if cut > 0 else whole[start:]
        try:
            inner = os.open(name, PASSING if cut > 0 else flags, dir_fd=directory)
        finally:
            if directory is not None:
                os.close(directory)
        if cut < 0:
            return inner
        start, directory = cut + 1, inner
