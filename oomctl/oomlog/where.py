"""A report -> where the memory was."""

from __future__ import annotations

from oomctl.kernel.accounting import of_cgroup
from oomctl.kernel.meminfo import of_machine
from oomctl.model.kernel import Constraint
from oomctl.model.memory import Accounting
from oomctl.model.oomreport import OomReport


def accounting_of(report: OomReport, page_size: int) -> Accounting | None:
    """Return where the memory that ran out was, the cgroup's or the machine's; None: the report does not tell."""
    listed = _listed_pages(report)
    if report.constraint is Constraint.MEMCG:
        memory = report.memcg.memory
        if memory is None or report.memory.conflicting:
            return None
        return of_cgroup(
            report.memory.stat,
            memory.usage_bytes,
            memory.limit_bytes,
            report.memory.kernel_usage_bytes,
            None if listed is None else listed * page_size,
        )
    machine = report.machine
    # A cpuset's or a memory policy's table lists only who may use those nodes.
    listed = listed if report.constraint is Constraint.NONE else None
    return of_machine(report.memory, machine.ram_pages, machine.reserved_pages, page_size, listed)


def _listed_pages(report: OomReport) -> int | None:
    """Return the RSS of all processes in sum; None where some of them are not in the report."""
    return sum(row.rss_pages for row in report.rows) if report.complete else None
