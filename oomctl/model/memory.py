"""Where memory is, as values; no I/O in here.

Sizes are in bytes unless a name says pages. A counter that is not there was not printed, which is not zero.
"""

from __future__ import annotations

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
