"""What an audit finds on a machine: plain values."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from oomctl.model.kernel import Task
from oomctl.model.trend import LimitForecast


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
    forecast: LimitForecast | None = None
    """What becomes of the limit that it is said of, if it says that."""


class Enrolled(NamedTuple):
    """A process as a quick look at everybody has it."""

    pid: int
    ppid: int
    adj: int
    rss_pages: int
    """As ``stat`` shows it."""
    comm: str
    """Hostile input."""
    zombie: bool = False


class Roll(NamedTuple):
    """Of all processes those that were asked for."""

    listed: tuple[Enrolled, ...]
    """By PID."""
    largest: tuple[Enrolled, ...]
    """Those that hold the most RAM, of those that are not protected."""


class Group(NamedTuple):
    """A memory cgroup with a limit, or one that is killed or suspended as a whole; sizes in bytes."""

    path: str
    directory: str
    """Where its control files are."""
    version: int
    limit: int | None
    used: int
    """Without what reclaim can drop: page cache, the kernel's caches."""
    has_high: bool
    """v2: ``memory.high`` throttles it before the limit is reached."""
    kills_as_one: bool
    kill_disabled: bool
    pids: tuple[int, ...]
    """Members, those of cgroups below it among them."""


class Swap(NamedTuple):
    """A line of /proc/swaps."""

    name: str
    size_bytes: int


class Settings(NamedTuple):
    """Sysctls that decide how an OOM ends; None where this kernel does not have one."""

    panic_on_oom: int = 0
    oom_kill_allocating_task: int = 0
    overcommit_memory: int = 0
    oom_dump_tasks: int = 1
    sysrq: int | None = None
