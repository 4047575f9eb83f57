"""Who a process is, without what it weighs: enough to match targets and to write to it, at a fraction of the cost."""

from __future__ import annotations

import re

from oomctl.model.kernel import Task
from oomctl.procfs.reader import Procfs
from oomctl.procfs.reading import read_at

_LONGEST_TEXT = 1 << 16


def identity(procfs: Procfs, pid: int) -> Task | None:
    """Return a task without sizes; None when it is gone or hidden."""
    try:
        with procfs.open_task(pid) as directory:
            return procfs.identity_at(directory, pid)
    except OSError:
        return None


def process_of(procfs: Procfs, tid: int) -> int | None:
    """Return the process that a thread belongs to, which a number under /proc may be as well; None: it is not told."""
    match = re.search(r"^Tgid:\t(\d{1,10})$", text_of(procfs, tid, "status"), re.MULTILINE | re.ASCII)
    return int(match[1]) if match else None


def text_of(procfs: Procfs, pid: int, name: str) -> str:
    """Return a file of a process, ``cgroup``, ``cmdline`` or ``status``, with spaces for its NULs, cut at 64 KiB.

    Empty where it cannot be read.
    """
    try:
        with procfs.open_task(pid) as directory:
            text = read_at(directory, name, _LONGEST_TEXT)
    except OSError:
        return ""
    return text.decode(errors="replace").rstrip("\0").replace("\0", " ")
