"""This machine: where its /proc is, and what a line above a list says of its memory."""

from __future__ import annotations

import os

from oomctl.model.kernel import Constraint, Scenario
from oomctl.model.listing import Machine
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.reader import Procfs


def proc_root() -> str:
    """Where /proc is mounted; ``OOMCTL_PROC`` names another place."""
    return os.environ.get("OOMCTL_PROC", "/proc")


def machine_procfs() -> Procfs:
    """Return this machine's /proc."""
    return Procfs(proc_root(), on_purpose="OOMCTL_PROC" in os.environ)


def machine_line(scenario: Scenario, procfs: Procfs) -> Machine:
    """Return what the line above a list says of the memory in question; the candidates are not counted."""
    meminfo = procfs.meminfo
    machine = Machine(
        kernel=scenario.kernel,
        page_size=scenario.page_size,
        totalpages=scenario.context.totalpages,
        scope="machine",
        memory_total=meminfo.mem_total,
        memory_left=meminfo.mem_available,
        swap_total=meminfo.swap_total,
        swap_left=meminfo.swap_free,
        hidden=scenario.hidden,
    )
    memcgs = Memcgs.of(procfs) if scenario.context.constraint is Constraint.MEMCG else None
    path = scenario.context.memcg
    if memcgs is None or path is None:
        return machine
    limit, usage = memcgs.limits(path).memory_pages, memcgs.usage(path)
    if limit is None:
        return machine._replace(scope=f"cgroup {path} (no limit), machine")
    # Page cache goes before the killer comes, as it does in MemAvailable.
    left = max(limit * scenario.page_size - usage.memory + memcgs.cache_bytes(path), 0)
    return machine._replace(
        scope=f"cgroup {path}",
        memory_total=limit * scenario.page_size,
        memory_left=left,
        ram_total=meminfo.mem_total,
        ram_left=meminfo.mem_available,
    )
