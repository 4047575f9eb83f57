"""From the kernel's ranking to rows with everything that people and scripts want to see of a process."""

from __future__ import annotations

from collections.abc import Sequence

from oomctl.kernel.selection import Scan
from oomctl.model import Constraint, Row, Scenario
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.details import DetailReader
from oomctl.procfs.reader import Procfs
from oomctl.render.ranking import Machine


def ranked_rows(found: Scan) -> list[Row]:
    """Return one row for every process: first the candidates by rank, then those that are spared."""
    first = found.ranking[0].badness if found.ranking else 0
    rows = []
    for rank, candidate in enumerate(found.ranking, start=1):
        lead = candidate.badness / first if first > 0 else float(candidate.badness == first)
        rows.append(Row(candidate.task, rank=rank, candidate=candidate, lead=lead))
    return rows + [Row(spared.task, reason=spared.reason) for spared in found.spared]


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
