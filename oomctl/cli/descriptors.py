"""stdin, stdout and stderr, before anything else is opened; it imports next to nothing, for what is read ahead."""

from __future__ import annotations

import os
import sys


def hold_standard() -> None:
    """Keep what is opened later from becoming stdin, stdout or stderr where oomctl was started with those closed.

    Reading such a stdin and writing to such a stdout fails, as on any other that does not work; what is said to such a
    stderr is lost. A command that is executed gets them closed, as they were.
    """
    for descriptor, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            _replace(flags)
    # For good; sys.stdin stays None, which says why it cannot be read.
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def _replace(flags: int) -> None:
    try:
        os.open(os.devnull, flags | os.O_CLOEXEC)  # gets the lowest number that is free: the closed one
    except OSError:
        return  # no /dev/null here
