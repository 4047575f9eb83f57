"""What lists and live views show of processes beside what the kernel judges them by: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from oomctl.model.kernel import (
    Candidate,
    Scenario,
    Task,
    WhySpared,
)


class Details(NamedTuple):
    """What people want to know of a process and the kernel's choice does not depend on."""

    user: str | None = None
    start_time: float | None = None
    """Seconds since the epoch."""
    cgroup: str | None = None
    """Its memory cgroup."""
    unit: str | None = None
    """The systemd unit it belongs to."""
    manager_uid: int | None = None
    """The user whose service manager has that unit; None for the system's."""
    cmdline: str | None = None
    """Arguments joined by spaces; None where not readable, or not safe to read at this moment."""


class OriginKind(str, Enum):
    """Who sets values."""

    DEFAULT = "default"
    """Nobody did."""
    INHERITED = "inherited"
    UNIT = "unit"
    PROGRAM = "program"
    """By itself, or for what it starts."""
    RUNTIME = "runtime"
    """Of containers."""
    KUBELET = "kubelet"
    OOMCTL = "oomctl"
    UNKNOWN = "unknown"


class Confidence(str, Enum):
    """How sure it is where a value comes from."""

    SURE = "sure"
    LIKELY = "likely"
    POSSIBLE = "possible"


class Origin(NamedTuple):
    """Where an ``oom_score_adj`` probably comes from; the kernel does not record it."""

    kind: OriginKind
    by: str
    """In words."""
    confidence: Confidence
    source: str | None
    """What says so; None where nothing does."""


class Row(NamedTuple):
    """One process as it is listed."""

    task: Task
    details: Details = Details()
    rank: int | None = None
    """1 is the one the kernel would take; None for those it cannot take."""
    candidate: Candidate | None = None
    reason: WhySpared | None = None
    """Why it cannot be chosen."""


class Group(NamedTuple):
    """Processes of one unit, user or cgroup."""

    name: str
    processes: int
    rss_pages: int
    swap_pages: int
    pgtables_pages: int
    first: Row
    """The member that would die: the one with the best rank, or any where none can be chosen."""


class Pressure(NamedTuple):
    """Share of the last ten seconds, in percent, in which tasks waited for memory (``/proc/pressure/memory``)."""

    some: float
    """At least one task waited."""
    full: float
    """All tasks that were not idle waited."""


class Look(NamedTuple):
    """One look of many at the same memory."""

    scenario: Scenario
    details: Mapping[int, Details]
    """By PID, without command lines."""
    pressure: Pressure | None = None
    """None: this kernel does not say."""
    unread_near: int = 0
    """Tasks that may be near the first and whose numbers are those of an earlier look."""


class LimitKind(str, Enum):
    """What a limit is one of."""

    MEMCG = "memcg"
    NODES = "nodes"
    """The NUMA nodes that a cpuset allows."""
    MACHINE = "machine"


class Limit(NamedTuple):
    """One limit above a process; ``left_bytes`` counts page cache that can be dropped and swap as room."""

    kind: LimitKind
    left_bytes: int
    memcg: str | None = None
    allowed: frozenset[int] = frozenset()


class Machine(NamedTuple):
    """What the line above the ranking says; sizes in bytes."""

    kernel: str
    page_size: int
    totalpages: int
    scope: str
    """What runs out: ``machine``, or a cgroup's path."""
    memory_total: int
    memory_left: int
    swap_total: int
    swap_left: int
    candidates: int = 0
    unkillable: int = 0
    hidden: int = 0
