"""The memory that may run out: the machine's, or that of a memory cgroup, with limit and usage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from oomctl.errors import ImpossibleHere
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.reader import Procfs
from oomctl.render.text import size, visible

MOST = 2000
"""Cgroups looked at; on a machine with more, those deepest in the tree are left out."""


class MemoryScope(NamedTuple):
    """Memory that may run out, with what is used of it."""

    path: str | None
    """None: the machine."""
    usage_bytes: int
    limit_bytes: int | None
    """None: it has no limit of its own."""

    def __str__(self) -> str:
        limit = "no limit" if self.limit_bytes is None else size(self.limit_bytes)
        return f"{size(self.usage_bytes):>9} of {limit:<9}  {visible(self.path or 'machine')}"


def scopes(procfs: Procfs) -> list[MemoryScope]:
    """Return the machine, then cgroups: the fullest first, those without a limit last, by usage."""
    info = procfs.meminfo
    machine = MemoryScope(None, info.mem_total - info.mem_available, info.mem_total)
    memcgs = Memcgs.of(procfs)
    if memcgs is None:
        return [machine]
    limits: list[MemoryScope] = []
    for path in _paths(memcgs):
        with suppress(ImpossibleHere):  # may not be read
            limits.append(_scope(memcgs, path, procfs.page_size))
    return [machine, *sorted((scope for scope in limits if scope.usage_bytes), key=_order)]


def _paths(memcgs: Memcgs) -> Iterator[str]:
    waiting, seen = [memcgs.root], 0
    while waiting and seen < MOST:
        path = waiting.pop(0)
        below = [f"{path.rstrip('/')}/{name}" for name in memcgs.children(path)]
        waiting += below
        for cgroup in below:
            seen += 1
            yield cgroup


def _scope(memcgs: Memcgs, path: str, page_size: int) -> MemoryScope:
    limit = memcgs.limits(path).memory_pages
    return MemoryScope(path, memcgs.usage(path).memory, None if limit is None else limit * page_size)


def _order(scope: MemoryScope) -> tuple[bool, float, int]:
    if scope.limit_bytes is None:
        return True, 0.0, -scope.usage_bytes
    return False, -scope.usage_bytes / max(scope.limit_bytes, 1), 0
