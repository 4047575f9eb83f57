"""Look at an installation for root as an attacker would who has any other account: nothing of it may be theirs.

``check_installation.py PREFIX``: every file below it belongs to root, can be written by nobody else, and no link leads
to what others can write.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path


def main() -> None:
    prefix = Path(sys.argv[1])
    faults = sorted(set(faults_below(prefix)))
    sys.stdout.write("".join(f"{fault}\n" for fault in faults) or f"{prefix}: only root can change what root runs\n")
    sys.exit(bool(faults))


def faults_below(prefix: Path) -> Iterator[str]:
    for directory, names, files in os.walk(prefix):
        for name in ("", *names, *files):
            path = Path(directory, name)
            if path.is_symlink():
                yield from faults_above(path.resolve())
            elif (reason := weakness(path)) is not None:
                yield reason


def faults_above(path: Path) -> Iterator[str]:
    """What a link leads to, and the directories it stands in."""
    for place in (path, *path.parents):
        if (reason := weakness(place)) is not None:
            yield reason


def weakness(path: Path) -> str | None:
    status = path.stat()
    if status.st_uid != 0:
        return f"{path}: belongs to uid {status.st_uid}"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX:
        return f"{path}: others than root can write it"
    return None


if __name__ == "__main__":
    main()
