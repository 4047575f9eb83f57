"""Where the command line says that /proc and the cgroups are, if not here: the host's, mounted into a container."""

from __future__ import annotations

PROC = "OOMCTL_PROC"
CGROUP_ROOT = "OOMCTL_CGROUP_ROOT"


class Said:
    """What this run's command line says; None where it says nothing."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget it: another run begins, which in a test is the same process."""
        self.proc: str | None = None
        self.cgroup_root: str | None = None


said = Said()
