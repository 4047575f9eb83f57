"""How far userspace's numbers can be off, and whom that leaves in the running.

A reading of /proc and the killer's own reading of the same counters are not taken at the same moment nor, on some
kernels, by the same sum; and reclaim comes in between. So each task has a lower and an upper bound, and may be first
whose upper one reaches the best lower one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from oomctl.kernel.rules import Counters, Rules
from oomctl.model.kernel import Candidate, Constraint, Context, Task

THREAD_CACHE_PAGES = 64  # TASK_RSS_EVENTS_THRESH in mm/memory.c, before v6.2
AT_REST_PAGES = 8
"""A resting task's counters stand still: no difference in thousands of rows of the kernel's own tables."""


def batch_pages(cpus: int) -> int:
    """Pages that a CPU may hold back before it adds them to the common counter.

    ``percpu_counter_batch`` in lib/percpu_counter.c.
    """
    return max(32, 2 * cpus)


class Precision(NamedTuple):
    """Bounds on how far one task's badness as read may be from what the killer computes, in pages."""

    rest: int
    running: int
    """More than that, for a task of which a thread may be running: what flushes of its counters move."""
    swap: int
    """More than that, for a task with pages in swap, or for all where swap is used."""
    taken: int = 0
    """More than that, downwards, for a task that reclaim takes pages from."""
    swap_used: bool = False

    def of(self, task: Task) -> int:
        """Return how many pages the killer's number may be away from this task's."""
        return (
            self.rest + (self.running if task.running else 0) + (self.swap if self.swap_used or task.swap_pages else 0)
        )

    @property
    def most(self) -> int:
        """The bound for a task of which nothing is known."""
        return self.rest + self.running + self.swap


EXACT = Precision(0, 0, 0)


def precision(counters: Counters, context: Context) -> Precision:
    """Return the bounds for numbers read from /proc on a kernel that counts so; ``cpus`` None: not from /proc."""
    cpus, used = context.cpus, context.swap_used
    if cpus is None:
        return EXACT
    if counters is Counters.PER_THREAD:
        return Precision(AT_REST_PAGES, THREAD_CACHE_PAGES * cpus, 0, swap_used=used)
    batch = batch_pages(cpus)
    if counters is Counters.EXACT:
        return Precision(AT_REST_PAGES, batch, 0, swap_used=used)
    # What all CPUs hold back of one counter, with either sign. While a thread runs that may turn from one end to the
    # other. Reclaim only takes off a counter of RSS, and adds to that of swap what it takes off the one of anonymous
    # pages: the former falls by what is held back more, the latter two drift apart by three times that.
    held = cpus * (batch - 1)
    turned = 2 * cpus * batch
    moved = 0 if no_reclaim(context) else held
    if counters is Counters.PER_CPU:
        return Precision(AT_REST_PAGES, turned, 3 * moved, moved, used)
    # VmSwap is exact, rounded down to a whole batch; the killer counted 192 pages for 0 (6.12.117, 8 CPUs), as pages
    # that were swapped in again leave their mark.
    return Precision(AT_REST_PAGES, turned, held + batch - 1 + 2 * moved, moved, used)


def no_reclaim(context: Context) -> bool:
    """Whether the killer finds the pages that are there now: an OOM at once, or the killer's own numbers.

    A limit that is set below what is in use is no OOM at once: ``memory_max_write`` reclaims before it kills.
    """
    at_once = (context.sudden or context.sysrq) and context.constraint is not Constraint.MEMCG
    return at_once or context.cpus is None


def reclaimable_pages(rss: int, file: int, shmem: int, context: Context) -> int:
    """Return how many of ``rss`` pages reclaim may have taken, and moved to nobody, before the killer looks.

    Mapped files, shared memory that can go to swap, what was given to MADV_FREE, empty parts of huge pages where those
    are taken apart (``thp_underused``). Anonymous pages that go to swap are counted there (``swapents``), and page
    tables stay.
    """
    if no_reclaim(context):
        return 0
    shared = _at_most(shmem, context.swappable_shmem_pages) if context.swap_used else 0
    freed = min(max(rss - file - shmem, 0), context.droppable_pages)
    return _at_most(file, context.file_lru_pages) + shared + freed


