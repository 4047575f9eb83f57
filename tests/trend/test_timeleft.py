"""When a limit is reached, and how well that is known."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from statistics import median

import pytest

from oomctl.model.trend import Seconds
from oomctl.trend.line import line
from oomctl.trend.timeleft import time_left
from tests.trend import rows

COUNT = 31


def forecast(row: rows.Row, limit: float, count: int = COUNT) -> Seconds | None:
    found = line(range(count), [row(moment) for moment in range(count)])
    assert found is not None
    return time_left(found, limit)


def test_a_line_reaches_the_limit_when_the_rest_has_grown() -> None:
    left = forecast(rows.linear(2), limit=60 + 200)
    assert left is not None
    assert left.mid == pytest.approx(100)
    assert left.high is not None
    assert left.low < 100 < left.high


def test_it_comes_earlier_where_some_of_the_rest_cannot_be_had() -> None:
    found = line(range(COUNT), [rows.linear(2)(moment) for moment in range(COUNT)])
    assert found is not None
    sure, doubted, used_up = (time_left(found, 60 + 200, doubtful) for doubtful in (0, 100, 250))
    assert sure is not None
    assert doubted is not None
    assert (doubted.mid, doubted.high) == (sure.mid, sure.high)
    assert doubted.low == pytest.approx(sure.low - 50, rel=0.1)
    assert used_up is not None
    assert used_up.low == 0


def test_what_does_not_grow_reaches_nothing() -> None:
    assert forecast(rows.linear(0), limit=100) is None
    assert forecast(rows.linear(-1), limit=100) is None


def test_at_the_limit_no_time_is_left() -> None:
    left = forecast(rows.linear(2), limit=40)
    assert left is not None
    assert (left.low, left.mid) == (0, 0)


@pytest.mark.parametrize(("times", "open_ended"), [(90, False), (110, True)])
def test_a_hundred_times_farther_than_was_watched_it_may_never_come(times: int, open_ended: bool) -> None:
    left = forecast(rows.linear(2), limit=2 * COUNT * (1 + times))
    assert left is not None
    assert (left.high is None) == open_ended


def test_growth_at_random_may_leave_out_the_last_bit_for_long() -> None:
    row = rows.steps_at_random(10, 2, random.Random(1))
    soon, late = (forecast(row, limit=row(COUNT - 1) + more) for more in (5, 1000))
    assert soon is not None
    assert late is not None
    assert (soon.high is None, late.high is None) == (True, False)


Draw = Callable[[random.Random, float], rows.Row]
KINDS: dict[str, tuple[Draw, float]] = {
    "linear": (lambda luck, rate: rows.linear(rate), 0.02),
    "steps": (lambda luck, rate: rows.steps(rate, luck.uniform(0.5, 6), luck.random() * 6), 0.05),
    "steps at random": (lambda luck, rate: rows.steps_at_random(rate, luck.uniform(0.3, 3), luck), 0.25),
    "teeth": (lambda luck, rate: rows.teeth(rate, every := luck.uniform(1, 8), luck.uniform(1, 4) * rate * every), 0.1),
    "page cache": (lambda luck, rate: rows.spikes(rate, luck.uniform(1, 5) * rate, luck), 0.05),
}
"""Each with the most that the median error may be."""


@pytest.mark.parametrize("kind", KINDS)
def test_the_true_moment_lies_in_the_interval(kind: str) -> None:
    draw, most = KINDS[kind]
    luck = random.Random(11)
    inside, errors = [], []
    for _ in range(200):
        rate = luck.uniform(1, 50)
        row = draw(luck, rate)
        numbers = [row(moment) for moment in range(COUNT)]
        limit = numbers[-1] + rate * luck.uniform(15, 120)
        found = line(range(COUNT), numbers)
        assert found is not None
        left = time_left(found, limit)
        if left is None:
            continue
        truth = next(moment for moment in itertools.count(COUNT) if row(moment) >= limit) - (COUNT - 1)
        inside.append(left.low - 1 <= truth and (left.high is None or truth <= left.high + 1))
        errors.append(abs(left.mid - truth) / truth)
    assert len(inside) > 100
    assert sum(inside) >= 0.94 * len(inside)
    assert median(errors) <= most
