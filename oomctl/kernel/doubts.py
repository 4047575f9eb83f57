"""What keeps a prediction from being certain, whatever the numbers say."""

from __future__ import annotations

from collections.abc import Sequence

from oomctl.kernel.counters import all_exact, counters_differ
from oomctl.kernel.rules import Counters
from oomctl.kernel.scenario_rules import guessed_rules, rules_of, rules_of_reading
from oomctl.kernel.selection import is_global
from oomctl.model.kernel import Doubt, Doubtful, Scenario, Task

_UNSEEN = (Doubtful.HIDDEN_PROCESSES, Doubtful.UNSEEN_MEMBERS)


def doubts_of(scenario: Scenario) -> tuple[Doubt, ...]:
    """Return every reason for which a choice by badness is not certain."""
    found = [*_of_the_choice(scenario), *guessed_rules(scenario), *_other_counters(scenario)]
    if scenario.hidden:
        found.append(Doubt(Doubtful.HIDDEN_PROCESSES, scenario.hidden))
    if _asker_decides(scenario):
        found.append(Doubt(Doubtful.ALLOCATING_TASK))
    return tuple(found)


def unseen_processes(scenario: Scenario) -> tuple[Doubt, ...]:
    """Return the doubts that say of processes which may be there that they cannot be seen."""
    return tuple(doubt for doubt in doubts_of(scenario) if doubt.kind in _UNSEEN)


def doubts_of_rules(scenario: Scenario) -> tuple[Doubt, ...]:
    """Return every reason for which even a choice that no other process has part in is not certain."""
    return tuple(doubt for doubt in (*_of_the_choice(scenario), *guessed_rules(scenario)) if doubt.kind not in _UNSEEN)


def unseen_sharers(killed: Sequence[Task], scenario: Scenario) -> tuple[Doubt, ...]:
    """Return the doubt whether more die than ``killed``, where it could not be asked who shares their memory.

    Who does has the same sizes, and the same stack, where that is known. Where it was asked about some, it was about
    all whose stack is known.
    """
    unasked = [doubt.number for doubt in scenario.doubts if doubt.kind is Doubtful.UNSEEN_SHARERS]
    if not unasked:
        return ()
    dead = {task.pid for task in killed}
    stacks: dict[tuple[int, ...], set[int]] = {}
    for task in killed:
        if task.vsize_bytes:
            stacks.setdefault(_sizes(task), set()).add(task.start_stack)
    others = (task for task in scenario.tasks if task.pid not in dead and not task.kthread)
    nobody_asked = 0 in unasked
    number = sum(_may_be_one_of(task.start_stack, stacks.get(_sizes(task), set()), nobody_asked) for task in others)
    return (Doubt(Doubtful.UNSEEN_SHARERS, number),) if number else ()


def _sizes(task: Task) -> tuple[int, ...]:
    return task.vsize_bytes, task.rss_pages, task.swap_pages, task.pgtables_pages


def _may_be_one_of(stack: int, stacks: set[int], nobody_asked: bool) -> bool:
    """Whether a stack may be one of ``stacks``; 0: not known."""
    return bool(stacks) and (not stack or 0 in stacks or (nobody_asked and stack in stacks))


def _of_the_choice(scenario: Scenario) -> tuple[Doubt, ...]:
    """Return the doubts about who is chosen; who shares memory has no part in that."""
    return tuple(doubt for doubt in scenario.doubts if doubt.kind is not Doubtful.UNSEEN_SHARERS)


def _other_counters(scenario: Scenario) -> tuple[Doubt, ...]:
    """Return the doubt whether the numbers are those that the killer of the kernel asked about would go by."""
    if scenario.read_from is None:
        return ()
    asked, read_on = rules_of(scenario), rules_of_reading(scenario)
    read_too = asked.counters is Counters.EXACT and asked.pgtables is read_on.pgtables and all_exact(scenario.tasks)
    if read_too or not counters_differ(asked, read_on):
        return ()
    return (Doubt(Doubtful.OTHER_COUNTERS, detail=scenario.read_from),)


def _asker_decides(scenario: Scenario) -> bool:
    """Whether ``vm.oom_kill_allocating_task`` takes the task that asks for memory, and nobody has said which."""
    context = scenario.context
    applies = context.oom_kill_allocating_task and is_global(context) and not context.sysrq
    return applies and context.current is None
