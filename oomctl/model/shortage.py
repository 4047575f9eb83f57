"""What a report counts of memory, and what was short of it, as values; no I/O in here.

Sizes are in bytes unless a name says pages. A counter that is not there was not printed, which is not zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple


class Blocks(NamedTuple):
    """Free pieces of one size in a zone (``show_free_areas``)."""

    size_bytes: int
    number: int
    kinds: str | None = None
    """``UME``: the migrate types that have some, C is CMA, H high atomic; None: the kernel prints none."""


class ZoneState(NamedTuple):
    """A memory zone of a NUMA node when the report was printed."""

    node: int
    name: str
    sizes: Mapping[str, int]
    """``free``, ``min``, ``low``, ``high``, ``free_cma``, ``reserved_highatomic``, … as the line names them."""
    reserve_pages: tuple[int, ...] | None = None
    """``lowmem_reserve[]``: kept back from requests that could be served from higher zones, by the highest zone that
    they may take."""
    blocks: tuple[Blocks, ...] = ()


class HugePool(NamedTuple):
    """``Node 0 hugepages_total=4 hugepages_free=1 ...``."""

    node: int
    total: int
    free: int
    size_bytes: int


class MemorySeen(NamedTuple):
    """The counters of one report."""

    pages: Mapping[str, int] = {}
    """Of the whole machine, by the names of Mem-Info; further ``swap_cache``, ``pagecache``, ``highmem``, ``cma``,
    ``poisoned``."""
    nodes: Mapping[int, Mapping[str, int]] = {}
    """Bytes by node and name: the lines ``Node 0 active_anon:...``."""
    zones: tuple[ZoneState, ...] = ()
    huge: tuple[HugePool, ...] = ()
    stat: Mapping[str, int] = {}
    """Of the cgroup and all below it, in bytes, by the names of memory.stat."""
    kernel_usage_bytes: int | None = None
    """``kmem: usage``, cgroup v1."""
    conflicting: bool = False
    """The same counter is there twice with different numbers: lines of two reports, or two states."""
    address_bits: int | None = None
    """32 or 64, by the addresses of the call trace."""


class Verdict(str, Enum):
    """What a zone's numbers say about the request that failed."""

    TOO_LITTLE = "too_little"
    """What it may take is below the zone's minimum, with what is kept for others."""
    BELOW_HIGH = "below_high"
    """Above the minimum, below the mark that the last try before a kill asks for."""
    IN_PIECES = "in_pieces"
    """Enough, but not in one piece."""
    FORBIDDEN = "forbidden"
    """The request may not take memory from a zone of this kind."""
    ENOUGH = "enough"
    """There was enough when the report was printed; it may have been freed since."""


class ZoneShort(NamedTuple):
    """One zone, judged for the request that failed."""

    node: int
    name: str
    verdict: Verdict
    free_bytes: int
    min_bytes: int
    kept_bytes: int = 0
    """``lowmem_reserve`` for such a request."""
    cma_bytes: int = 0
    """Of the free memory, where the request cannot have it."""
    largest_bytes: int | None = None
    """The largest free piece that the request may take; 0: none, None: not known."""


class Shortage(NamedTuple):
    """Why there was no memory for the request, as far as the report tells."""

    of_cgroup: bool = False
    """Its limit was hit, not the machine's memory."""
    limit: str | None = None
    """Which limit of the cgroup was hit: ``memory``, ``memory+swap``; None: not known."""
    machine_free_bytes: int | None = None
    """Free on the whole machine at that moment."""
    order: int | None = None
    needed_bytes: int | None = None
    """In one piece, where it is more than a page."""
    nodes: frozenset[int] | None = None
    """Nothing else was allowed; None: any node."""
    by_policy: bool = False
    """A memory policy confines it to ``nodes``, else a cpuset."""
    cpuset: str | None = None
    """The name of that cpuset, where it has one."""
    elsewhere_bytes: int | None = None
    """Free in nodes or zones that the report does not show."""
    lowmem_only: bool = False
    """32 bit: only memory that the kernel has mapped all the time can serve the request."""
    zones: tuple[ZoneShort, ...] = ()
    all_zones: bool = False
    """All of the machine's memory is in ``zones``: none was left out or cut out of the report."""
