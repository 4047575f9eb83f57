r"""The lines of a report that count memory -> values: Mem-Info, zones, huge pages, and the statistics of a cgroup.

Each function takes a message without its prefix and returns None where the line is none of its kind. ``shapes`` calls
them. syslog joins the lines of one record by ``#012``, dmesg by ``\x0a``.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Union

from oomctl.model.oomreport import Zone
from oomctl.model.shortage import Blocks, HugePool

Sizes = tuple[tuple[str, int], ...]
"""Names with bytes, or with pages."""

_COUNTERS = re.compile(
    r"\s*(?:active_anon|active_file|unevictable|free|slab_reclaimable|mapped|sec_pagetables|pagetables"
    r"|kernel_misc_reclaimable|free_cma|shmem):\d"
)
_PAGES = re.compile(r"\b([a-z_]{3,30}):(\d{1,15})(?=[\s#\\]|$)")
_SIZE = re.compile(r"\b([A-Za-z_]{3,30}(?:\((?:anon|file)\))?): ?(\d{1,15})[kK]B")
_ZONE = re.compile(r" ?(?:Node (\d{1,5}) )?(\w{1,16}) free:\d")
_NODE = re.compile(r" ?Node (\d{1,5}) active_anon:\d")
_RESERVE = re.compile(r" ?lowmem_reserve\[\]:((?: \d{1,15}){1,16})")
_BUDDY = re.compile(r" ?(?:Node (\d{1,5}) )?(\w{1,16}): (?=\d{1,20}\*(\d{1,6})kB )")
_MOST_BLOCKS = 20  # sizes in one zone; there are 11 to 17
_BLOCKS = re.compile(r"(\d{1,15})\*(\d{1,9})kB(?: \(([A-Z]{1,8})\))?")
_HUGE = re.compile(
    r" ?Node (\d{1,5}) hugepages_total=(\d{1,12}) hugepages_free=(\d{1,12}) hugepages_surp=\d{1,12}"
    r" hugepages_size=(\d{1,12})kB"
)
_OTHER_TOTALS = (
    ("swap_cache", re.compile(r"\b(\d{1,15}) pages in swap cache\b")),
    ("highmem", re.compile(r"\b(\d{1,15}) pages (?:HighMem|of HIGHMEM)\b")),
    ("cma", re.compile(r"\b(\d{1,15}) pages cma reserved\b")),
    ("poisoned", re.compile(r"\b(\d{1,15}) pages hwpoisoned\b")),
)
_SIZES_KEPT = frozenset(
    (
        *("free", "min", "low", "high", "free_cma", "reserved_highatomic", "present", "managed"),
        *("kernel_stack", "writeback_tmp", "Balloon", "gpu_active", "gpu_reclaim"),
    )
)
_STAT = re.compile(r"\s*([a-z_]{3,30}) (\d{1,18})\s*$")
_OLD_STAT = re.compile(r"\b([a-z_]{3,30}):(\d{1,15})KB")
_JOINED = re.compile(r"#012|\\x0a|\\n|\n")
_ADDRESS = re.compile(r"\[<([c-f][0-9a-f]{7}|[0-9a-f]{16})>\]")
STAT_NAMES = frozenset(
    (
        *("anon", "file", "kernel", "kernel_stack", "pagetables", "sec_pagetables", "percpu", "sock", "vmalloc"),
        *("shmem", "zswap", "file_mapped", "swapcached", "inactive_anon", "active_anon", "inactive_file"),
        *("active_file", "unevictable", "slab_reclaimable", "slab_unreclaimable", "slab"),
        *("cache", "rss", "mapped_file"),
    )
)
"""Names of memory.stat, v2 and v1, that a sum is made of."""


class Counters(NamedTuple):
    """``active_anon:72024 inactive_anon:72017 isolated_anon:992``: pages of the whole machine."""

    pages: Sizes


class NodeSizes(NamedTuple):
    """``Node 0 active_anon:23252kB ...``."""

    node: int
    sizes: Sizes


class ZoneSizes(NamedTuple):
    """``Node 0 DMA free:4044kB min:60kB ...``."""

    zone: Zone
    sizes: Sizes


class Reserve(NamedTuple):
    """``lowmem_reserve[]: 0 994 994 994``, of the zone in the line before."""

    pages: tuple[int, ...]


class FreeBlocks(NamedTuple):
    """``Node 0 DMA: 13*4kB 37*8kB ...``: the buddy allocator's smallest block is a page."""

    node: int
    zone: str
    page_kib: int
    blocks: tuple[Blocks, ...]


