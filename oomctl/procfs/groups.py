"""All memory cgroups at once, those with a limit and those whose members share their fate.

Each is looked at once, however many are nested: whoever may make cgroups may make thousands.
"""

from __future__ import annotations

from oomctl.errors import ImpossibleHere
from oomctl.model.audit import Group
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.cgroupfiles import text_in
from oomctl.procfs.reader import Procfs

_MOST_CGROUPS = 20_000
_LONGEST_PATH = 4000
"""/proc/PID/cgroup shows none beyond 4,096."""
_MOST_GROUPS_ABOVE = 32
"""A process counts for so many of those it is in, the innermost."""


def groups(procfs: Procfs, memcgs: Memcgs) -> list[Group]:
    """Return every memory cgroup here that has a limit of its own, is killed as one, or has its kills disabled."""
    found: dict[str, Group] = {}
    pids: dict[str, list[int]] = {}
    waiting: list[tuple[str, tuple[str, ...]]] = [(memcgs.root, ())]
    left = _MOST_CGROUPS
    while waiting and left:
        path, above = waiting.pop()
        left -= 1
        group = _group(procfs, memcgs, path)
        if group is not None:
            found[path] = group
            above = (*above[1 - _MOST_GROUPS_ABOVE :], path)
        members = memcgs.processes_of(path) if above else []
        for one in above:
            pids.setdefault(one, []).extend(members)
        below = [f"{path.rstrip('/')}/{name}" for name in memcgs.children(path)]
        waiting += [(name, above) for name in reversed(below) if len(name) <= _LONGEST_PATH]
    return [group._replace(pids=tuple(pids[path])) for path, group in found.items()]


def _group(procfs: Procfs, memcgs: Memcgs, path: str) -> Group | None:
    """Return a cgroup without its members; None where nothing about it matters, and where it cannot be read."""
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
        (),
    )
