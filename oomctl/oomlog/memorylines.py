"""The counters of one report while its lines come in."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

from oomctl.model.oomreport import Zone
from oomctl.model.shortage import Blocks, HugePool, MemorySeen, ZoneState
from oomctl.oomlog.lines import Node
from oomctl.oomlog.meminfo import (
    AddressBits,
    Counted,
    Counters,
    FreeBlocks,
    NodeSizes,
    Reserve,
    Sizes,
    StatLines,
    ZoneSizes,
)

PAGES_KIB = (4, 8, 16, 32, 64, 256)
"""Page sizes of the architectures that Linux runs on."""
_MOST_NAMES = 200
_MOST = 4096  # nodes, zones, pools of one report


class MemoryLines:
    """What the lines of one report that count memory have said so far."""

    def __init__(self) -> None:
        """Begin without any."""
        self.node_numbers: set[int] = set()
        """Every NUMA node that a line names."""
        self.page_kib: int | None = None
        """The size of a page, where a line tells."""
        self._pages: dict[str, int] = {}
        self._nodes: dict[int, dict[str, int]] = {}
        self._zones: dict[tuple[int, str], dict[str, int]] = {}
        self._reserves: dict[tuple[int, str], tuple[int, ...]] = {}
        self._blocks: dict[tuple[int, str], tuple[Blocks, ...]] = {}
        self._last_zone: tuple[int, str] | None = None
        self._huge: dict[tuple[int, int], HugePool] = {}
        self._stat: dict[str, int] = {}
        self._own_stats: dict[str | None, Sizes] = {}
        self._conflicting = False
        self._bits: int | None = None

    def take(self, value: Counted | Node) -> None:
        """Add what a line says."""
        _TAKE[type(value)](self, value)

    def take_own_stat(self, memcg: str | None, sizes: Sizes) -> None:
        """Add the line of one cgroup of several, which does not count those below it."""
        if len(self._own_stats) < _MOST and self._own_stats.setdefault(memcg, sizes) != sizes:
            self._conflicting = True

    def zones(self) -> tuple[Zone, ...]:
        """Return the zones that were printed."""
        return tuple(Zone(node, name, sizes["present"]) for (node, name), sizes in self._zones.items())

    def seen(self, kernel_usage_bytes: int | None, pagecache_pages: int | None) -> MemorySeen:
        """Return all of it, with what other lines of the report say."""
        pages = self._pages if pagecache_pages is None else {**self._pages, "pagecache": pagecache_pages}
        zones = tuple(
            ZoneState(*key, sizes, self._reserves.get(key), self._blocks.get(key, ()))
            for key, sizes in self._zones.items()
        )
        conflicting = self._conflicting or (bool(self._stat) and any(self._own_stats.values()))
        return MemorySeen(
            pages,
            self._nodes,
            zones,
            tuple(self._huge.values()),
            self._whole_stat(),
            kernel_usage_bytes,
            conflicting,
            self._bits,
        )

    def _whole_stat(self) -> dict[str, int]:
        """Of the cgroup with all below it: v1's ``total_`` lines, else the sum over the cgroups."""
        if self._stat:
            own = {name: size for name, size in self._stat.items() if not name.startswith("total_")}
            return own | {name[6:]: size for name, size in self._stat.items() if name not in own}
        added: dict[str, int] = {}
        for sizes in self._own_stats.values():
            for name, size in sizes:
                added[name] = added.get(name, 0) + size
        return added

    def _keep(self, into: MutableMapping[str, int], sizes: Sizes) -> None:
        for name, size in sizes:
            if len(into) < _MOST_NAMES and into.setdefault(name, size) != size:
                self._conflicting = True

    def _counters(self, value: Counters) -> None:
        self._keep(self._pages, value.pages)

    def _node(self, value: Node | NodeSizes | HugePool) -> None:
        if len(self.node_numbers) < _MOST:
            self.node_numbers.add(value.node)

    def _node_sizes(self, value: NodeSizes) -> None:
        self._node(value)
        if len(self._nodes) < _MOST:
            self._keep(self._nodes.setdefault(value.node, {}), value.sizes)

    def _zone(self, value: ZoneSizes) -> None:
        if len(self._zones) < _MOST:
            self.node_numbers.add(value.zone.node)
            self._last_zone = (value.zone.node, value.zone.name)
            self._keep(self._zones.setdefault(self._last_zone, {}), value.sizes)

    def _reserve(self, value: Reserve) -> None:
        if self._last_zone is not None:
            self._reserves[self._last_zone] = value.pages
            self._last_zone = None

    def _free_blocks(self, value: FreeBlocks) -> None:
        if self.page_kib is None and value.page_kib in PAGES_KIB:
            self.page_kib = value.page_kib
        if len(self._blocks) < _MOST:
            self._blocks.setdefault((value.node, value.zone), value.blocks)

    def _huge_pool(self, value: HugePool) -> None:
        self._node(value)
        if len(self._huge) < _MOST and self._huge.setdefault((value.node, value.size_bytes), value) != value:
            self._conflicting = True

    def _stat_lines(self, value: StatLines) -> None:
        self._keep(self._stat, value.sizes)

    def _address_bits(self, value: AddressBits) -> None:
        self._bits = self._bits or value.bits


_TAKE: dict[type, Callable[[MemoryLines, Any], None]] = {
    Counters: MemoryLines._counters,
    Node: MemoryLines._node,
    NodeSizes: MemoryLines._node_sizes,
    ZoneSizes: MemoryLines._zone,
    Reserve: MemoryLines._reserve,
    FreeBlocks: MemoryLines._free_blocks,
    HugePool: MemoryLines._huge_pool,
    StatLines: MemoryLines._stat_lines,
    AddressBits: MemoryLines._address_bits,
}
COUNTED = tuple(_TAKE)
"""The values that ``MemoryLines`` takes."""
