"""How far userspace's numbers can be off, and whom that leaves in the running.

A reading of /proc and the killer's own reading of the same counters are not taken at the same moment
nor, on some kernels, by the same sum. Tasks closer to the first than that can change places.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from oomctl.kernel.rules import Counters, Rules
from oomctl.model.kernel import Candidate, Certainty, Context, Task

THREAD_CACHE_PAGES = 64  # TASK_RSS_EVENTS_THRESH in mm/memory.c, before v6.2
AT_REST_PAGES = 8
"""A resting task's counters stand still (no difference in thousands of rows of the kernel's own tables), but
reclaim may take some of its file pages away before the choice."""


def batch_pages(cpus: int) -> int:
    """Pages that a CPU may hold back before it adds them to the common counter.

    ``percpu_counter_batch`` in lib/percpu_counter.c.
    """
    return max(32, 2 * cpus)


class Precision(NamedTuple):
    """Bounds on how far one task's badness as read may be from what the killer computes, in pages."""

    rest: int
    running: int
    """More than that, for a task that is running: one flush of its counters."""
    swap: int
    """More than that, for a task with pages in swap, or for all where swap is used."""
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


def precision(counters: Counters, cpus: int | None, swap_used: bool = False) -> Precision:
    """Return the bounds for numbers read from /proc on a kernel that counts so; None: not from /proc.

    ``swap_used``: some task may have had pages in swap, if only for a while.
    """
    if cpus is None:
        return EXACT
    if counters is Counters.PER_THREAD:
        return Precision(AT_REST_PAGES, THREAD_CACHE_PAGES, 0)
    batch = batch_pages(cpus)
    swap_in_doubt = counters is Counters.PER_CPU_EXACT_STATUS
    # VmSwap is rounded down to a whole batch; every CPU may hold up to a batch less one on either side. That stays when
    # everything was swapped in again: VmSwap is 0, and the killer counted 192 pages (6.12.117, 8 CPUs).
    return Precision(AT_REST_PAGES, batch, (cpus + 1) * (batch - 1) if swap_in_doubt else 0, swap_used)


class Assessment(NamedTuple):
    """How sure a ranking's first is."""

    certainty: Certainty
    margin_pages: int | None
    error_bound_pages: int
    contenders: tuple[Task, ...]


def assess(ranking: Sequence[Candidate], context: Context, rules: Rules) -> Assessment:
    """Name everyone who may be the first of ``ranking``, which must not be empty.

    ``rules`` are those of the kernel that the numbers were read on.
    """
    first = ranking[0]
    off = precision(rules.counters, context.cpus, context.swap_used)
    if first.task.origin:
        return Assessment(Certainty.CERTAIN, None, 0, (first.task,))
    contenders = [first.task]
    reaches = []
    for other in ranking[1:]:
        reach = off.of(first.task) + off.of(other.task)
        if first.badness - other.badness < reach:
            contenders.append(other.task)
            reaches.append(reach)
    second = ranking[1].task if len(ranking) > 1 else first.task
    # Of those that can be first, or else of the second, whose margin is more than that.
    bound = max(reaches, default=off.of(first.task) + off.of(second))
    margin = first.badness - ranking[1].badness if len(ranking) > 1 else None
    certainty = Certainty.CERTAIN if len(contenders) == 1 else Certainty.CLOSE
    return Assessment(certainty, margin, bound, tuple(contenders))
