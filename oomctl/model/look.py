"""What live views show beside the rows of a list: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from oomctl.model.kernel import Scenario
from oomctl.model.listing import Details, Row


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
    read: frozenset[int] | None = None
    """PIDs of those whose numbers are of this look; None: all are."""
