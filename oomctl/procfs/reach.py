"""Which limit a process would hit first: a cgroup's above it, its cpuset's nodes, or the machine."""

from __future__ import annotations

from collections.abc import Sequence

from oomctl.model.kernel import Task
from oomctl.model.limits import Limit, LimitKind
from oomctl.procfs import nodes
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.reader import Procfs


def limits_above(procfs: Procfs, task: Task) -> list[Limit]:
    """Return every limit that the next allocation of ``task`` may hit, the nearest first."""
    info = procfs.meminfo
    limits = [Limit(LimitKind.MACHINE, info.mem_available + info.swap_free)]
    memcgs = Memcgs.of(procfs)
    path = memcgs.path_of_pid(task.pid) if memcgs else None
    if memcgs and path:
        limits += _memcg_limits(memcgs, memcgs.ancestors(path), procfs)
    known = frozenset(nodes.nodes(procfs))
    allowed = nodes.with_nodes(task, procfs, policies=False).mems
    if allowed is not None and known - allowed and known & allowed:
        room = nodes.room_pages(procfs, allowed) * procfs.page_size + info.swap_free
        limits.append(Limit(LimitKind.NODES, room, allowed=allowed & known))
    return sorted(limits, key=lambda limit: limit.left_bytes)


def limiting_memcg(procfs: Procfs, task: Task) -> str | None:
    """Return the nearest memory cgroup with a limit of its own that ``task`` is in; None without one."""
    memcgs = Memcgs.of(procfs)
    path = memcgs.path_of_pid(task.pid) if memcgs else None
    if memcgs is None or path is None:
        return None
    return next((above for above in memcgs.ancestors(path) if memcgs.limits(above).memory_pages is not None), None)


def _memcg_limits(memcgs: Memcgs, paths: Sequence[str], procfs: Procfs) -> list[Limit]:
    nearest = []
    page = procfs.page_size
    for path in paths:
        limits, usage = memcgs.limits(path), memcgs.usage(path)
        cache = memcgs.cache_bytes(path)
        swap_left = procfs.meminfo.swap_free if limits.swappiness else 0
        if limits.version == 1 and limits.memsw_pages is not None:
            left = limits.memsw_pages * page - usage.memory - usage.swap + cache
            if limits.memory_pages is None or limits.memsw_pages <= limits.memory_pages:
                nearest.append(Limit(LimitKind.MEMCG, max(left, 0), path))
                continue
            swap_left = min(swap_left, max(limits.memsw_pages * page - usage.memory - usage.swap, 0))
        if limits.swap_pages is not None:
            swap_left = min(swap_left, max(limits.swap_pages * page - usage.swap, 0))
        if limits.memory_pages is not None:
            left = limits.memory_pages * page - usage.memory + cache + swap_left
            nearest.append(Limit(LimitKind.MEMCG, max(left, 0), path))
    return nearest
