"""Who a process is, without what it weighs: enough to match targets and to write to it, at a fraction of the cost."""

from __future__ import annotations

from oomctl.model import Task
from oomctl.procfs.reader import Procfs


def identity(procfs: Procfs, pid: int) -> Task | None:
    """Return a task without sizes; None when it is gone or hidden."""
    try:
        with procfs.open_task(pid) as directory:
            return procfs.identity_at(directory, pid)
    except OSError:
        return None
