"""The memory that may run out: the machine's, or that of a memory cgroup, with limit and usage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from oomctl.errors import ImpossibleHere
from oomctl.live.filling import with_those_above
from oomctl.model.listing import Details
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.reader import Procfs
from oomctl.render.ahead import roughly
from oomctl.render.text import aligned, mib_a_minute, size, visible

MOST = 2000
"""Cgroups looked at; on a machine with more, those deepest in the tree are left out."""


class MemoryScope(NamedTuple):
    """Memory that may run out, with what is used of it."""

    path: str | None
    """None: the machine."""
    usage_bytes: int
    limit_bytes: int | None
    """None: it has no limit of its own."""
    growth: float | None = None
    """Bytes a minute that its processes grow by, as far as that is known; None: of no process."""
    seconds_left: float | None = None
    """Until it is full at this rate; None: not known, or it does not grow."""

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """What a line of a list has of it: usage, growth, time left, name."""
        limit = "no limit" if self.limit_bytes is None else size(self.limit_bytes)
        growth = "-" if self.growth is None else mib_a_minute(self.growth)
        full = "" if self.seconds_left is None else f"full in {roughly(self.seconds_left)}"
        usage = f"{size(self.usage_bytes):>9} of {limit:<9}"
        return usage, f"{growth:>8} MiB/min", full, visible(self.path or "machine")


_FOR_NAMES = 30
"""Columns that names need; longer ones are folded."""


def lines(offered: Sequence[MemoryScope], width: int) -> list[str]:
    """Return all of them as lines; growth and time left are columns once they are known of any.

    Where ``width`` leaves too little for the names, the growth gives way to the time.
    """
    usages, growths, full, names = zip(*(scope.cells for scope in offered))
    columns = [usages, names]
    if any(full):
        columns.insert(1, full)
    with_growth = [usages, growths, *columns[1:]]
    beside = sum(max(map(len, column)) + 2 for column in with_growth[:-1])
    has_room = not any(full) or width - beside >= min(max(map(len, names)), _FOR_NAMES)
    if has_room and any(scope.growth is not None for scope in offered):
        columns = with_growth
    return aligned(list(zip(*columns)), [False] * len(columns)).split("\n")


def scopes(
    procfs: Procfs,
    details: Iterable[Details] = (),
    seconds_left: Callable[[str | None], float | None] = lambda _: None,
) -> list[MemoryScope]:
    """Return the machine, then cgroups: the fullest first, those without a limit last, by usage.

    ``details`` of processes tell how fast those in each cgroup grow; shared memory is not added up. ``seconds_left``
    says when a cgroup is full, None: the machine.
    """
    growth = growth_by_cgroup(details)
    return [
        scope._replace(growth=growth.get(scope.path or "/"), seconds_left=seconds_left(scope.path))
        for scope in _scopes(procfs)
    ]


def growth_by_cgroup(details: Iterable[Details]) -> dict[str, float]:
    """Return the bytes a minute that processes in each cgroup, and below it, grow by; all of them as ``/``."""
    found: dict[str, float] = {}
    for one in details:
        if one.growth is not None:
            for name in with_those_above(one.cgroup or "/"):
                found[name] = found.get(name, 0.0) + one.growth.private
    return found


def _scopes(procfs: Procfs) -> list[MemoryScope]:
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
