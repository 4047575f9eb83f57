"""What an audit finds on a machine: plain values."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from oomctl.model.kernel import Task


class Severity(str, Enum):
    """How bad it is; the worst last."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for the least."""
        return list(Severity).index(self)


class Finding(NamedTuple):
    """One thing that is wrong or dangerous, and the command that mends it."""

    id: str
    """Of the check that found it; an interface."""
    severity: Severity
    message: str
    """One sentence without a full stop; names of processes in it are harmless already."""
    remedy: str | None
    """A command for a shell of root's; None where nothing that could be run here would mend it."""
    process: Task | None = None
    """The process that it is said of, if it is one."""
    unit: str | None = None
    cgroup: str | None = None
    pids: frozenset[int] = frozenset()
    """Everybody whom it concerns, ``process`` among them."""
