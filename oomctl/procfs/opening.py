"""How files under /proc are opened. It imports next to nothing: what reads ahead begins before anything else."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # that of typing takes longer to import than this reads
if TYPE_CHECKING:
    from collections.abc import Container, Iterable

# O_NONBLOCK: what stands where a file is expected must not make its reader wait. Files of /proc do not know it.
READING = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
LISTING = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
PASSING = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
VANISHED = (FileNotFoundError, ProcessLookupError)
"""What opening and reading the files of a process raise when it is gone."""
_LONGEST_SCORE = 16  # bytes


def is_pid(name: str | bytes) -> bool:
    """Whether the kernel would give a process, or a thread, this name under /proc."""
    return name.isdigit() and name.isascii() and len(name) < 8 and name[:1] not in ("0", b"0")


def scores_at(root: int, pids: Iterable[int], left_out: Container[int | None]) -> tuple[list[tuple[int, int]], int]:
    """Return (``oom_score``, PID) of each process below an open /proc, and how many may not be read."""
    listed: list[tuple[int, int]] = []
    unreadable = 0
    for pid in pids:
        if pid in left_out:
            continue
        try:
            descriptor = os.open(f"{pid}/oom_score", READING, dir_fd=root)
            try:
                listed.append((int(os.read(descriptor, _LONGEST_SCORE)), pid))
            finally:
                os.close(descriptor)
        except VANISHED:
            continue
        except (OSError, ValueError):  # not permitted, or no number
            unreadable += 1
    return listed, unreadable
