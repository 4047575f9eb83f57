"""Limits that an allocation may hit: plain values."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


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
    swap_bytes: int = 0
    """So much of what is left is swap."""
    allowed: frozenset[int] = frozenset()
    doubtful_bytes: int = 0
    """So much of what is left may not be had in the end."""


class Demand(NamedTuple):
    """Whether there is room for what a what-if adds."""

    asked_bytes: int
    stays_bytes: int
    """So much is left with it and the page tables that it needs."""
    short_bytes: int
    """So much is missing; 0: it fits."""
    limit: Limit
    """The nearest limit, and what was left under it."""
