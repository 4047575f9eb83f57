"""Rows of the ranking with everything that people and scripts want to see of a process."""

from __future__ import annotations

from collections.abc import Sequence

from oomctl.model import Constraint, Row, Scenario
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.details import DetailReader
from oomctl.procfs.reader import Procfs
from oomctl.render.ranking import Machine


def with_details(rows: Sequence[Row], procfs: Procfs, cmdline: bool = False) -> list[Row]:
    """Return ``rows`` with the details of each process; the command line only if asked for."""
    reader = DetailReader(procfs)
    return [row._replace(details=reader.details(row.task, cmdline)) for row in rows]


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
    left = max(limit * scenario.page_size - usage.memory, 0)
    return machine._replace(scope=f"cgroup {path}", memory_total=limit * scenario.page_size, memory_left=left)
