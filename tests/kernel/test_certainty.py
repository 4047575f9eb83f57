from __future__ import annotations

from typing import Any

import pytest

from oomctl.kernel.certainty import Precision, batch_pages, may_be_first, precision
from oomctl.kernel.invocation import out_of_memory
from oomctl.kernel.rules import Counters
from oomctl.kernel.scenario_rules import rules_of
from oomctl.model.kernel import Certainty, Constraint, Context, Task
from tests.tasks import contender_pids, round_of, scenario, task

EVERY_WAY_OF_COUNTING = ["5.10", "6.2", "6.18", "7.1"]


@pytest.mark.parametrize(("cpus", "pages"), [(1, 32), (2, 32), (16, 32), (17, 34), (64, 128), (512, 1024)])
def test_a_cpu_holds_back_a_batch(cpus: int, pages: int) -> None:
    assert batch_pages(cpus) == pages


def context(cpus: int | None, **facts: Any) -> Context:
    return Context(Constraint.NONE, 1_000_000, cpus=cpus, **facts)


@pytest.mark.parametrize(
    ("counters", "cpus", "expected"),
    [
        pytest.param(Counters.PER_THREAD, 64, Precision(8, 4096, 0), id="running: a cache of a thread on each CPU"),
        pytest.param(Counters.PER_CPU, 2, Precision(8, 128, 0), id="running: what all CPUs hold back, turned over"),
        pytest.param(Counters.PER_CPU, 64, Precision(8, 16384, 0), id="running, many CPUs"),
        pytest.param(Counters.PER_CPU_EXACT_STATUS, 2, Precision(8, 128, 93), id="swap: held back, and rounding"),
        pytest.param(Counters.PER_CPU_EXACT_STATUS, 64, Precision(8, 16384, 8255), id="swap, many CPUs"),
        pytest.param(Counters.EXACT, 2, Precision(8, 32, 0), id="exact sums still move"),
    ],
)
def test_without_reclaim_precision_follows_the_counters(counters: Counters, cpus: int, expected: Precision) -> None:
    assert precision(counters, context(cpus, sudden=True)) == expected


@pytest.mark.parametrize(
    ("counters", "expected"),
    [
        pytest.param(Counters.PER_THREAD, Precision(8, 128, 0), id="reclaim counts at once"),
        pytest.param(Counters.PER_CPU, Precision(8, 128, 186, 62), id="both counters drift apart"),
        pytest.param(Counters.PER_CPU_EXACT_STATUS, Precision(8, 128, 217, 62), id="as it was read, and moved"),
        pytest.param(Counters.EXACT, Precision(8, 32, 0), id="the killer sums"),
    ],
)
def test_reclaim_moves_what_cpus_hold_back(counters: Counters, expected: Precision) -> None:
    assert precision(counters, context(2)) == expected


@pytest.mark.parametrize("counters", list(Counters))
def test_numbers_that_were_not_read_from_proc_are_exact(counters: Counters) -> None:
    assert precision(counters, context(None)) == Precision(0, 0, 0)


def test_swap_is_in_doubt_only_for_who_has_some() -> None:
    off = Precision(8, 32, 62)
    assert (off.of(task(10)), off.of(task(10, swap=1))) == (8, 70)


def test_a_running_task_is_on_the_move() -> None:
    off = Precision(8, 32, 62)
    assert (off.of(task(10, running=True)), off.of(task(10, running=True, swap=1))) == (40, 102)


@pytest.mark.parametrize("kernel", EVERY_WAY_OF_COUNTING)
def test_exact_numbers_are_certain_even_when_equal(kernel: str) -> None:
    result = round_of(task(10, rss=500), task(11, rss=500), kernel=kernel)
    assert result.certainty is Certainty.CERTAIN
    assert (result.margin_pages, result.error_bound_pages) == (0, 0)
    assert [contender.pid for contender in result.contenders] == [11]


@pytest.mark.parametrize("kernel", EVERY_WAY_OF_COUNTING)
def test_equal_numbers_from_proc_are_close(kernel: str) -> None:
    result = round_of(task(10, rss=500), task(11, rss=500), kernel=kernel, cpus=2)
    assert result.certainty is Certainty.CLOSE
    assert {contender.pid for contender in result.contenders} == {10, 11}


