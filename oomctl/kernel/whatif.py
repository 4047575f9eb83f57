"""A changed scenario: another adj, growth, a process more or less. Pure; the original stays as it is."""

from __future__ import annotations

from oomctl.kernel.badness import ADJ_MIN, badness
from oomctl.kernel.execution import shares_memory
from oomctl.kernel.rules import Rules
from oomctl.kernel.selection import ranked, why_not
from oomctl.model import Candidate, Constraint, Scenario, Task


def with_adj(scenario: Scenario, pid: int, adj: int) -> Scenario:
    """Give ``pid`` another adj, and everyone who shares its memory, as a write to ``oom_score_adj`` does.

    The kernel leaves tasks in vfork out (``__set_oom_adj``, since v4.8; before, a write changed one process only).
    """
    target = task_of(scenario, pid)

    def changed(task: Task) -> Task:
        return task._replace(adj=adj) if task.pid == pid or _takes_same_adj(task, target) else task

    return scenario._replace(tasks=tuple(changed(task) for task in scenario.tasks))


def _takes_same_adj(task: Task, target: Task) -> bool:
    apart = task.vfork or target.vfork or task.init or task.kthread
    return shares_memory(task, target) and not apart


def with_growth(scenario: Scenario, pid: int, pages: int) -> Scenario:
    """Let ``pid`` use ``pages`` more of private memory (less, when negative), page tables left as they are."""
    target = task_of(scenario, pid)

    def changed(task: Task) -> Task:
        if task.pid != pid and not shares_memory(task, target):
            return task
        anon = None if task.anon_pages is None else max(task.anon_pages + pages, 0)
        return task._replace(rss_pages=max(task.rss_pages + pages, 0), anon_pages=anon)

    return scenario._replace(tasks=tuple(changed(task) for task in scenario.tasks))


def with_process(scenario: Scenario, pages: int, adj: int = 0) -> Scenario:
    """Add a process of ``pages`` of private memory that started last; its PID is negative."""
    context = scenario.context
    pid = min([0, *(task.pid for task in scenario.tasks)]) - 1
    # Leaf page tables of 4 KiB pages hold 512 entries; the upper levels are three more.
    pgtables = -(-pages // (scenario.page_size // 8)) + 3
    memcg = context.memcg if context.constraint is Constraint.MEMCG else None
    added = Task(pid, "added", rss_pages=pages, anon_pages=pages, pgtables_pages=pgtables, adj=adj, memcg=memcg)
    return scenario._replace(tasks=(*scenario.tasks, added))


def without(scenario: Scenario, pid: int) -> Scenario:
    """Leave out ``pid``, as if it had ended."""
    task_of(scenario, pid)
    return scenario._replace(tasks=tuple(task for task in scenario.tasks if task.pid != pid))


def task_of(scenario: Scenario, pid: int) -> Task:
    """Return the task with this PID; KeyError when there is none."""
    for task in scenario.tasks:
        if task.pid == pid:
            return task
    raise KeyError(pid)


def first_adj_that_wins(scenario: Scenario, pid: int, rules: Rules) -> int | None:
    """Return the lowest adj at which ``pid``, or who shares its memory, is first; None: not even 1000 is enough.

    One less is the highest adj that saves a task that is first now.
    """
    target = task_of(scenario, pid)
    context = scenario.context
    if why_not(target._replace(adj=0), context, rules) is not None:
        return None
    in_order = [task for task in scenario.tasks if task.pid == pid or why_not(task, context, rules) is None]
    # Who takes the same adj dies with it: no rival.
    rivals = [task for task in in_order if task.pid != pid and not _takes_same_adj(task, target)]
    others = [badness(task, context.totalpages, rules) for task in rivals]
    position = next(index for index, task in enumerate(in_order) if task.pid == pid)
    rival = ranked(others, rules)[0] if others else None
    rival_is_later = rival is not None and _index(in_order, rival) > position

    def wins(adj: int) -> bool:
        if rival is None:
            return True
        own = badness(target._replace(adj=adj), context.totalpages, rules)
        pair = [own, rival] if rival_is_later else [rival, own]
        return ranked(pair, rules)[0] is own

    # A larger adj never helps to survive, so the winning values are the upper end of the range.
    lowest, highest = ADJ_MIN + 1, 1000
    if not wins(highest):
        return None
    while lowest < highest:
        middle = (lowest + highest) // 2
        if wins(middle):
            highest = middle
        else:
            lowest = middle + 1
    return lowest


def _index(tasks: list[Task], candidate: Candidate) -> int:
    return next(index for index, task in enumerate(tasks) if task is candidate.task)
