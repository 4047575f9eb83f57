"""``oom_kill_process``: who dies with the chosen task, or instead of it, and what that frees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oomctl.kernel.badness import ADJ_MIN, badness
from oomctl.kernel.constraint import below
from oomctl.kernel.rules import Rules
from oomctl.kernel.selection import why_not
from oomctl.model.kernel import Candidate, Constraint, Context, Scenario, Task

Families = Mapping[int, Sequence[Task]]
"""By the PID of the parent, its children in scan order."""


def families(scenario: Scenario, rules: Rules) -> Families:
    """Sort all tasks by their parents; nothing where no child is sacrificed."""
    children: dict[int, list[Task]] = {}
    for task in scenario.tasks if rules.sacrifices_child else ():
        children.setdefault(task.ppid, []).append(task)
    return children


def children_to_sacrifice(chosen: Task, all_children: Families, context: Context, rules: Rules) -> list[Candidate]:
    """Before v5.1: the children one of which dies instead of ``chosen``, the worst (of equals the oldest) first.

    Only those with memory of their own count, and any of them is enough, however small.
    """
    children = [
        badness(task, context.totalpages, rules)
        for task in all_children.get(chosen.pid, ())
        if not shares_memory(task, chosen) and why_not(task, context, rules) is None
    ]
    return sorted(children, key=lambda child: -child.badness)


def killed_with(victim: Task, scenario: Scenario, rules: Rules) -> tuple[Task, ...]:
    """Everyone who gets SIGKILL, in the kernel's order: the victim, who shares its memory, its group."""
    killed = {task.pid: task for task in (victim, *_sharers(victim, scenario.tasks, rules))}
    group = oom_group(victim, scenario.context) if rules.oom_group else None
    if group is not None:
        by_mm: dict[str | None, list[Task]] = {}
        for task in scenario.tasks:
            by_mm.setdefault(task.mm, []).append(task)
        for task in scenario.tasks:
            spared = task.adj == ADJ_MIN or task.init or task.kthread or task.zombie
            if spared or task.memcg is None or not below(task.memcg, group) or task.pid in killed:
                continue
            killed[task.pid] = task
            # Emptied: whoever shares its memory is dead with it, and need not be gone through again for the next one.
            for sharer in _sharers(task, by_mm.pop(task.mm, ()), rules):
                killed.setdefault(sharer.pid, sharer)
    return tuple(killed.values())


def oom_group(victim: Task, context: Context) -> str | None:
    """The highest cgroup with ``memory.oom.group`` from the victim's up to the one that is out of memory.

    ``mem_cgroup_get_oom_group``; never the root.
    """
    domain = context.memcg or "/" if context.constraint is Constraint.MEMCG else "/"
    path = victim.memcg
    if path is None or not below(path, domain):
        return None
    marked = [group for group in context.oom_groups if below(path, group) and below(group, domain) and group != "/"]
    return min(marked, key=len, default=None)


def freed_pages(killed: Sequence[Task], scenario: Scenario) -> int:
    """Private RAM, swap and page tables that the kill gives back, in pages.

    A memory map is freed when its last user dies; mapped files and shared memory stay.
    """
    dead = {task.pid for task in killed}
    pinned = {task.mm for task in scenario.tasks if task.mm is not None and task.pid not in dead and not task.zombie}
    freed = 0
    for task in killed:
        if task.mm is not None:
            if task.mm in pinned:
                continue
            pinned.add(task.mm)  # counted once
        private = task.rss_pages if task.anon_pages is None else task.anon_pages
        freed += private + task.swap_pages + task.pgtables_pages
    return freed


def will_free_memory(task: Task, tasks: Sequence[Task], rules: Rules) -> bool:
    """``task_will_free_mem``: it is dying and still has memory; since v4.8 every sharer is dying, too."""
    if not task.exiting or task.zombie:
        return False
    if not rules.sharers_stop_silent_mark:
        return True
    return not task.oom_skip and all(other.exiting for other in tasks if shares_memory(other, task))


def shares_memory(task: Task, other: Task) -> bool:
    """Whether both run on one memory map (``process_shares_mm``), which a zombie has left."""
    return task.mm is not None and task.mm == other.mm and not (task.zombie or other.zombie)


def _sharers(victim: Task, tasks: Sequence[Task], rules: Rules) -> list[Task]:
    if victim.mm is None:
        return []
    return [
        task
        for task in tasks
        if shares_memory(task, victim)
        and task.pid != victim.pid
        and not (task.init or task.kthread)
        and not (rules.spares_protected_sharer and task.adj == ADJ_MIN)
    ]
