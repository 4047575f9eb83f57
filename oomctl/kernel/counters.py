"""Which of the numbers that userspace has are those that a kernel's killer counts by."""

from __future__ import annotations

from collections.abc import Iterable

from oomctl.kernel.rules import Counters, Rules
from oomctl.model.kernel import Task

_SAME_COUNTER = {Counters.PER_CPU_EXACT_STATUS: Counters.PER_CPU}
"""Only what ``status`` shows is different there: the killer, and ``stat``, read the same common counter."""


def counted(task: Task, rules: Rules) -> Task:
    """Return ``task`` with the RSS that a killer with ``rules`` counts, where the task has it as well."""
    if rules.counters is not Counters.EXACT or task.rss_exact_pages is None:
        return task
    return task._replace(rss_pages=task.rss_exact_pages)


def counters_differ(asked: Rules, read_on: Rules) -> bool:
    """Whether the killer of one kernel goes by numbers that were not to be read on another.

    Each holds back something else from its counters of RSS, and nobody can say what the other one would have: up to
    v6.1 threads do, then CPUs, since v7.0 nobody does. Only between the kernels of per-CPU counters nothing changed.
    Page tables were counted by other levels before v4.15.
    """
    counters = (_SAME_COUNTER.get(rules.counters, rules.counters) for rules in (asked, read_on))
    return len(set(counters)) > 1 or asked.pgtables is not read_on.pgtables


def all_exact(tasks: Iterable[Task]) -> bool:
    """Whether everybody with memory has the exact RSS beside what was read for the killer of its own kernel."""
    return all(task.rss_exact_pages is not None for task in tasks if not (task.kthread or task.zombie))
