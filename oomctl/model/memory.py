"""Where memory is, and what was short of it, as values; no I/O in here.

Sizes are in bytes unless a name says pages. A counter that is not there was not printed, which is not zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple


class Part(str, Enum):
    """What memory is used for. No two parts of a sum share a page, as far as the kernel's counters go."""

    ANONYMOUS = "anonymous"
    """Private memory of processes, and copies of it that are in swap as well; pages shared after fork() count once."""
    SHMEM = "shmem"
    """tmpfs, System V and POSIX shared memory, shared anonymous mappings, memory of graphics drivers."""
    FILES = "files"
    """Page cache of files and block devices, mapped or not."""
    UNEVICTABLE = "unevictable"
    """Locked memory, where it is not known what of it is which of the three above."""
    SWAP_CACHE = "swap_cache"
    """Pages that are in swap as well and that no process has mapped."""
    SLAB = "slab"
    """Objects of the kernel, where the log does not tell which of the next two."""
    SLAB_RECLAIMABLE = "slab_reclaimable"
    SLAB_UNRECLAIMABLE = "slab_unreclaimable"
    PAGE_TABLES = "page_tables"
    KERNEL_STACKS = "kernel_stacks"
    PER_CPU = "per_cpu"
    VMALLOC = "vmalloc"
    SOCKETS = "sockets"
    ZSWAP = "zswap"
    """Pages of swap, compressed."""
    KERNEL_OTHER = "kernel_other"
    """What is counted as the kernel's and under no other name."""
    HUGE_PAGES = "huge_pages"
    """The pool of hugetlb, used or not: it is in nobody's RSS."""
    GRAPHICS = "graphics"
    """Pages that a graphics driver has or keeps."""
    BALLOON = "balloon"
    """Given back to the hypervisor."""
    POISONED = "poisoned"
    """Taken out of use because of hardware errors."""
    FREE = "free"
    RESERVED = "reserved"
    """Never handed to the page allocator: the kernel itself, firmware, crashkernel, holes."""
    LEFT = "left"
    """What was still missing to a cgroup's limit."""


UNHELD = frozenset(
    (
        *(Part.SHMEM, Part.SLAB, Part.SLAB_RECLAIMABLE, Part.SLAB_UNRECLAIMABLE, Part.PER_CPU, Part.VMALLOC),
        *(Part.SOCKETS, Part.KERNEL_OTHER, Part.HUGE_PAGES, Part.GRAPHICS, Part.BALLOON),
    )
)
"""Parts that are in no process's RSS, so that no kill is sure to free them; shmem as far as nobody has it mapped."""


class Whole(str, Enum):
    """What a sum adds up to."""

    RAM = "ram"
    LIMIT = "limit"
    """Of a cgroup."""
    USAGE = "usage"
    """Of a cgroup without a limit, or above it."""


class Share(NamedTuple):
    """One part of a sum."""

    part: Part
    size_bytes: int
    """More than 0."""


class Accounting(NamedTuple):
    """Where memory is: the shares and what is unexplained add up to the total and what is counted twice."""

    whole: Whole
    total_bytes: int
    shares: tuple[Share, ...]
    unexplained_bytes: int = 0
    """In no counter: pages that drivers took for themselves, most of all."""
    overlap_bytes: int = 0
    """By so much the counters exceed the total: each is kept by itself, and some lag behind."""
    mapped_bytes: int | None = None
    """Of files and shared memory so much was mapped by processes; None: not known."""
    unheld_bytes: int = 0
    """Held by no process, at least: the parts in ``UNHELD`` and what is unexplained."""
    missing: tuple[str, ...] = ()
    """Counters that should be there and are not; what they count is unexplained."""
    unlisted_bytes: int = 0
    """Of the anonymous memory at least so much belongs to no process of the report's table."""

    def size_of(self, part: Part) -> int:
        """Return a part's size, 0 where it has none."""
        return sum(share.size_bytes for share in self.shares if share.part is part)


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
