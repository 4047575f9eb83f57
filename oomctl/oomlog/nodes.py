"""Lists of NUMA nodes, as the kernel prints them."""

from __future__ import annotations

_MOST_NODES = 4096  # MAX_NUMNODES is 1024 at most


def node_set(text: str | None) -> frozenset[int] | None:
    """``0-1,4`` -> the nodes; None for ``null`` and for what is not a list of a plausible length."""
    if not text or text == "null":
        return None
    nodes: set[int] = set()
    listed = 0
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdigit() or (last and not last.isdigit()):
            return None
        low, high = int(first[:6]), int((last or first)[:6])
        listed += high - low + 1
        if high < low or listed > _MOST_NODES:
            return None
        nodes.update(range(low, high + 1))
    return frozenset(nodes)
