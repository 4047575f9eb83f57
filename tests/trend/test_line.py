"""What a row of numbers does, and the line through it."""

from __future__ import annotations

import random

import pytest

from oomctl.model.trend import Motion
from oomctl.trend.line import LEAST, Line, line
from tests.trend import rows

COUNT = 31


def line_of(row: rows.Row, count: int = COUNT) -> Line:
    found = line(range(count), [row(moment) for moment in range(count)])
    assert found is not None
    return found


def test_a_line_has_its_slope_and_its_level() -> None:
    found = line_of(rows.linear(3.5))
    assert found.motion is Motion.GROWING
    assert found.slope == pytest.approx(3.5)
    assert found.level == pytest.approx(3.5 * (COUNT - 1))


def test_no_rate_is_better_known_than_a_twentieth() -> None:
    rate = line_of(rows.linear(100)).rate(60)
    assert (rate.low, rate.mid, rate.high) == pytest.approx((95, 100, 105))


def test_what_does_not_move_is_steady() -> None:
    assert line_of(rows.linear(0)).motion is Motion.STEADY


def test_what_becomes_less_shrinks() -> None:
    assert line_of(rows.linear(-2)).motion is Motion.SHRINKING


def test_too_few_numbers_have_no_line() -> None:
    numbers = range(LEAST)
    assert line(numbers[:-1], numbers[:-1]) is None
    assert line(numbers, numbers) is not None


def test_moments_need_not_be_even() -> None:
    moments = [0.0, 0.5, 3, 4, 4.5, 7, 8, 12, 13, 15, 15.5, 16, 20]
    found = line(moments, [2 * moment for moment in moments])
    assert found is not None
    assert found.slope == pytest.approx(2)


def test_small_steps_grow() -> None:
    found = line_of(rows.steps(10, every=3))
    assert found.motion is Motion.GROWING
    assert found.slope == pytest.approx(10, rel=0.05)


@pytest.mark.parametrize("moment", [1, 8, 15, 22, 29])
def test_one_step_is_no_trend(moment: int) -> None:
    assert line_of(lambda now: 500.0 * (now >= moment)).motion is Motion.UNCLEAR


def test_teeth_that_lead_nowhere_do_not_grow() -> None:
    assert line_of(rows.teeth(0, every=7, height=100)).motion is Motion.UNCLEAR


def test_teeth_are_no_part_of_the_rate() -> None:
    found = line_of(rows.teeth(10, every=4, height=60))
    assert found.motion is Motion.GROWING
    assert found.rate(60).low < 10 < found.rate(60).high
    assert found.above - found.below == pytest.approx(60 * 3 / 4, rel=0.2)


def test_page_cache_that_comes_and_goes_hardly_moves_the_slope() -> None:
    assert line_of(rows.spikes(10, 50, random.Random(1))).slope == pytest.approx(10, rel=0.05)


def test_a_cache_that_warms_up_is_slowing() -> None:
    assert line_of(rows.filling(1000, seconds=15)).motion is Motion.SLOWING


@pytest.mark.parametrize("noise", [5, 20])
def test_among_noise_a_cache_that_warms_up_is_slowing_too(noise: float) -> None:
    luck = random.Random(7)
    found = [line_of(rows.noisy(rows.filling(1000, seconds=20), noise, luck)).motion for _ in range(200)]
    assert found.count(Motion.SLOWING) >= 0.9 * len(found)


@pytest.mark.parametrize("noise", [50, 200])
def test_among_noise_an_even_leak_is_not_slowing(noise: float) -> None:
    luck = random.Random(7)
    found = [line_of(rows.noisy(rows.linear(100), noise, luck)).motion for _ in range(200)]
    assert found.count(Motion.GROWING) >= 0.98 * len(found)


def test_a_cache_that_is_warm_does_not_grow() -> None:
    assert line_of(rows.filling(1000, seconds=2)).motion is not Motion.GROWING


def test_the_nearer_the_end_the_less_even_is_growth_at_random() -> None:
    found = line_of(rows.steps_at_random(10, 2, random.Random(3)))
    assert found.rate(5).high > found.rate(300).high


def test_ups_and_downs_that_lead_nowhere_seldom_grow() -> None:
    luck = random.Random(5)
    growing = [line_of(rows.wandering(1, luck)).motion is Motion.GROWING for _ in range(300)]
    assert sum(growing) <= 300 * 0.06
