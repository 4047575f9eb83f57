"""An OOM report under one hypothesis -> the scenario it describes. Pure."""

from __future__ import annotations

from oomctl.kernel.constraint import below
from oomctl.kernel.invocation import COSTLY_ORDER
from oomctl.kernel.rules import RootDiscount, Rules, rules_for
from oomctl.kernel.selection import memcg_order
from oomctl.model.kernel import Constraint, Context, Scenario, Task
from oomctl.model.oomreport import OomReport, TableRow
from oomctl.oomlog.hypotheses import Basis, Hypothesis, discounted_adj, permille_of, scores_permille


def scenario_under(report: OomReport, basis: Basis, hypothesis: Hypothesis) -> Scenario:
    """Return the tasks and the memory of a report, its gaps filled by one hypothesis.

    Every process stands in it once, in the table's order, or the other way round where a cgroup is walked so. With
    ``hypothesis.permille`` sizes and totalpages are permilles of the totals, not pages.
    """
    memcg = (report.oom_memcg or "/") if report.constraint is Constraint.MEMCG else None
    current = None if report.trigger_pid is None else report.row_of(report.trigger_pid)
    context = Context(
        report.constraint or Constraint.NONE,
        1000 if hypothesis.permille else hypothesis.totalpages,
        memcg,
        current=current.tgid if current else None,
        nodemask=report.nodemask if report.constraint is Constraint.MEMPOLICY else None,
        # The killer did run, whatever its rules about costly orders say.
        order=report.order if report.order is not None and report.order <= COSTLY_ORDER else 0,
        sysrq=report.requested,
        oom_kill_allocating_task=report.allocating_task,
        oom_groups=frozenset({report.oom_group} if report.oom_group else ()),
    )
    tasks = []
    seen = set()
    for row in report.rows:
        if row.tgid not in seen:
            seen.add(row.tgid)
            tasks.append(_task(row, report, basis, hypothesis, memcg))
    # 9cbb78bb3143 ("mm, memcg: introduce own oom handler to iterate only over its own threads") is in v3.6.
    if report.constraint is Constraint.MEMCG and not scores_permille(report):
        tasks = list(memcg_order(tasks, rules_for(hypothesis.kernel)))
    return Scenario(hypothesis.kernel, context, tuple(tasks), basis.page_size)


def _task(row: TableRow, report: OomReport, basis: Basis, hypothesis: Hypothesis, memcg: str | None) -> Task:
    own_memcg = memcg
    of_victim = report.victim is not None and row.tgid == report.victim.pid
    if of_victim and report.task_memcg is not None and below(report.task_memcg, memcg or "/"):
        own_memcg = report.task_memcg
    task = Task(
        row.tgid,
        row.comm,
        uid=row.uid,
        rss_pages=row.rss_pages,
        swap_pages=row.swap_pages or 0,
        pgtables_pages=row.pgtables_pages(basis.page_size),
        adj=discounted_adj(row, hypothesis),
        anon_pages=row.rss_anon_pages,
        vsize_bytes=row.total_vm_pages * basis.page_size,
        memcg=own_memcg,
        init=row.tgid == 1,
        zombie_leader=row.pid != row.tgid,
        cap_sys_admin=row.uid == 0 and hypothesis.root is RootDiscount.POINTS,
    )
    if not hypothesis.permille:
        return task
    # In permilles, with a totalpages of 1000, the rules of 3.10 do the arithmetic of 2.6.36: points * 1000
    # / totalpages + adj, at least 1. It also has an upper end, 1000.
    permille = permille_of(row, hypothesis, basis.page_size)
    return task._replace(rss_pages=min(permille, 1000 - task.adj), swap_pages=0, pgtables_pages=0)


def rules_under(hypothesis: Hypothesis) -> Rules:
    """Return the rules to replay with; BadInput: the hypothesis names no kernel that has any."""
    # Parents are not printed, so the sacrifice of a child is compared separately.
    return rules_for(hypothesis.kernel)._replace(sacrifices_child=False)


def selected_row(report: OomReport) -> TableRow | None:
    """The row of the process that the kernel selected; its line may name a thread that the table does not."""
    if report.selected is None:
        return None
    row = report.row_of(report.selected.pid)
    if row is None and report.victim is not None:
        victim = report.row_of(report.victim.pid)
        return victim if victim is not None and report.selected.comm == report.victim.comm else None
    return row


def chosen_pid(report: OomReport) -> int | None:
    """PID of the process the kernel chose, in whose place a child may have died."""
    row = selected_row(report)
    if report.selected is None and report.victim is not None:
        row = report.row_of(report.victim.pid)
    return None if row is None else row.tgid