def _taken_from(task: Task, context: Context) -> int:
    """Return ``reclaimable_pages`` of a task, less where it was looked at closely."""
    most = reclaimable_pages(task.rss_pages, task.file_pages, task.shmem_pages, context)
    if (task.droppable_pages is None and task.evictable_pages is None) or not most:
        return most
    freed = reclaimable_pages(task.rss_pages - task.file_pages - task.shmem_pages, 0, 0, context)
    mapped = most - freed
    return _at_most(mapped, task.evictable_pages) + _at_most(freed, task.droppable_pages)


def _at_most(pages: int, bound: int | None) -> int:
    return pages if bound is None else min(pages, bound)


class Assessment(NamedTuple):
    """How sure a ranking's first is."""

    margin_pages: int | None
    error_bound_pages: int
    contenders: tuple[Task, ...]
    overtaken_by_growth_pages: int | None = None


def assess(ranking: Sequence[Candidate], context: Context, rules: Rules) -> Assessment:
    """Name everyone who may be the first of ``ranking``, which must not be empty.

    ``rules`` are those of the kernel that the numbers were read on.
    """
    first, others = ranking[0], ranking[1:]
    if first.task.origin:
        return Assessment(None, 0, (first.task,))
    off = precision(rules.counters, context)
    lowest = best_lower_bound(ranking, context, off)
    # Numbers that are the killer's own decide a tie, too.
    rivals = _reaching(others, lowest + (1 if off is EXACT else 0), off)
    # Of those that can be first, or else of the second, whose margin is more than that.
    shown = rivals or others[:1]
    bound = max((off.of(other.task) for other in shown), default=0) + first.badness - lowest
    margin = first.badness - others[0].badness if others else None
    # Whoever starts now has no memory yet, and an adj of 0.
    near = _down_to(others, others[0].badness - off.most) if others else ()
    highest = max([0, *(other.badness + off.of(other.task) for other in near)])
    growth = max(lowest - highest, 0)
    return Assessment(margin, bound, (first.task, *(rival.task for rival in rivals)), growth)


def may_be_first(
    at_least: Sequence[Candidate], at_most: Sequence[Candidate], context: Context, rules: Rules
) -> tuple[Task, ...]:
    """Name everyone who may be first where sizes are only bounded, the worst first.

    ``at_least`` and ``at_most`` rank the same tasks, with the least and with the most that each may have by then.
    """
    if not at_least:
        return ()
    off = precision(rules.counters, context)
    return tuple(one.task for one in _reaching(at_most, best_lower_bound(at_least, context, off), off))


def _reaching(ranking: Sequence[Candidate], reach: int, off: Precision) -> list[Candidate]:
    """Return those of a sorted ranking whose badness may be ``reach`` in pages, or more."""
    near = _down_to(ranking, reach - off.most)
    return [candidate for candidate in near if candidate.badness + off.of(candidate.task) >= reach]


def _down_to(ranking: Sequence[Candidate], points: int) -> Sequence[Candidate]:
    """Return those at the head of a sorted ranking that have so much badness."""
    count = next((number for number, candidate in enumerate(ranking) if candidate.badness < points), len(ranking))
    return ranking[:count]


def best_lower_bound(ranking: Sequence[Candidate], context: Context, off: Precision) -> int:
    """Return the badness in pages that somebody will have in any case; ``ranking`` is sorted and not empty."""
    best = lower_bound(ranking[0], context, off)
    for candidate in ranking[1:]:
        if candidate.badness <= best:
            break
        best = max(best, lower_bound(candidate, context, off))
    return best


def lower_bound(candidate: Candidate, context: Context, off: Precision) -> int:
    """Return the badness in pages that a task will have whatever reclaim takes and the counters hide."""
    task = candidate.task
    taken = _taken_from(task, context)
    return candidate.badness - off.of(task) - taken - (off.taken if taken else 0)
