from __future__ import annotations

import pytest

from oomctl.kernel.counters import counters_differ
from oomctl.kernel.invocation import out_of_memory
from oomctl.kernel.rules import rules_for
from oomctl.kernel.whatif import with_growth, with_process
from tests.tasks import chosen_pid, scenario, task

BOTH = task(10, rss=10016, rss_exact_pages=10000), task(11, rss=9984, rss_exact_pages=10030)


@pytest.mark.parametrize(
    ("kernel", "victim"), [("5.10", 10), ("6.6", 10), ("6.12.117", 10), ("6.19", 10), ("7.0", 11), ("7.2", 11)]
)
def test_since_7_0_the_exact_sum_decides_where_it_is_known(kernel: str, victim: int) -> None:
    assert chosen_pid(*BOTH, kernel=kernel) == victim


def test_without_the_exact_sum_what_was_read_decides() -> None:
    assert chosen_pid(*(one._replace(rss_exact_pages=None) for one in BOTH), kernel="7.0") == 10


def test_the_rss_shown_is_that_which_badness_counts() -> None:
    first = out_of_memory(scenario(*BOTH, kernel="7.0")).ranking[0]
    assert first.badness == first.task.rss_pages == 10030


def test_growth_is_in_the_exact_sum_as_well() -> None:
    assert chosen_pid(*with_growth(scenario(*BOTH), 10, 31).tasks, kernel="7.0") == 10


def test_an_added_process_is_of_a_size_that_is_exactly_known() -> None:
    asked = with_process(scenario(*BOTH, kernel="7.0")._replace(read_from="6.12.117"), 20)
    assert out_of_memory(asked).doubts == ()


@pytest.mark.parametrize(
    ("asked", "read_on", "differ"),
    [
        pytest.param("7.0", "6.12.117", True, id="exact since 7.0"),
        pytest.param("6.12.117", "7.0", True, id="no approximation where the killer sums exactly"),
        pytest.param("6.6", "6.12.117", False, id="the same per-CPU counter"),
        pytest.param("6.12.117", "6.6", False, id="the same per-CPU counter, whatever status shows"),
        pytest.param("5.10", "6.6", True, id="threads hold back pages, not CPUs"),
        pytest.param("6.6", "5.10", True, id="CPUs hold back pages, not threads"),
        pytest.param("7.0", "5.10", True, id="nobody holds back pages"),
        pytest.param("5.10", "7.0", True, id="threads hold back pages"),
        pytest.param("4.19", "5.10", False, id="the same counters of threads"),
        pytest.param("4.14", "5.10", True, id="page tables of two levels"),
        pytest.param("3.10", "4.4", True, id="page tables of one level"),
    ],
)
def test_what_one_kernel_counts_another_may_not_show(asked: str, read_on: str, differ: bool) -> None:
    assert counters_differ(rules_for(asked), rules_for(read_on)) is differ
