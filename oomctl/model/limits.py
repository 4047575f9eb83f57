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
    allowed: frozenset[int] = frozenset()
