"""Who is below whom, and which of the targets somebody above matches: what ``scope = "tree"`` asks, kept up to date.

A user may nest thousands of processes and rename them all the time. Nothing here walks a line of ancestors twice for
the same news, and nothing recurses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Nearest = Mapping[int, int]
"""Number of a target to the PID that is nearest: the process itself, or whoever above it matches that target."""
_NOBODY: Nearest = {}


class _Node:
    __slots__ = ("nearest", "own", "parent")

    def __init__(self, parent: int, own: frozenset[int]) -> None:
        self.parent = parent
        self.own = own
        self.nearest: Nearest | None = None
        """None: not known since something changed above."""


class Forest:
    """The processes that were looked at. ``steps`` counts what it had to go through, for tests."""

    def __init__(self) -> None:
        self._nodes: dict[int, _Node] = {}
        self._children: dict[int, set[int]] = {}
        """Also of parents that were not looked at."""
        self.steps = 0

    def __contains__(self, pid: int) -> bool:
        return pid in self._nodes

    def put(self, pid: int, parent: int, own: Iterable[int]) -> list[int]:
        """Note who a process is and which targets it matches itself; return whose answer below it may have changed."""
        matched = frozenset(own)
        known = self._nodes.get(pid)
        if known is not None:
            if (known.parent, known.own) == (parent, matched):
                return []
            self._part(pid, known.parent)
        self._nodes[pid] = _Node(parent, matched)
        self._children.setdefault(parent, set()).add(pid)
        return self._doubt(pid)

    def drop(self, pid: int) -> list[int]:
        """Forget a process that ended; return its children, which have another parent now."""
        node = self._nodes.pop(pid, None)
        if node is not None:
            self._part(pid, node.parent)
        return list(self._children.get(pid, ()))

    def nearest(self, pid: int) -> Nearest:
        """Return who is nearest for each target that the process or anybody above it matches."""
        way: dict[int, _Node] = {}
        above = pid
        while above not in way and (node := self._nodes.get(above)) is not None and node.nearest is None:
            way[above] = node
            above = node.parent
            self.steps += 1
        top = self._nodes.get(above)
        nearest = top.nearest if top is not None and top.nearest is not None else _NOBODY
        for below, node in reversed(way.items()):
            node.nearest = nearest = {**nearest, **dict.fromkeys(node.own, below)} if node.own else nearest
        return nearest

    def _part(self, pid: int, parent: int) -> None:
        siblings = self._children.get(parent)
        if siblings is not None:
            siblings.discard(pid)
            if not siblings:
                del self._children[parent]

    def _doubt(self, pid: int) -> list[int]:
        """Take back the answers for all below ``pid``; those that were taken back already need no second time."""
        doubted: list[int] = []
        waiting = [pid]
        while waiting:
            for child in self._children.get(waiting.pop(), ()):
                self.steps += 1
                node = self._nodes[child]
                if node.nearest is not None:
                    node.nearest = None
                    doubted.append(child)
                    waiting.append(child)
        return doubted
