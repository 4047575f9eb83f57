"""Checks of the kernel's next choice: whom it takes, what that frees, and whether it takes anybody."""

from __future__ import annotations

from collections.abc import Iterator

from oomctl.audit import remedies
from oomctl.audit.facts import Look
from oomctl.kernel.badness import ADJ_MIN
from oomctl.model.audit import Finding, Severity
from oomctl.model.kernel import Certainty, Outcome, Task
from oomctl.render.text import count, named, size, visible

_USER_SERVICES = (100, 200)
"""What a user's own service manager has, and gives to services (systemd since v250)."""
_GUARDED = -900
_MUCH_PERCENT = 10
"""Of all memory, held by one process: before that, nobody has eaten it."""


def precious_next(look: Look) -> Iterator[Finding]:
    """Yield what is not to be lost and would be killed next."""
    killed = {task.pid for task in look.result.killed}
    for task, is_trusted in look.precious:
        would = "would" if task.pid in killed and look.result.certainty is Certainty.CERTAIN else "may"
        # Nobody gets protection, or has somebody called out of bed, by calling himself postgres.
        who = "" if is_trusted else "; it belongs to another than root, and anybody can use that name"
        protect = "protect" if task.adj <= _GUARDED else f"protect --level {_GUARDED}"
        yield Finding(
            "precious-next",
            Severity.CRITICAL if is_trusted else Severity.WARNING,
            f"{named(task)} is not to be lost, and {would} be killed next if the machine ran out of memory{who}",
            remedies.of_pids(protect, [task.pid]) if is_trusted else None,
            process=task,
            pids=frozenset([task.pid]),
        )


def futile_victim(look: Look) -> Iterator[Finding]:
    """Yield the next victim where its death frees next to nothing of what another one holds."""
    victim, largest, page = look.result.victim, look.largest, look.scenario.page_size
    if victim is None or largest is None or look.result.outcome is not Outcome.KILL:
        return
    held = largest.rss_pages + largest.swap_pages
    freed = look.result.freed_pages
    if largest.pid in {task.pid for task in look.result.killed} or not _is_much(largest, look):
        return
    if freed * 100 >= held * look.asked.thresholds.futile_percent:
        return
    task = victim.task
    adj = _adj_below(task, largest, look.scenario.context.totalpages)
    # Below 0 it would not only make way for another: nobody gets that for being small and in the way.
    is_enough = adj >= 0 or task.uid < look.first_person
    yield Finding(
        "futile-victim",
        Severity.WARNING,
        f"{named(task)} would be killed next and free {size(freed * page)}, while {named(largest)} holds"
        f" {size(held * page)}",
        remedies.of_pids(f"set {adj}", [task.pid]) if is_enough else None,
        process=task,
        unit=look.victim.unit,
        pids=frozenset([task.pid]),
    )


def _adj_below(task: Task, other: Task, totalpages: int) -> int:
    """Return an adj with which ``task`` ranks behind ``other``."""
    step = max(totalpages // 1000, 1)
    ahead = _size(task) - _size(other) - other.adj * step
    return max(min(-(ahead // step) - 2, task.adj - 1), ADJ_MIN + 1)


def _is_much(task: Task, look: Look) -> bool:
    return _size(task) * 100 >= look.scenario.context.totalpages * _MUCH_PERCENT


def _size(task: Task) -> int:
    return task.rss_pages + task.swap_pages + task.pgtables_pages


def user_service_first(look: Look) -> Iterator[Finding]:
    """Yield the next victim where it is a small service of a user, for no other reason than that."""
    victim, largest = look.result.victim, look.largest
    if victim is None or largest is None or look.victim.manager_uid is None:
        return
    task = victim.task
    if task.adj not in _USER_SERVICES or largest.pid == task.pid:
        return
    if not _is_much(largest, look):
        return  # so it is on every machine where somebody is logged in
    unit = visible(look.victim.unit or "a unit")
    yield Finding(
        "user-service-first",
        Severity.INFO,
        f"{named(task)} would be killed before {named(largest)}, the largest process, because the user's service"
        f" manager gives {unit} {task.adj}; OOMScoreAdjust= in that unit says otherwise",
        remedies.of_pids("reset", [task.pid]),
        process=task,
        unit=look.victim.unit,
        pids=frozenset([task.pid]),
    )


def panic_on_oom(look: Look) -> Iterator[Finding]:
    """Yield that the kernel panics instead of killing anybody."""
    value = look.settings.panic_on_oom
    if value:
        when = "also when only a cgroup or some nodes run out of memory" if value == 2 else "when the machine runs out"
        yield Finding(
            "panic-on-oom",
            Severity.CRITICAL if value == 2 else Severity.WARNING,
            f"vm.panic_on_oom is {value}: the kernel panics instead of killing anybody, {when}",
            remedies.sysctl("vm.panic_on_oom", 0),
        )


def kill_allocating(look: Look) -> Iterator[Finding]:
    """Yield that whoever asks for memory dies, whatever its size."""
    if look.settings.oom_kill_allocating_task:
        yield Finding(
            "kill-allocating",
            Severity.WARNING,
            "vm.oom_kill_allocating_task is 1: whoever happens to ask for memory is killed; of adj only -1000 counts",
            remedies.sysctl("vm.oom_kill_allocating_task", 0),
        )


def kills_seen(look: Look) -> Iterator[Finding]:
    """Yield that the kernel has killed since the last check."""
    if look.kills is not None and look.kills > look.kills_seen:
        number = look.kills - look.kills_seen
        have = "has" if number == 1 else "have"
        yield Finding(
            "kills-seen",
            Severity.WARNING,
            f"{count(number, 'process', 'processes')} {have} been killed by the kernel since the last check",
            "oomctl history last",
        )
