"""A changed scenario: another adj, growth, a process more or less. Pure; the original stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN, badness
from oomctl.kernel.execution import shares_memory
from oomctl.kernel.rules import Rules
from oomctl.kernel.selection import ranked, why_not
from oomctl.model.kernel import Candidate, Constraint, Scenario, Task


def with_adj(scenario: Scenario, pid: int, adj: int) -> Scenario:
    """Give ``pid`` another adj, and everyone who shares its memory, as a write to ``oom_score_adj`` does.

    The kernel leaves tasks in vfork out (``__set_oom_adj``, since v4.8; before, a write changed one process only).
    """
    return with_adjs(scenario, {task_of(scenario, pid).pid: adj})


def with_adjs(scenario: Scenario, what_if: Mapping[int, int]) -> Scenario:
    """Do that for many at once, as if one after the other in the order of ``what_if``; PIDs of nobody are left out.

    One pass over the tasks however many change: a whole group of the live view does.
    """
    tasks = {task.pid: task for task in scenario.tasks}
    targets = [tasks[pid] for pid in what_if if pid in tasks]
    order = {task.pid: number for number, task in enumerate(targets)}
    sharing: dict[str, list[Task]] = {}
    for target in targets:
        if target.mm is not None:
            sharing.setdefault(target.mm, []).append(target)

    def changed(task: Task) -> Task:
        by = [target for target in sharing.get(task.mm or "", ()) if _takes_same_adj(task, target)]
        if task.pid in order:
            by.append(task)
        return task._replace(adj=what_if[max(by, key=lambda target: order[target.pid]).pid]) if by else task

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
        exact = None if task.rss_exact_pages is None else max(task.rss_exact_pages + pages, 0)
        return task._replace(rss_pages=max(task.rss_pages + pages, 0), rss_exact_pages=exact, anon_pages=anon)

    return scenario._replace(tasks=tuple(changed(task) for task in scenario.tasks))


def with_process(scenario: Scenario, pages: int, adj: int = 0) -> Scenario:
    """Add a process of ``pages`` of private memory that started last; its PID is negative."""
    context = scenario.context
    pid = min([0, *(task.pid for task in scenario.tasks)]) - 1
    pgtables = pages_with_tables(pages, scenario.page_size) - pages
    memcg = context.memcg if context.constraint is Constraint.MEMCG else None
    added = Task(pid, "added", rss_pages=pages, anon_pages=pages, pgtables_pages=pgtables, adj=adj, memcg=memcg)
    return scenario._replace(tasks=(*scenario.tasks, added._replace(rss_exact_pages=pages)))


def pages_with_tables(pages: int, page_size: int) -> int:
    """Return how many pages a new process of ``pages`` takes together with its page tables."""
    # Leaf page tables of 4 KiB pages hold 512 entries; the upper levels are three more.
    return pages + -(-pages // (page_size // 8)) + 3


def pages_within(room: int, page_size: int) -> int:
    """Return how many pages a new process can have where there are ``room``, page tables included."""
    return max(2 * room - pages_with_tables(room, page_size), 0)


def without(scenario: Scenario, pid: int) -> Scenario:
    """Leave out ``pid``, as if it had ended."""
    gone = task_of(scenario, pid)
    tasks = tuple(task for task in scenario.tasks if task.pid != pid)
    return with_more_left(scenario, gone.rss_pages + gone.swap_pages + gone.pgtables_pages)._replace(tasks=tasks)


def with_more_left(scenario: Scenario, pages: int) -> Scenario:
    """Let so many pages more (fewer, when negative) be left before the memory runs out, where that is known."""
    left = scenario.context.left_pages
    if left is None:
        return scenario
    return scenario._replace(context=scenario.context._replace(left_pages=max(left + pages, 0)))


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
    return first_adjs_that_win(scenario, [pid], rules)[pid]


def first_adjs_that_win(scenario: Scenario, pids: Iterable[int], rules: Rules) -> dict[int, int | None]:
    """Return ``first_adj_that_wins`` of each of ``pids``, ranking the others once for all of them."""
    context = scenario.context
    eligible = [task for task in scenario.tasks if why_not(task, context, rules) is None]
    in_order = ranked([badness(task, context.totalpages, rules) for task in eligible], rules)
    places = {task.pid: place for place, task in enumerate(scenario.tasks)}
    adjs: dict[int, int | None] = {}
    for pid in pids:
        target = scenario.tasks[places[pid]]
        if why_not(target._replace(adj=0), context, rules) is not None:
            adjs[pid] = None
            continue
        # Who takes the same adj dies with it: no rival.
        rivals = (other for other in in_order if other.task.pid != pid and not _takes_same_adj(other.task, target))
        rival = next(rivals, None)
        is_later = rival is not None and places[rival.task.pid] > places[pid]
        adjs[pid] = _lowest_above(rival, is_later, target, context.totalpages, rules)
    return adjs


def _lowest_above(rival: Candidate | None, is_later: bool, target: Task, totalpages: int, rules: Rules) -> int | None:
    """Return the lowest adj at which ``target`` is taken before ``rival``, which the scan meets later or earlier."""

    def wins(adj: int) -> bool:
        if rival is None:
            return True
        own = badness(target._replace(adj=adj), totalpages, rules)
        pair = [own, rival] if is_later else [rival, own]
        return ranked(pair, rules)[0] is own

    # A larger adj never helps to survive, so the winning values are the upper end of the range.
    # Halved by hand: bisect has no ``key`` before Python 3.10.
    losing, winning = ADJ_MIN, ADJ_MAX + 1
    while winning - losing > 1:
        middle = (losing + winning) // 2
        losing, winning = (losing, middle) if wins(middle) else (middle, winning)
    return winning if winning <= ADJ_MAX else None