class StatLines(NamedTuple):
    """Numbers of memory.stat, one or more lines."""

    sizes: Sizes


class AddressBits(NamedTuple):
    """``[<c01408cb>] out_of_memory+0x69/0x18e``: how long an address is."""

    bits: int


# Python 3.9 has no ``|`` between classes.
Counted = Union[Counters, NodeSizes, ZoneSizes, Reserve, FreeBlocks, HugePool, StatLines, AddressBits]


def counters(message: str) -> Counters | None:
    """Read one of the lines below ``Mem-Info:``."""
    if _COUNTERS.match(message) is None:
        return None
    return Counters(tuple((name, int(number)) for name, number in _PAGES.findall(message)))


def other_total(message: str) -> Counters | None:
    """Read ``19923 pages in swap cache`` and its like, which stand below the zones."""
    for name, pattern in _OTHER_TOTALS:
        match = pattern.search(message)
        if match:
            return Counters(((name, int(match[1])),))
    return None


def node_sizes(message: str) -> NodeSizes | None:
    """Read a node's line, 4.8 and later."""
    match = _NODE.match(message)
    return NodeSizes(int(match[1]), _sizes(message)) if match else None


def zone_sizes(message: str) -> ZoneSizes | None:
    """Read a zone's line; one that is cut before the zone's size is none."""
    match = _ZONE.match(message)
    if match is None:
        return None
    sizes = _sizes(message)
    present = dict(sizes).get("present")
    return None if present is None else ZoneSizes(Zone(int(match[1] or 0), match[2], present), sizes)


def reserve(message: str) -> Reserve | None:
    """Read the line behind a zone's."""
    match = _RESERVE.match(message)
    return Reserve(tuple(map(int, match[1].split()))) if match else None


def free_blocks(message: str) -> FreeBlocks | None:
    """Read a zone's free pieces."""
    match = _BUDDY.match(message)
    if match is None:
        return None
    blocks = tuple(
        Blocks(int(kib) << 10, int(number), kinds or None)
        for number, kib, kinds in _BLOCKS.findall(message)[:_MOST_BLOCKS]
    )
    return FreeBlocks(int(match[1] or 0), match[2], int(match[3]), blocks)


def huge_pool(message: str) -> HugePool | None:
    """Read a node's pool of huge pages of one size."""
    match = _HUGE.match(message)
    return HugePool(int(match[1]), int(match[2]), int(match[3]), int(match[4]) << 10) if match else None


def stat_lines(message: str) -> StatLines | None:
    """Read a line of memory.stat as 5.3 and later print it, or several joined by syslog."""
    if not message[-1:].isdigit() and not message[-1:].isspace():
        return None  # most lines, without trying a pattern
    pairs = [match.groups() for part in _JOINED.split(message) if (match := _STAT.match(part))]
    found = tuple((name, int(number)) for name, number in pairs if name.removeprefix("total_") in STAT_NAMES)
    return StatLines(found) if found else None


def old_stat(message: str) -> Sizes:
    """Return what ``cache:840KB rss:523448KB ...`` says, up to 5.2: without the cgroups below."""
    return tuple((name, int(kib) << 10) for name, kib in _OLD_STAT.findall(message) if name in STAT_NAMES)


def address_bits(message: str) -> AddressBits | None:
    """Read the first address of a line of the call trace: of 64 bits, or of 32 on x86, ARM and PowerPC.

    There kernels begin at 0xc0000000 and may have memory above what fits. On MIPS they begin below.
    """
    match = _ADDRESS.search(message)
    return AddressBits(len(match[1]) * 4) if match else None


def _sizes(message: str) -> Sizes:
    return tuple((name, int(kib) << 10) for name, kib in _SIZE.findall(message) if name in _SIZES_KEPT)
