"""What was short although memory was free: lines for people, an object for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oomctl.model.shortage import Shortage, Verdict, ZoneShort
from oomctl.render.text import aligned, size, visible

_MOST_ZONES = 6
_VERDICTS = {
    Verdict.TOO_LITTLE: "too little",
    Verdict.BELOW_HIGH: "hardly above the minimum",
    Verdict.IN_PIECES: "in pieces that are too small",
    Verdict.FORBIDDEN: "not for such a request",
    Verdict.ENOUGH: "enough when this was printed",
}


def shortage_document(found: Shortage | None) -> dict[str, Any] | None:
    """Return the JSON object of what was short."""
    if found is None:
        return None
    return {
        **found._asdict(),
        "nodes": None if found.nodes is None else sorted(found.nodes),
        "zones": [{**zone._asdict(), "verdict": zone.verdict.value} for zone in found.zones],
    }


def shortage_lines(found: Shortage) -> list[str]:
    """Return why there was no memory, in sentences, and the zones in a table."""
    sentences = [
        *_cgroup_sentences(found),
        *_nodes_sentences(found),
        *_order_sentences(found),
        *_lowmem_sentences(found),
    ]
    return [*sentences, *_zone_sentences(found), *_zone_lines(found.zones)]


def _cgroup_sentences(found: Shortage) -> list[str]:
    if not found.of_cgroup:
        return []
    limit = "limit of memory and swap together" if found.limit == "memory+swap" else "limit"
    free = "" if found.machine_free_bytes is None else f", which had {size(found.machine_free_bytes)} free"
    return [f"the cgroup's {limit} was hit, not the machine's memory{free}"]


def _nodes_sentences(found: Shortage) -> list[str]:
    if found.nodes is None:
        return []
    nodes = ("node " if len(found.nodes) == 1 else "nodes ") + ",".join(map(str, sorted(found.nodes)))
    full = all(zone.verdict in (Verdict.TOO_LITTLE, Verdict.BELOW_HIGH) for zone in found.zones)
    verb = "was" if len(found.nodes) == 1 else "were"
    state = f"{verb} full" if full else "had nothing for it"
    cpuset = "its cpuset" if found.cpuset is None else f"its cpuset {found.cpuset}"
    who = "a memory policy" if found.by_policy else cpuset
    elsewhere = f"; {size(found.elsewhere_bytes)} were free elsewhere" if found.elsewhere_bytes else ""
    return [f"{nodes} {state}, and {visible(who)} allows no other{elsewhere}"]


def _order_sentences(found: Shortage) -> list[str]:
    if found.needed_bytes is None:
        return []
    pieces = [zone.largest_bytes for zone in found.zones if zone.verdict is Verdict.IN_PIECES and zone.largest_bytes]
    largest = f"; the largest free one had {max(pieces) >> 10}KiB" if pieces else ""
    return [f"order {found.order} needs {found.needed_bytes >> 10}KiB in one piece{largest}"]


def _lowmem_sentences(found: Shortage) -> list[str]:
    if not found.lowmem_only:
        return []
    out_of_reach = sum(zone.free_bytes for zone in found.zones if zone.verdict is Verdict.FORBIDDEN)
    free = f"; {size(out_of_reach)} were free in the others" if out_of_reach else ""
    return [f"32 bit: only low memory (zones DMA and Normal) can serve such a request{free}"]


def _zone_sentences(found: Shortage) -> list[str]:
    usable = [zone for zone in found.zones if zone.verdict is not Verdict.FORBIDDEN]
    lines = []
    cma, free = sum(zone.cma_bytes for zone in usable), sum(zone.free_bytes for zone in usable)
    if cma * 2 > free:
        lines.append(f"{size(cma)} of the {size(free)} free there are CMA, which only movable pages may use")
    short = usable and all(zone.verdict in (Verdict.TOO_LITTLE, Verdict.BELOW_HIGH) for zone in usable)
    if short and found.all_zones and found.nodes is None:
        lines.append("every zone that could serve it was down to its minimum and what it keeps for others")
    return lines


def _zone_lines(zones: Sequence[ZoneShort]) -> list[str]:
    if not zones:
        return []
    shown = sorted(zones, key=lambda zone: -zone.free_bytes)[:_MOST_ZONES]
    many = len({zone.node for zone in zones}) > 1 or zones[0].node
    with_cma, with_pieces = any(zone.cma_bytes for zone in shown), any(zone.largest_bytes is not None for zone in shown)
    rows = [["ZONE", "FREE", *(["OF IT CMA"] if with_cma else []), "MINIMUM", "+ KEPT"]]
    rows[0] += [*(["LARGEST"] if with_pieces else []), ""]
    for zone in shown:
        name = f"node {zone.node} {visible(zone.name)}" if many else visible(zone.name)
        cma = [size(zone.cma_bytes)] if with_cma else []
        piece = [_piece(zone.largest_bytes)] if with_pieces else []
        kept = size(zone.kept_bytes)
        rows.append([name, size(zone.free_bytes), *cma, size(zone.min_bytes), kept, *piece, _VERDICTS[zone.verdict]])
    lines = aligned(rows, [False, *[True] * (len(rows[0]) - 2), False]).split("\n")
    left_out = len(zones) - len(shown)
    return [*lines, f"and {left_out} more"] if left_out else lines


def _piece(size_bytes: int | None) -> str:
    if not size_bytes:
        return size(size_bytes)
    return f"{size_bytes >> 10}KiB" if size_bytes < 1 << 20 else f"{size_bytes >> 20}MiB"
