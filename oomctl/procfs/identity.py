"""Who a process is, without what it weighs: enough to match targets and to write to it, at a fraction of the cost."""

from __future__ import annotations

import os
from collections.abc import Iterator

from oomctl.model import Task
from oomctl.procfs.reader import Procfs, read_at

_LONGEST_TEXT = 1 << 16


def first_look(procfs: Procfs, pid: int, with_uid: bool) -> Task | None:
    """Return a task of which only the name, and the user if asked for, are known; None when it is gone or hidden."""
    try:
        with open(f"{procfs.root}/{pid}/comm", "rb", buffering=0) as file:
            comm = file.read(64)[:-1].decode(errors="replace")
        return Task(pid, comm, uid=_uid(procfs, pid) if with_uid else 0)
    except OSError:
        return None


def identity(procfs: Procfs, pid: int) -> Task | None:
    """Return a task without sizes; None when it is gone or hidden."""
    try:
        with procfs.open_task(pid) as directory:
            return procfs.identity_at(directory, pid)
    except OSError:
        return None


def identities(procfs: Procfs) -> Iterator[Task]:
    """Yield every process that can be read, without sizes."""
    for name in os.listdir(procfs.root):
        if name[0] in "123456789":
            task = identity(procfs, int(name))
            if task is not None:
                yield task


def text_of(procfs: Procfs, pid: int, name: str) -> str:
    """Return a file of a process, ``cgroup`` or ``cmdline``, with spaces for its NULs, cut at 64 KiB.

    Empty where it cannot be read.
    """
    try:
        with procfs.open_task(pid) as directory:
            text = read_at(directory, name, _LONGEST_TEXT)[:_LONGEST_TEXT]
    except OSError:
        return ""
    return text.decode(errors="replace").rstrip("\0").replace("\0", " ")


def _uid(procfs: Procfs, pid: int) -> int:
    with open(f"{procfs.root}/{pid}/status", "rb", buffering=0) as file:
        status = file.read(1 << 12)
    start = status.index(b"\nUid:") + 5
    return int(status[start : start + 64].split(None, 1)[0])
