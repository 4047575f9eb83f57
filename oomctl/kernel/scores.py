"""The kernel's own ``oom_score`` against what follows from the sizes that were read."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nlargest

from oomctl.kernel.badness import ADJ_MIN, badness, oom_score, score_slack
from oomctl.kernel.certainty import batch_pages
from oomctl.kernel.rules import Rules
from oomctl.model.kernel import Constraint, Context, Doubt, Doubtful, Task

_MOST_COMPARED = 20
_TELLING_PERMILLE = 4
"""A task of a smaller part of memory has nearly the same score whatever totalpages is."""
_COUNTERS = 4  # of RSS (file, anonymous, shmem) and of swap


def totalpages_doubts(tasks: Iterable[Task], context: Context, rules: Rules) -> tuple[Doubt, ...]:
    """Return the doubt that what was read of a machine's memory is not what its kernel reckons with.

    For tasks that carry the ``oom_score`` of their reading, by ``rules`` of the kernel they were read on. Scores say
    nothing of a memory cgroup or of nodes: they are scaled by the machine's memory.
    """
    if context.constraint is not Constraint.NONE:
        return ()
    cpus = context.cpus or 1
    slack = _COUNTERS * cpus * batch_pages(cpus)
    contradicts = scores_contradict(tasks, context.totalpages, rules, slack)
    return (Doubt(Doubtful.OTHER_TOTALPAGES),) if contradicts else ()


def scores_contradict(tasks: Iterable[Task], totalpages: int, rules: Rules, slack_pages: int) -> bool:
    """Whether ``totalpages`` is not what the kernel has scaled the ``oom_score`` of most of the biggest tasks by.

    A task may have grown between the two readings, so one of several is no proof. ``slack_pages``: so far off sizes may
    be.
    """
    slack = score_slack(slack_pages, totalpages, rules)
    telling = [task for task in tasks if _tells(task) and _size(task) * 1000 // totalpages >= _TELLING_PERMILLE]
    biggest = nlargest(_MOST_COMPARED, telling, key=_size)
    other = sum(_off(task, totalpages, rules) > slack for task in biggest)
    return other * 2 > len(biggest)


def _tells(task: Task) -> bool:
    """Whether the score is one of an eligible task."""
    ineligible = task.init or task.kthread or task.zombie or task.vfork or task.oom_skip or task.adj == ADJ_MIN
    return bool(task.oom_score) and not ineligible


def _size(task: Task) -> int:
    return task.rss_pages + task.swap_pages + task.pgtables_pages


def _off(task: Task, totalpages: int, rules: Rules) -> int:
    """How far its score is from what follows from its size, by the word length of a kernel that comes nearer."""
    points = badness(task, totalpages, rules).badness
    return min(abs(oom_score(points, totalpages, rules, bits) - (task.oom_score or 0)) for bits in (64, 32))
