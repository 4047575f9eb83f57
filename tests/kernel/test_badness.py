from __future__ import annotations

import pytest

from oomctl.kernel.badness import (
    ADJ_MAX,
    ADJ_MIN,
    badness,
    int_div,
    most_badness,
    oom_score,
    score_slack,
    scores_keep_order,
)
from oomctl.kernel.rules import Rules, rules_for
from oomctl.model.kernel import Task
from tests.tasks import task

SIGNED = rules_for("6.18")
CLAMPED = rules_for("4.19")
WITH_ROOT_BONUS = rules_for("4.14")
TOTAL = 1_000_000


def points(of: Task, totalpages: int = TOTAL, kernel: str = "6.18") -> int:
    return badness(of, totalpages, rules_for(kernel)).badness


def test_the_range_is_that_of_the_kernels_header() -> None:
    assert (ADJ_MIN, ADJ_MAX) == (-1000, 1000)


def test_badness_is_rss_and_swap_and_page_tables() -> None:
    assert points(task(10, rss=1000, swap=200, pgtables=30)) == 1230


def test_only_memory_and_adj_count() -> None:
    plain = task(10, rss=500)
    adorned = task(10, rss=500, uid=0, ppid=7, start_ticks=99, vsize_bytes=1 << 40, anon=3, cap_sys_admin=True)
    assert points(plain) == points(adorned)


@pytest.mark.parametrize(
    ("adj", "totalpages", "expected"),
    [
        pytest.param(500, 1_000_000, 500_000, id="half of all memory"),
        pytest.param(1000, 10_999, 10_000, id="divided before multiplied"),
        pytest.param(-999, 10_999, -9990, id="divided before multiplied, below zero"),
        pytest.param(1000, 999, 0, id="no effect below 1000 pages"),
        pytest.param(1, 1000, 1, id="from 1000 pages on"),
        pytest.param(0, 1_000_000, 0, id="none"),
    ],
)
def test_adj_adds_thousandths_of_totalpages(adj: int, totalpages: int, expected: int) -> None:
    candidate = badness(task(10, rss=40, adj=adj), totalpages, SIGNED)
    assert candidate.adj_pages == expected
    assert candidate.badness == 40 + expected


def test_negative_badness_keeps_its_size_since_5_9() -> None:
    assert points(task(10, rss=10, adj=-500), kernel="5.9") == 10 - 500_000


@pytest.mark.parametrize("adj", [-1, -500, -999])
def test_before_5_9_everything_below_1_counts_as_1(adj: int) -> None:
    assert points(task(10, rss=10, adj=adj), kernel="5.8") == 1


def test_before_5_9_a_task_that_uses_nothing_counts_as_1() -> None:
    assert points(task(10), kernel="5.8") == 1


@pytest.mark.parametrize(
    ("rss", "expected"),
    [pytest.param(1000, 970, id="3 %"), pytest.param(133, 130, id="the bonus is rounded down"), pytest.param(33, 33)],
)
def test_before_4_17_root_gets_3_percent_off(rss: int, expected: int) -> None:
    admin = task(10, rss=rss, cap_sys_admin=True)
    assert badness(admin, TOTAL, WITH_ROOT_BONUS).badness == expected
    assert badness(admin, TOTAL, WITH_ROOT_BONUS).root_bonus_pages == rss - expected
    assert badness(admin, TOTAL, CLAMPED).badness == rss


def test_the_root_bonus_is_taken_before_adj_is_added() -> None:
    admin = task(10, rss=1000, adj=100, cap_sys_admin=True)
    assert points(admin, kernel="4.14") == 970 + 100_000


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        pytest.param(task(10), 666, id="uses nothing"),
        pytest.param(task(10, adj=1000), 1333, id="uses nothing, adj 1000"),
        pytest.param(task(10, rss=TOTAL), 1333, id="uses everything"),
        pytest.param(task(10, rss=TOTAL, adj=1000), 2000, id="uses everything, adj 1000"),
        pytest.param(task(10, adj=-500), 333, id="uses nothing, adj -500"),
        pytest.param(task(10, adj=-999), 0, id="uses nothing, adj -999"),
        pytest.param(task(10, rss=1500), 667, id="1.5 thousandths are one point"),
        pytest.param(task(10, rss=500, adj=-500), 334, id="C rounds towards zero: -499.5 is -499"),
    ],
)
def test_oom_score_is_two_thirds_of_1000_and_the_thousandths(of: Task, expected: int) -> None:
    assert oom_score(points(of), TOTAL, SIGNED) == expected


@pytest.mark.parametrize(
    ("of", "expected"),
    [(task(10), 0), (task(10, rss=999), 0), (task(10, rss=1000), 1), (task(10, rss=TOTAL, adj=1000), 2000)],
)
def test_before_5_9_oom_score_was_thousandths_alone(of: Task, expected: int) -> None:
    assert oom_score(badness(of, TOTAL, CLAMPED).badness, TOTAL, CLAMPED) == expected


@pytest.mark.parametrize("rules", [pytest.param(SIGNED, id="signed"), pytest.param(CLAMPED, id="clamped")])
def test_who_is_not_eligible_scores_0(rules: Rules) -> None:
    assert oom_score(None, TOTAL, rules) == 0


@pytest.mark.parametrize(
    ("dividend", "divisor", "quotient"),
    [(7, 2, 3), (-7, 2, -3), (7, -2, -3), (-7, -2, 3), (0, 5, 0), (-1, 3, 0), (2**70 + 1, 2, 2**69)],
)
def test_division_drops_the_fraction_as_c_does(dividend: int, divisor: int, quotient: int) -> None:
    assert int_div(dividend, divisor) == quotient


@pytest.mark.parametrize("rules", [pytest.param(SIGNED, id="signed"), pytest.param(CLAMPED, id="clamped")])
@pytest.mark.parametrize("pages", [0, 1, 999, 1000, 1500, 123_456])
def test_slack_covers_what_so_many_pages_can_change(rules: Rules, pages: int) -> None:
    for start in range(0, 5000, 7):
        difference = oom_score(start + pages, TOTAL, rules) - oom_score(start, TOTAL, rules)
        assert difference <= score_slack(pages, TOTAL, rules)


@pytest.mark.parametrize("totalpages", [TOTAL, 1001, 6_000_123])
def test_the_most_that_shows_as_a_score_is_the_most(totalpages: int) -> None:
    for score in range(1, 1334):
        most = most_badness(score, totalpages)
        assert oom_score(most, totalpages, SIGNED) <= score < oom_score(most + 1, totalpages, SIGNED)


@pytest.mark.parametrize(
    ("points", "expected"), [(2_391_966, 204), (2_236_024, 166), (-2_729_972, 1046), (1_441_063, 1016)]
)
def test_on_a_32_bit_kernel_the_thousandfold_overflows(points: int, expected: int) -> None:
    """The kernel's own oom_score with 2,740,831 pages of RAM and swap, Linux 5.10 for i386."""
    assert oom_score(points, 2_740_831, SIGNED, word_bits=32) == expected


@pytest.mark.parametrize(
    ("totalpages", "word_bits", "expected"), [(1_073_741, 32, True), (1_073_742, 32, False), (1 << 40, 64, True)]
)
def test_scores_keep_the_order_until_they_can_overflow(totalpages: int, word_bits: int, expected: bool) -> None:
    assert scores_keep_order(totalpages, SIGNED, word_bits) is expected


def test_before_5_9_a_score_of_0_says_nothing() -> None:
    assert not scores_keep_order(1000, CLAMPED, 64)
