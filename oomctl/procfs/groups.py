"""All memory cgroups at once, those with a limit and those whose members share their fate."""

from __future__ import annotations

from collections.abc import Iterator

from oomctl.errors import ImpossibleHere
from oomctl.model.audit import Group
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.cgroupfiles import text_in
from oomctl.procfs.reader import Procfs

_MOST_CGROUPS = 20_000


def groups(procfs: Procfs) -> list[Group]:
    """Return every memory cgroup here that has a limit of its own, is killed as one, or has its kills disabled."""
    memcgs = Memcgs.of(procfs)
    if memcgs is None:
        return []
    return [found for path in _paths(memcgs) if (found := _group(procfs, memcgs, path)) is not None]


def _paths(memcgs: Memcgs) -> Iterator[str]:
    waiting, left = [memcgs.root], _MOST_CGROUPS
    while waiting and left:
        path = waiting.pop()
        left -= 1
        yield path
        waiting += [f"{path.rstrip('/')}/{name}" for name in memcgs.children(path)]


def _group(procfs: Procfs, memcgs: Memcgs, path: str) -> Group | None:
    try:
        directory = memcgs.directory(path)
        limit = memcgs.limits(path).memory_pages
    except ImpossibleHere:  # it may not be read, or is gone
        return None
    as_one, disabled = memcgs.kills_as_group(path), memcgs.kill_disabled(path)
    if limit is None and not as_one and not disabled:
        return None
    stat = memcgs.stat(path)
    droppable = stat.get("active_file", 0) + stat.get("inactive_file", 0) + stat.get("slab_reclaimable", 0)
    return Group(
        path,
        directory,
        memcgs.version,
        None if limit is None else limit * procfs.page_size,
        max(memcgs.usage(path).memory - droppable, 0),
        memcgs.version == 2 and text_in(directory, "memory.high").strip() not in ("max", ""),
        as_one,
        disabled,
        tuple(pid for members in memcgs.members(path) for pid in members.pids),
    )
