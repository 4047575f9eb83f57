"""What lists and live views show of processes beside what the kernel judges them by: plain values."""

from __future__ import annotations

from typing import NamedTuple

from oomctl.model.kernel import (
    Candidate,
    Task,
    WhySpared,
)


class Growth(NamedTuple):
    """Bytes a minute; less than none of who shrinks."""

    total: float
    """Of private and shared memory, in RAM and in swap, and of page tables; files are left out."""
    private: float
    """Of that without the shared memory, which others may have, too."""


class Details(NamedTuple):
    """What people want to know of a process and the kernel's choice does not depend on."""

    user: str | None = None
    start_time: float | None = None
    """Seconds since the epoch."""
    cgroup: str | None = None
    """Its memory cgroup; where none are mounted, what /proc calls it."""
    unit: str | None = None
    """The systemd unit it belongs to."""
    manager_uid: int | None = None
    """The user whose service manager has that unit; None for the system's."""
    cmdline: str | None = None
    """Arguments joined by spaces; None where not readable, or not safe to read at this moment."""
    growth: Growth | None = None
    """Of the last minute; None where it is not known."""


class Row(NamedTuple):
    """One process as it is listed."""

    task: Task
    details: Details = Details()
    rank: int | None = None
    """1 is the one the kernel would take; None for those it cannot take."""
    candidate: Candidate | None = None
    reason: WhySpared | None = None
    """Why it cannot be chosen."""


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
    ram_total: int = 0
    """Of the machine, where ``memory_total`` is the limit of a cgroup; else 0."""
    ram_left: int = 0
