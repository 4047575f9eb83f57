"""Why the allocator had nothing for a request: the zones it may take from, judged as the kernel does.

``__zone_watermark_ok`` (mm/page_alloc.c): free pages without CMA (unless the request is movable) and without those
reserved for atomic requests must stay above the mark and what ``lowmem_reserve`` keeps for requests that no higher zone
can serve, and there must be a piece of the size asked for. The last try before a kill asks for the mark ``high``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from oomctl.model.shortage import Blocks, Verdict, ZoneShort, ZoneState

_GFP_DMA, _GFP_HIGHMEM, _GFP_DMA32, _GFP_MOVABLE = 1, 2, 4, 8
"""The four lowest bits since 2.6.31 (include/linux/gfp.h, GFP_ZONEMASK)."""
_ORDER_OF_ZONES = ("DMA", "DMA32", "Normal", "HighMem", "Movable", "Device")
_CMA, _HIGH_ATOMIC, _ISOLATED = "C", "H", "I"


class Request(NamedTuple):
    """What was asked for."""

    order: int
    mask: int
    """gfp_mask."""

    @property
    def highest_zone(self) -> str:
        """The highest zone that it may take from (``gfp_zone``)."""
        if self.mask & _GFP_HIGHMEM:
            return "Movable" if self.mask & _GFP_MOVABLE else "HighMem"
        if self.mask & _GFP_DMA:
            return "DMA"
        return "DMA32" if self.mask & _GFP_DMA32 else "Normal"

    @property
    def may_use_cma(self) -> bool:
        """CMA holds movable pages only."""
        return bool(self.mask & _GFP_MOVABLE)

    def may_use(self, zone: str) -> bool:
        """Whether it may take from a zone of that name; unknown ones are not judged."""
        if zone not in _ORDER_OF_ZONES or zone == "Device":
            return False
        return _ORDER_OF_ZONES.index(zone) <= _ORDER_OF_ZONES.index(self.highest_zone)


def judged(request: Request, zones: Iterable[ZoneState], page: int, has_highmem: bool) -> tuple[ZoneShort, ...]:
    """Return what each zone's numbers say about ``request``; ``has_highmem``: the kernel has a zone of that name."""
    return tuple(_judge(request, zone, page, has_highmem) for zone in zones if {"free", "min"} <= zone.sizes.keys())


def _judge(request: Request, zone: ZoneState, page: int, has_highmem: bool) -> ZoneShort:
    free, low = zone.sizes["free"], zone.sizes["min"]
    allowed = request.may_use(zone.name)
    cma = 0 if request.may_use_cma else zone.sizes.get("free_cma", 0)
    kept = _kept_pages(request, zone, has_highmem) * page if allowed else 0
    found = ZoneShort(zone.node, zone.name, Verdict.FORBIDDEN, free, low, kept, cma)
    if not allowed:
        return found
    largest = _largest(zone.blocks, request) if zone.blocks else None
    found = found._replace(largest_bytes=largest)
    needed = page << max(request.order, 0)
    usable = free - cma - zone.sizes.get("reserved_highatomic", 0) - (needed - page)
    if usable <= low + kept:
        return found._replace(verdict=Verdict.TOO_LITTLE)
    if largest is not None and largest < needed:
        return found._replace(verdict=Verdict.IN_PIECES)
    if usable <= zone.sizes.get("high", 0) + kept:
        return found._replace(verdict=Verdict.BELOW_HIGH)
    return found._replace(verdict=Verdict.ENOUGH)


def _largest(blocks: tuple[Blocks, ...], request: Request) -> int:
    """Return the size of the largest free piece that the request can have."""
    usable = (block.size_bytes for block in blocks if block.number and _is_usable(block, request))
    return max(usable, default=0)


def _is_usable(block: Blocks, request: Request) -> bool:
    """Pieces are of one kind each; where some may be of another kind, they count."""
    refused = {_HIGH_ATOMIC, _ISOLATED} | (set() if request.may_use_cma else {_CMA})
    return block.kinds is None or bool(set(block.kinds) - refused)


def _kept_pages(request: Request, zone: ZoneState, has_highmem: bool) -> int:
    """Return ``lowmem_reserve`` for the highest zone of the request; 0 where its place in the list is not certain."""
    reserve = zone.reserve_pages
    if reserve is None:
        return 0
    # Zones as they are configured: the list has a place for each, used or not.
    layouts = {
        (4, True): ("DMA", "Normal", "HighMem", "Movable"),
        (3, True): ("Normal", "HighMem", "Movable"),
        (5, False): ("DMA", "DMA32", "Normal", "Movable", "Device"),
        (4, False): ("DMA", "DMA32", "Normal", "Movable"),
        (2, False): ("Normal", "Movable"),
    }
    layout = layouts.get((len(reserve), has_highmem))
    if layout is None or zone.name not in layout:
        return 0
    highest = request.highest_zone
    if highest == "HighMem" and not has_highmem:
        highest = "Normal"
    return reserve[layout.index(highest)] if highest in layout else 0
