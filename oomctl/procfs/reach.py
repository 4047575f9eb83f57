"""Which limit a process would hit first: a cgroup's above it, its cpuset's nodes, or the machine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from oomctl.errors import ImpossibleHere
from oomctl.model.kernel import Constraint, Context, Doubt, Doubtful, Task
from oomctl.model.limits import Limit, LimitKind
from oomctl.procfs import nodes
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.cgroupfiles import is_directory
from oomctl.procfs.cgroupmounts import in_first_cgroup_namespace, mounts
from oomctl.procfs.cgrouppaths import cgroups_at, hierarchies
from oomctl.procfs.reader import Procfs

_DISABLED = re.compile(r"^memory\t\d+\t\d+\t0$", re.MULTILINE | re.ASCII)


class Reach(NamedTuple):
    """What the next allocation of a task may hit."""

    limits: tuple[Limit, ...]
    """The nearest first."""
    doubts: tuple[Doubt, ...] = ()
    """UNSEEN_LIMITS where there may be nearer ones."""


def reach(procfs: Procfs, task: Task) -> Reach:
    """Return every limit that the next allocation of ``task`` may hit.

    Raises ImpossibleHere where it is in a memory cgroup whose limit, or that of one above it, cannot be looked at.
    """
    limits = [limit_of_machine(procfs)]
    memcgs = Memcgs.of(procfs)
    if memcgs is None:
        doubts = _without_mount(procfs, task)
    else:
        charged = _charged(procfs, memcgs, task)
        limits += _memcg_limits(memcgs, charged, procfs)
        in_sight = memcgs.is_whole or charged[-1] != memcgs.root
        doubts = () if in_sight else (Doubt(Doubtful.UNSEEN_LIMITS, detail=memcgs.root),)
    known = frozenset(nodes.nodes(procfs))
    allowed = nodes.with_nodes(task, procfs, policies=False).mems
    if allowed is not None and known - allowed and known & allowed:
        limits.append(_nodes_limit(procfs, allowed & known))
    return Reach(tuple(sorted(limits, key=lambda limit: limit.left_bytes)), doubts)


def room(procfs: Procfs, context: Context) -> Limit:
    """Return the limit that whoever grows in the memory of ``context`` hits first, with what is left under it."""
    limits = [limit_of_machine(procfs)]
    memcgs = Memcgs.of(procfs) if context.constraint is Constraint.MEMCG else None
    if memcgs is not None and context.memcg is not None:
        limits += _memcg_limits(memcgs, memcgs.charged(context.memcg), procfs)
    allowed = context.current_mems if context.constraint is Constraint.CPUSET else context.nodemask
    if allowed is not None:
        limits.append(_nodes_limit(procfs, allowed))
    return min(limits, key=lambda limit: limit.left_bytes)


def limit_of_machine(procfs: Procfs) -> Limit:
    """Return what is left on the machine: what is available, and swap."""
    info = procfs.meminfo
    return Limit(LimitKind.MACHINE, info.mem_available + info.swap_free, swap_bytes=info.swap_free)


def _nodes_limit(procfs: Procfs, allowed: frozenset[int]) -> Limit:
    swap = procfs.meminfo.swap_free
    left = nodes.room_pages(procfs, allowed) * procfs.page_size + swap
    return Limit(LimitKind.NODES, left, swap_bytes=swap, allowed=allowed)


def _charged(procfs: Procfs, memcgs: Memcgs, task: Task) -> list[str]:
    """Return the memory cgroups whose limits count for ``task``, its own first, with the topmost one mounted last."""
    path = memcgs.path_of_pid(task.pid)
    if path is None:
        raise ImpossibleHere(f"{procfs.root}/{task.pid}/cgroup: its memory cgroup cannot be read; it may have ended")
    if not is_directory(memcgs.directory(path)):
        raise ImpossibleHere(f"cgroup {path} of {task.pid}: no such memory cgroup under {memcgs.mount_point}")
    return memcgs.charged(path)


def _without_mount(procfs: Procfs, task: Task) -> tuple[Doubt, ...]:
    """Return what is in doubt where no memory controller is mounted.

    Raises ImpossibleHere where ``task`` is in a memory cgroup other than the root.
    """
    unseen = (Doubt(Doubtful.UNSEEN_LIMITS, detail="/"),)
    version, path = _unmounted_cgroup(procfs, task)
    unified = next((mount for mount in mounts(procfs.root) if mount.version == 2), None)
    if version == 2 and unified is not None and unified.inside(path) is not None:
        # It is mounted without the controller: nobody has one, or it ends above what is mounted here.
        return () if unified.is_whole else unseen
    if path == "/":
        return unseen if in_first_cgroup_namespace(procfs.root) is False else ()
    raise ImpossibleHere(
        f"{task.pid} is in the cgroup {path}, and no memory controller is mounted here: whether a limit of it is"
        " nearer than the machine's memory cannot be seen; mount it, or ask on the host"
    )


def _unmounted_cgroup(procfs: Procfs, task: Task) -> tuple[int, str]:
    """Return the version and the path of the memory cgroup of ``task``; the root where the kernel has none."""
    try:
        with procfs.open_task(task.pid) as directory:
            found = list(hierarchies(cgroups_at(directory)))
    except OSError:  # ended, or a kernel without cgroups
        return 2, "/"
    for controllers, path in found:
        if "memory" in controllers.split(","):
            return 1, path
    if _is_disabled(procfs):
        return 2, "/"
    return 2, next((path for controllers, path in found if controllers == ""), "/")


def _is_disabled(procfs: Procfs) -> bool:
    """Whether the memory controller was switched off at boot (``cgroup_disable=memory``)."""
    try:
        return _DISABLED.search(procfs.machine_text("cgroups")) is not None
    except ImpossibleHere:  # newer kernels may be built without the file
        return False


def limiting_memcg(procfs: Procfs, task: Task) -> str | None:
    """Return the nearest memory cgroup with a limit of its own that ``task`` is in; None where none is to be seen."""
    memcgs = Memcgs.of(procfs)
    path = memcgs.path_of_pid(task.pid) if memcgs else None
    if memcgs is None or path is None or not memcgs.sees(path):
        return None
    with suppress(ImpossibleHere):  # may not be read
        return next((above for above in memcgs.charged(path) if memcgs.limits(above).memory_pages is not None), None)
    return None


def _memcg_limits(memcgs: Memcgs, paths: Sequence[str], procfs: Procfs) -> list[Limit]:
    limits = (limit_of_memcg(memcgs, path, procfs) for path in paths)
    return [limit for limit in limits if limit is not None]


def limit_of_memcg(memcgs: Memcgs, path: str, procfs: Procfs) -> Limit | None:
    """Return what is left under the limit of one memory cgroup; None: it has no limit of its own.

    Raises ImpossibleHere where that may not be looked at.
    """
    page = procfs.page_size
    limits, usage = memcgs.limits(path), memcgs.usage(path)
    cache = memcgs.cache_bytes(path)
    swap_left = procfs.meminfo.swap_free if limits.swappiness else 0
    if limits.version == 1 and limits.memsw_pages is not None:
        left = limits.memsw_pages * page - usage.memory - usage.swap + cache
        if limits.memory_pages is None or limits.memsw_pages <= limits.memory_pages:
            return Limit(LimitKind.MEMCG, max(left, 0), path)
        swap_left = min(swap_left, max(limits.memsw_pages * page - usage.memory - usage.swap, 0))
    if limits.version == 2:
        swap_left = _swap_left(memcgs, path, swap_left, page)
    if limits.memory_pages is None:
        return None
    left = limits.memory_pages * page - usage.memory + cache + swap_left
    return Limit(LimitKind.MEMCG, max(left, 0), path, swap_bytes=swap_left)


def _swap_left(memcgs: Memcgs, path: str, free_bytes: int, page: int) -> int:
    """Return the bytes of swap that a cgroup of v2 can still have, of ``free_bytes`` (mem_cgroup_get_nr_swap_pages)."""
    left = free_bytes
    for above in memcgs.charged(path):
        if not left:
            break
        with suppress(ImpossibleHere):  # may not be read
            limit = memcgs.limits(above).swap_pages
            if limit is not None:
                left = min(left, max(limit * page - memcgs.usage(above).swap, 0))
    return left
