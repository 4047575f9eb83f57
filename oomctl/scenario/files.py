"""Which files are asked when several are given, or a directory of them; and which host each one is of."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from os.path import isdir

from oomctl.errors import BadInput, NotPermitted
from oomctl.oomlog import sources

_SNAPSHOT = re.compile(r"\.json(?:\.gz|\.xz)?$")


def are_several(given: tuple[str, ...]) -> bool:
    """Whether more than one machine may be asked about; a directory with one snapshot is no other case."""
    return len(given) > 1 or any(map(isdir, given))


def files_of(given: Iterable[str]) -> list[str]:
    """Return the files in the order given, those of a directory by name: its snapshots, none below it or hidden.

    BadInput, NotPermitted: a directory cannot be read, or has none.
    """
    files: list[str] = []
    for name in given:
        files += _snapshots_in(name) if isdir(name) else [name]
    return files


def host_of(file: str) -> str:
    """Return the name of a file without its directory, and without what snapshots are called by."""
    return _SNAPSHOT.sub("", os.path.basename(sources.called(file))) or file


def _snapshots_in(directory: str) -> list[str]:
    try:
        with os.scandir(directory) as entries:
            # Not entry.is_dir(): it raises an error for a link that leads to itself, and the others would be lost.
            names = sorted(entry.name for entry in entries if _SNAPSHOT.search(entry.name) and not isdir(entry))
    except PermissionError:
        raise NotPermitted(f"{directory}: reading the directory was refused") from None
    except OSError as error:
        raise BadInput(f"{directory}: {error.strerror or error}") from None
    names = [name for name in names if not name.startswith(".")]
    if not names:
        raise BadInput(f"{directory}: no snapshot in it; expected files called *.json, *.json.gz or *.json.xz")
    return [os.path.join(directory, name) for name in names]
