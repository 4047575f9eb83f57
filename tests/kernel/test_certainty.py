from __future__ import annotations

import pytest

from oomctl.kernel.certainty import Precision, batch_pages, precision
from oomctl.kernel.invocation import out_of_memory
from oomctl.kernel.rules import Counters
from oomctl.model.kernel import Certainty, Task
from tests.tasks import contender_pids, round_of, scenario, task

EVERY_WAY_OF_COUNTING = ["5.10", "6.2", "6.18", "7.1"]


@pytest.mark.parametrize(("cpus", "pages"), [(1, 32), (2, 32), (16, 32), (17, 34), (64, 128), (512, 1024)])
def test_a_cpu_holds_back_a_batch(cpus: int, pages: int) -> None:
    assert batch_pages(cpus) == pages


@pytest.mark.parametrize(
    ("counters", "cpus", "expected"),
    [
        pytest.param(Counters.PER_THREAD, 64, Precision(8, 64, 0), id="running: the cache of a thread"),
        pytest.param(Counters.PER_CPU, 2, Precision(8, 32, 0), id="running: a batch"),
        pytest.param(Counters.PER_CPU, 64, Precision(8, 128, 0), id="running: a batch, many CPUs"),
        pytest.param(
            Counters.PER_CPU_EXACT_STATUS, 2, Precision(8, 32, 93), id="swap: what all CPUs hold back, and rounding"
        ),
        pytest.param(Counters.PER_CPU_EXACT_STATUS, 64, Precision(8, 128, 8255), id="swap, many CPUs"),
        pytest.param(Counters.EXACT, 2, Precision(8, 32, 0), id="exact sums still move"),
    ],
)
def test_precision_follows_the_counters(counters: Counters, cpus: int, expected: Precision) -> None:
    assert precision(counters, cpus) == expected


@pytest.mark.parametrize("counters", list(Counters))
def test_numbers_that_were_not_read_from_proc_are_exact(counters: Counters) -> None:
    assert precision(counters, None) == Precision(0, 0, 0)


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


@pytest.mark.parametrize(("behind", "contenders"), [(15, {10, 11}), (16, {10})])
def test_who_is_as_far_behind_as_both_can_be_off_is_no_contender(behind: int, contenders: set[int]) -> None:
    assert contender_pids(task(10, rss=500), task(11, rss=500 - behind), kernel="6.18", cpus=2) == contenders


@pytest.mark.parametrize(("behind", "contenders"), [(108, {10, 11}), (109, {10})])
def test_swap_widens_the_reach_where_status_is_exact(behind: int, contenders: set[int]) -> None:
    swapped = task(11, rss=400 - behind, swap=100)
    assert contender_pids(task(10, rss=500), swapped, kernel="6.18", cpus=2) == contenders


def test_swap_of_the_first_counts_as_well() -> None:
    assert contender_pids(task(10, rss=400, swap=100), task(11, rss=430), kernel="6.18", cpus=2) == {10, 11}


@pytest.mark.parametrize(("behind", "contenders"), [(201, {10, 11}), (202, {10})])
def test_where_swap_is_used_the_counters_of_all_are_in_doubt(behind: int, contenders: set[int]) -> None:
    """A page that was swapped in again leaves part of a batch behind, and VmSwap at 0."""
    tasks = task(10, rss=500), task(11, rss=500 - behind)
    assert contender_pids(*tasks, kernel="6.18", cpus=2, swap_used=True) == contenders
    assert contender_pids(*tasks, kernel="7.1", cpus=2, swap_used=True) == {10}


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
    result = round_of(task(10, rss=500), second, third, kernel="6.18", cpus=2)
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
    tasks = task(10, rss=500, running=True), task(11, rss=440)
    asked_elsewhere = scenario(*tasks, kernel="6.18", cpus=2)._replace(read_from="5.10")
    assert out_of_memory(asked_elsewhere).certainty is Certainty.CLOSE
    assert out_of_memory(asked_elsewhere._replace(read_from=None)).certainty is Certainty.CERTAIN
