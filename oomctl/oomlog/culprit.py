"""Which memory ran out, as far as the lines of a report tell it."""

from __future__ import annotations

import re

from oomctl.model.kernel import Constraint
from oomctl.model.oomreport import OomReport
from oomctl.oomlog.draft import Draft
from oomctl.oomlog.lines import Culprit, Note

_CONSTRAINTS = {
    "CONSTRAINT_NONE": Constraint.NONE,
    "CONSTRAINT_CPUSET": Constraint.CPUSET,
    "CONSTRAINT_MEMORY_POLICY": Constraint.MEMPOLICY,
    "CONSTRAINT_MEMCG": Constraint.MEMCG,
}
_OF_NODES = {Culprit.CPUSET: Constraint.CPUSET, Culprit.MEMPOLICY: Constraint.MEMPOLICY}


def constraint_of(draft: Draft, report: OomReport) -> Constraint | None:
    """Return which memory ran out; None: nothing tells it, or lines contradict each other.

    A bare ``Killed process`` tells nothing, and neither does the trigger's ``cpuset=``: a process of a container may
    also be the one that finds the whole machine full.
    """
    summary = _CONSTRAINTS.get(report.constraint_text or "")
    of_memcg = _of_memcg(draft)
    if of_memcg:
        contradicted = bool(draft.culprits - {Culprit.MEMCG}) and not (report.oom_memcg or report.memcg.memory)
        return None if contradicted and summary is None else Constraint.MEMCG
    if report.constraint_text is not None:
        return summary
    for culprit in draft.culprits & _OF_NODES.keys():
        return _OF_NODES[culprit]
    if not _of_machine(draft, report):
        return None
    return _of_nodes(report)


def release_of(kernel: str | None) -> tuple[int, int] | None:
    """Return the first two numbers of a release; None: it is not known."""
    match = re.match(r"(\d{1,3})\.(\d{1,3})", kernel or "")
    return (int(match[1]), int(match[2])) if match else None


def _of_memcg(draft: Draft) -> bool:
    in_container = draft.container is not None and Culprit.MACHINE not in draft.culprits
    named = Culprit.MEMCG in draft.culprits or Note.CALLED_FOR_MEMCG in draft.notes
    return named or draft.about_memcg or in_container


def _of_machine(draft: Draft, report: OomReport) -> bool:
    if Culprit.MACHINE in draft.culprits or draft.requested or Note.CALLED_BY_ALLOCATOR in draft.notes:
        return True
    return (Note.MEM_INFO in draft.notes or report.machine.ram_pages is not None) and _mem_info_tells(report)


def _mem_info_tells(report: OomReport) -> bool:
    """Whether Mem-Info is only printed for the machine.

    It is from 58cf188ed649 ("memcg, oom: provide more precise dump info while memcg oom happening", in v3.9) on.
    """
    if report.panic is not None:
        return True
    release = release_of(report.kernel)
    newer = not {"nr_pmds", "pgtables_bytes"}.isdisjoint(report.columns)
    return newer if release is None else release >= (3, 9)


def _of_nodes(report: OomReport) -> Constraint | None:
    """Tell the machine from some of its nodes, which kernels before 5.0 do not name; None: what would tell is lost."""
    allowed, nodes, asked = report.mems_allowed, report.machine.nodes, report.nodemask
    # 4.9 and 4.10 print the cpuset's nodes where the allocation has no nodemask of its own.
    if asked is not None and asked != allowed and not (allowed and allowed <= asked):
        if allowed is not None or nodes - asked:
            return Constraint.MEMPOLICY
        own = _prints_own_nodemask(report)
        return Constraint.MEMPOLICY if own else None if own is None else Constraint.NONE
    if len(nodes) > 1:
        if allowed is None or report.trigger_comm is None:
            return None  # the lines about the trigger's nodes are lost
        return Constraint.CPUSET if allowed < nodes else Constraint.NONE
    return None if report.trigger_comm is None and _nodes_left_out(report) else Constraint.NONE


def _nodes_left_out(report: OomReport) -> bool:
    """Whether the zones that are listed are not the whole RAM: only those of the allowed nodes are printed."""
    machine = report.machine
    if not machine.zones or machine.ram_pages is None:
        return False
    present = sum(zone.present_bytes for zone in machine.zones)
    return present < machine.ram_pages * (report.page_size or 4096) * 0.9


def _prints_own_nodemask(report: OomReport) -> bool | None:
    """Whether a nodemask in the header is the allocation's own (from 4.11 on); None: the kernel is not known."""
    release = release_of(report.kernel)
    if release is not None:
        return release >= (4, 11)
    if "pgtables_bytes" in report.columns:
        return True
    return False if "nr_pmds" in report.columns else None