@pytest.mark.parametrize(("behind", "contenders"), [(16, {10, 11}), (17, {10})])
def test_who_is_further_behind_than_both_can_be_off_is_no_contender(behind: int, contenders: set[int]) -> None:
    assert contender_pids(task(10, rss=500), task(11, rss=500 - behind), kernel="6.18", cpus=2) == contenders


@pytest.mark.parametrize(("behind", "contenders"), [(109, {10, 11}), (110, {10})])
def test_swap_widens_the_reach_where_status_is_exact(behind: int, contenders: set[int]) -> None:
    swapped = task(11, rss=400 - behind, swap=100)
    assert contender_pids(task(10, rss=500), swapped, kernel="6.18", cpus=2, sudden=True) == contenders


def test_swap_of_the_first_counts_as_well() -> None:
    assert contender_pids(task(10, rss=400, swap=100), task(11, rss=430), kernel="6.18", cpus=2) == {10, 11}


@pytest.mark.parametrize(("behind", "contenders"), [(202, {10, 11}), (203, {10})])
def test_where_swap_is_used_the_counters_of_all_are_in_doubt(behind: int, contenders: set[int]) -> None:
    """A page that was swapped in again leaves part of a batch behind, and VmSwap at 0."""
    tasks = task(10, rss=500), task(11, rss=500 - behind)
    assert contender_pids(*tasks, kernel="6.18", cpus=2, swap_used=True, sudden=True) == contenders
    assert contender_pids(*tasks, kernel="7.1", cpus=2, swap_used=True, sudden=True) == {10}


@pytest.mark.parametrize(
    ("second", "third", "words"),
    [
        (task(11, rss=480), task(12, rss=350, swap=10), (Certainty.CERTAIN, 20, 16)),
        (task(11, rss=480), task(12, rss=400, swap=10), (Certainty.CLOSE, 20, 109)),
        (task(11, rss=490), task(12, rss=350, swap=10), (Certainty.CLOSE, 10, 16)),
    ],
)
def test_the_bound_that_is_shown_never_contradicts_the_margin(
    second: Task, third: Task, words: tuple[Certainty, int, int]
) -> None:
    result = round_of(task(10, rss=500), second, third, kernel="6.18", cpus=2, sudden=True)
    assert (result.certainty, result.margin_pages, result.error_bound_pages) == words


def test_a_contender_may_stand_behind_one_that_is_none() -> None:
    without_swap, swapped = task(11, rss=460), task(12, rss=350, swap=100)
    assert contender_pids(task(10, rss=500), without_swap, swapped, kernel="6.18", cpus=2) == {10, 12}


def test_the_margin_is_the_lead_over_the_second() -> None:
    result = round_of(task(10, rss=500), task(11, rss=380), task(12, rss=120), cpus=2)
    assert (result.certainty, result.margin_pages, result.error_bound_pages) == (Certainty.CERTAIN, 120, 16)


def test_alone_is_certain_and_has_no_margin() -> None:
    result = round_of(task(10, rss=500), cpus=2)
    assert (result.certainty, result.margin_pages) == (Certainty.CERTAIN, None)


def test_an_origin_is_certain_however_small() -> None:
    assert contender_pids(task(10, origin=True), task(11, rss=500), cpus=2) == {10}


def test_doubt_follows_the_kernel_that_the_numbers_were_read_on() -> None:
    tasks = task(10, rss=500, running=True), task(11, rss=358)
    asked_elsewhere = scenario(*tasks, kernel="6.18", cpus=2)
    contenders = [out_of_memory(asked_elsewhere._replace(read_from=kernel)).contenders for kernel in ("5.10", "7.1")]
    assert contenders == [tasks, tasks[:1]]


RECLAIMABLE = [
    pytest.param({"file_pages": 400}, {}, {}, id="files"),
    pytest.param({"shmem_pages": 400}, {"swap_used": True}, {"swap_used": False}, id="shared memory, with swap"),
    pytest.param({"droppable_pages": 400}, {"droppable_pages": 400}, {"droppable_pages": 0}, id="given to MADV_FREE"),
    pytest.param({}, {"droppable_pages": 400}, {"droppable_pages": 0}, id="some gave, and who is not known"),
]


