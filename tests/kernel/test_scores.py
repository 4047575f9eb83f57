"""Whether the kernel's own scores fit the size of memory that was read."""

from __future__ import annotations

import pytest

from oomctl.kernel.badness import badness, oom_score
from oomctl.kernel.rules import rules_for
from oomctl.kernel.scores import scores_contradict, totalpages_doubts
from oomctl.model.kernel import Constraint, Context, Doubt, Doubtful, Task
from tests.tasks import NEWEST, task

TOTAL = 1_000_000
"""Pages; what the kernel reckons with."""


def scored(rss: int, adj: int = 0, kernel: str = NEWEST, pid: int = 10, total: int = TOTAL) -> Task:
    """A task with the score that a kernel with ``total`` pages shows."""
    rules = rules_for(kernel)
    plain = task(pid, rss, adj)
    return plain._replace(oom_score=oom_score(badness(plain, total, rules).badness, total, rules))


@pytest.mark.parametrize("kernel", ["4.14", "5.8", "5.9", NEWEST])
@pytest.mark.parametrize("adj", [-300, 0, 500])
def test_scores_of_the_memory_that_is_shown_do_not_contradict(kernel: str, adj: int) -> None:
    tasks = [scored(rss, adj, kernel) for rss in (5_000, 77_777, 300_001)]
    assert not scores_contradict(tasks, TOTAL, rules_for(kernel), 256)


@pytest.mark.parametrize("kernel", ["4.14", "5.8", "5.9", NEWEST])
@pytest.mark.parametrize("shown", [TOTAL // 8, TOTAL // 2, TOTAL * 2])
def test_scores_of_another_memory_contradict(kernel: str, shown: int) -> None:
    tasks = [scored(rss, 0, kernel) for rss in (20_000, 40_000, 60_000)]
    assert scores_contradict(tasks, shown, rules_for(kernel), 256)


def test_one_of_several_that_has_grown_meanwhile_does_not() -> None:
    steady = [scored(50_000 + number) for number in range(2)]
    assert not scores_contradict([*steady, scored(50_000)._replace(rss_pages=200_000)], TOTAL, rules_for(NEWEST), 256)


def test_who_has_too_little_to_tell_does_not() -> None:
    assert not scores_contradict([scored(1_000)], TOTAL // 2, rules_for(NEWEST), 0)


@pytest.mark.parametrize("why", ["init", "kthread", "zombie", "vfork", "oom_skip"])
def test_the_score_of_who_cannot_be_chosen_says_nothing(why: str) -> None:
    spared = scored(100_000)._replace(oom_score=1, **{why: True})  # type: ignore[arg-type]  # a flag by its name
    assert not scores_contradict([spared], TOTAL, rules_for(NEWEST), 0)


def test_tasks_without_a_score_say_nothing() -> None:
    assert not scores_contradict([task(10, 500_000)], TOTAL, rules_for(NEWEST), 0)


def test_counters_may_be_off() -> None:
    off = scored(100_000)._replace(rss_pages=101_900)
    assert scores_contradict([off._replace(rss_pages=120_000)], TOTAL, rules_for(NEWEST), 2_000)
    assert not scores_contradict([off], TOTAL, rules_for(NEWEST), 2_000)


@pytest.mark.parametrize(
    ("constraint", "doubts"),
    [(Constraint.NONE, (Doubt(Doubtful.OTHER_TOTALPAGES),)), (Constraint.MEMCG, ()), (Constraint.CPUSET, ())],
)
def test_scores_are_of_the_whole_machine(constraint: Constraint, doubts: tuple[Doubt, ...]) -> None:
    assert totalpages_doubts([scored(100_000)], Context(constraint, TOTAL // 4, cpus=2), rules_for(NEWEST)) == doubts


def test_scores_that_overflowed_in_32_bits_do_not() -> None:
    """Linux 5.10 for i386 with 2,740,831 pages; a process of 16 thousandths at adj 869 has a score of 208."""
    total = 2_740_831
    first = task(10, 44_000, 869)
    points = badness(first, total, rules_for("5.10")).badness
    shown = first._replace(oom_score=oom_score(points, total, rules_for("5.10"), 32))
    assert shown.oom_score is not None
    assert shown.oom_score < 300
    assert not scores_contradict([shown], total, rules_for("5.10"), 256)