@pytest.mark.parametrize(("part", "there", "nowhere"), RECLAIMABLE)
def test_what_reclaim_takes_may_put_the_first_behind(
    part: dict[str, int], there: dict[str, Any], nowhere: dict[str, Any]
) -> None:
    pair = task(10, rss=1000, **part), task(11, rss=700, droppable_pages=0)
    assert contender_pids(*pair, cpus=2, **there) == {10, 11}
    assert contender_pids(*pair, cpus=2, **there, sudden=True) == {10}
    assert contender_pids(*pair, cpus=2, **there, sysrq=True) == {10}
    assert contender_pids(*pair, cpus=2, **{"file_lru_pages": 100, **nowhere}) == {10}


def test_a_limit_that_is_lowered_at_once_is_reclaimed_from_first() -> None:
    pair = task(10, rss=1000, file_pages=400, memcg="/a"), task(11, rss=700, memcg="/a")
    assert contender_pids(*pair, cpus=2, memcg="/a", sudden=True) == {10, 11}


def test_the_killers_own_numbers_are_those_after_reclaim() -> None:
    assert contender_pids(task(10, rss=1000, file_pages=900), task(11, rss=700)) == {10}


def test_what_the_others_lose_makes_them_no_stronger() -> None:
    assert contender_pids(task(10, rss=1000), task(11, rss=900, file_pages=800), cpus=2) == {10}


def test_the_best_lower_bound_need_not_be_that_of_the_first() -> None:
    mapped, private, small = task(10, rss=1000, file_pages=900), task(11, rss=800), task(12, rss=500)
    assert contender_pids(mapped, private, small, cpus=2) == {10, 11}


def test_no_more_is_taken_than_the_memory_has_to_reclaim() -> None:
    pair = task(10, rss=1000, file_pages=900), task(11, rss=800)
    assert contender_pids(*pair, cpus=2, file_lru_pages=180) == {10}
    assert contender_pids(*pair, cpus=2, file_lru_pages=190) == {10, 11}


def test_the_bound_that_is_shown_counts_what_reclaim_may_take() -> None:
    result = round_of(task(10, rss=1000, file_pages=400), task(11, rss=500), cpus=2)
    assert (result.certainty, result.margin_pages, result.error_bound_pages) == (Certainty.CERTAIN, 500, 416)


@pytest.mark.parametrize(("left", "settled"), [(283, True), (284, False), (None, False)])
def test_it_is_settled_where_less_is_left_than_another_has_to_grow_by(left: int | None, settled: bool) -> None:
    result = round_of(task(10, rss=1000), task(11, rss=700), cpus=2, left_pages=left)
    assert (result.overtaken_by_growth_pages, result.settled) == (284, settled)


def test_who_starts_now_has_to_grow_to_more_than_the_first() -> None:
    result = round_of(task(10, rss=1000), task(11, rss=700, adj=-500), cpus=2, left_pages=500)
    assert (result.overtaken_by_growth_pages, result.settled) == (992, True)
    behind_anybody_new = round_of(task(10, rss=1000, adj=-500), cpus=2, left_pages=0)
    assert (behind_anybody_new.overtaken_by_growth_pages, behind_anybody_new.settled) == (0, False)


def test_what_is_close_is_not_settled() -> None:
    result = round_of(task(10, rss=700), task(11, rss=700), cpus=2, left_pages=0)
    assert (result.overtaken_by_growth_pages, result.settled) == (0, False)


def may_be_first_of(least: dict[int, int], most: dict[int, int], **context: Any) -> list[int]:
    """PIDs of those who may be first where sizes are only bounded."""
    least_first, most_first = (
        round_of(*(task(pid, rss=size) for pid, size in sizes.items()), **context).ranking for sizes in (least, most)
    )
    situation = scenario(**context)
    return [one.pid for one in may_be_first(least_first, most_first, situation.context, rules_of(situation))]


def test_who_may_get_as_far_as_the_best_has_in_any_case_may_be_first() -> None:
    assert may_be_first_of({10: 900, 11: 500, 12: 100}, {10: 1000, 11: 900, 12: 899}) == [10, 11]


def test_bounds_that_overlap_leave_everybody_in_the_running() -> None:
    assert may_be_first_of({10: 500, 11: 400}, {10: 600, 11: 700}) == [11, 10]


def test_the_counters_widen_bounds_as_they_widen_sizes() -> None:
    assert may_be_first_of({10: 900, 11: 500}, {10: 900, 11: 890}, cpus=2, kernel="5.10") == [10, 11]


def test_of_nobody_nobody_may_be_first() -> None:
    assert may_be_first_of({}, {}) == []
