"""Whom the kernel takes when a limit is reached, and how sure that is."""

from __future__ import annotations

import random
from typing import Any

import pytest

from oomctl.model.kernel import Certainty, Outcome, Scenario, Task
from oomctl.model.limits import Limit, LimitKind
from oomctl.model.trend import LimitForecast, Motion, Track
from oomctl.trend.forecast import of_limit, with_choice
from tests.tasks import scenario, task
from tests.trend import rows
from tests.trend.sights import COUNT, private, watched

PAGE = 4096
DAY = 86400.0
NOTHING = rows.linear(0)


def forecast(
    tracks: dict[int, Track], *tasks: Task, room: int, others: rows.Row = NOTHING, doubtful: int = 0, **context: Any
) -> LimitForecast:
    """A machine with ``room`` pages left, all of whose growth is that of the tracks and of ``others``."""

    def used(second: int) -> int:
        alive = (one for one in tracks.values() if one.first_seen <= second)
        return int(others(second)) + sum(one.points[int(second - one.first_seen)][1].private for one in alive)

    left = [(used(COUNT - 1) - used(second) + room) * PAGE for second in range(COUNT)]
    limit = Limit(LimitKind.MACHINE, left[-1], doubtful_bytes=doubtful * PAGE)
    one = of_limit(limit, 1 << 32, range(COUNT), left, DAY)
    return with_choice(one, scenario_of(*tasks, **context), watched(tracks, {None: left}))


def scenario_of(*tasks: Task, **context: Any) -> Scenario:
    return scenario(*tasks, **{"cpus": 2, **context})


def growing(pid: int, rate: float, size: int, adj: int = 0) -> tuple[Track, Task]:
    """A process of ``size`` pages now."""
    found = private(rows.linear(rate), base=size - int(rate * (COUNT - 1)))
    return found, task(pid, rss=size, adj=adj, anon=size)


def resting(pid: int, size: int, adj: int = 0) -> tuple[Track, Task]:
    return growing(pid, 0, size, adj)


def among(*processes: tuple[Track, Task], room: int = 100_000, **more: Any) -> LimitForecast:
    tracks = {one.pid: seen for seen, one in processes}
    return forecast(tracks, *(one for _, one in processes), room=room, **more)


def certainty_of(found: LimitForecast) -> tuple[int | None, Certainty]:
    assert found.choice is not None
    result = found.choice.result
    return result.victim and result.victim.task.pid, result.certainty


def contenders_of(found: LimitForecast) -> list[int]:
    assert found.choice is not None
    return [one.pid for one in found.choice.result.contenders]


def test_who_fills_the_memory_overtakes_the_largest() -> None:
    found = among(growing(10, 500, 20_000), resting(11, 60_000))
    assert found.left is not None
    assert found.left.mid == pytest.approx(200, rel=0.01)
    assert certainty_of(found) == (10, Certainty.CERTAIN)


def test_who_overtakes_only_if_all_that_is_left_can_be_had_is_not_certain() -> None:
    two = growing(10, 500, 20_000), resting(11, 60_000)
    assert certainty_of(among(*two, room=60_000)) == (10, Certainty.CERTAIN)
    found = among(*two, room=60_000, doubtful=30_000)
    assert certainty_of(found) == (10, Certainty.CLOSE)
    assert contenders_of(found) == [10, 11]


def test_the_largest_dies_where_there_is_no_time_to_overtake_it() -> None:
    found = among(growing(10, 500, 20_000), resting(11, 60_000), room=20_000)
    assert certainty_of(found) == (11, Certainty.CERTAIN)


def test_what_decides_between_two_is_named_where_it_is_open() -> None:
    found = among(growing(10, 500, 30_000), growing(11, 490, 31_000))
    assert certainty_of(found)[1] is Certainty.CLOSE
    assert set(contenders_of(found)) == {10, 11}
    assert [one.task.pid for one in found.growing] == [10, 11]


def test_of_two_racing_the_one_ahead_and_faster_is_certain() -> None:
    assert certainty_of(among(growing(10, 500, 30_000), growing(11, 250, 25_000))) == (10, Certainty.CERTAIN)


def test_adj_counts_then_as_it_does_now() -> None:
    found = among(growing(10, 500, 20_000), resting(11, 5_000, adj=300))
    assert certainty_of(found) == (11, Certainty.CERTAIN)


def test_what_no_watched_process_takes_may_be_a_newcomers() -> None:
    found = among(resting(10, 30_000), others=rows.linear(500))
    assert certainty_of(found) == (10, Certainty.CLOSE)
    assert found.choice is not None
    assert found.choice.newcomer


def test_a_newcomer_that_cannot_have_enough_is_none() -> None:
    found = among(resting(10, 300_000), others=rows.linear(500))
    assert certainty_of(found) == (10, Certainty.CERTAIN)


def test_a_young_one_that_grows_fast_is_in_the_running() -> None:
    """It began in the place of one that was as large."""
    young = private(lambda moment: 30_000 + 600 * moment, since=COUNT - 4)
    ended = lambda moment: -30_000.0 * (moment >= COUNT - 4)  # noqa: E731
    found = among(growing(10, 500, 20_000), (young, task(12, rss=31_800)), others=ended)
    assert certainty_of(found)[0] == 10
    assert 12 in contenders_of(found)


def test_where_one_that_began_may_be_first_so_may_the_next() -> None:
    child = private(lambda _: 90_000, since=COUNT // 2)
    ended = lambda moment: -90_000.0 * (moment >= COUNT // 2)  # noqa: E731
    found = among(growing(10, 100, 20_000), (child, task(12, rss=90_000)), others=ended, room=5_000)
    assert certainty_of(found) == (12, Certainty.CLOSE)
    assert contenders_of(found) == [12]
    assert found.choice is not None
    assert found.choice.newcomer


def test_of_children_that_have_nearly_all_of_their_parent_the_next_may_be_the_first() -> None:
    """One each second, which takes 500 pages besides the 60,000 of its parent."""
    children = {100 + second: private(lambda _: 60_500, since=second) for second in range(COUNT)}
    tasks = [task(pid, rss=60_500, anon=60_500) for pid in children]
    largest = private(lambda _: 61_000), task(50, rss=61_000, anon=61_000)
    shared = lambda moment: -60_000.0 * (moment + 1)  # noqa: E731
    found = among(*zip(children.values(), tasks), largest, others=shared)
    assert certainty_of(found) == (50, Certainty.CLOSE)
    assert found.choice is not None
    assert found.choice.newcomer


def test_the_next_that_begins_may_be_larger_than_the_last() -> None:
    """As those that are forked for each request, with what it takes besides what their parent has."""
    before = resting(11, 62_000)
    later = private(lambda _: 60_000, since=COUNT // 2)
    shared = lambda moment: 500.0 * moment - 60_000 * (moment >= COUNT // 2)  # noqa: E731
    found = among(before, (later, task(12, rss=60_000)), others=shared)
    assert certainty_of(found) == (11, Certainty.CLOSE)
    assert found.choice is not None
    assert found.choice.newcomer


def test_uneven_growth_of_the_only_one_that_grows_leaves_no_doubt_about_it() -> None:
    teeth = private(rows.teeth(500, every=4, height=6_000), base=20_000)
    size = teeth.points[-1][1].private
    assert certainty_of(among((teeth, task(10, rss=size)), resting(11, 30_000))) == (10, Certainty.CERTAIN)


def test_settings_decide_then_as_they_do_now() -> None:
    found = among(growing(10, 500, 20_000), panic_on_oom=1)
    assert found.choice is not None
    assert found.choice.result.outcome is Outcome.PANIC


def test_whoever_asks_then_is_not_known() -> None:
    found = among(growing(10, 500, 20_000), resting(11, 10_000), oom_kill_allocating_task=True)
    assert certainty_of(found)[1] is Certainty.CLOSE
    assert set(contenders_of(found)) == {10, 11}


def test_beyond_the_horizon_nothing_is_forecast() -> None:
    found = among(growing(10, 1, 20_000), room=100_000_000)
    assert (found.motion, found.left, found.choice) == (Motion.GROWING, None, None)


def test_too_few_looks_have_no_answer() -> None:
    assert of_limit(Limit(LimitKind.MACHINE, 5), 9, [0, 1], [9, 5], DAY).motion is Motion.TOO_FEW


@pytest.mark.parametrize(
    ("left_pages", "certainty"),
    [
        pytest.param(105_000, Certainty.CERTAIN, id="not enough to overtake"),
        pytest.param(200_000, Certainty.CLOSE, id="reclaim may find more than seems to be left"),
        pytest.param(None, Certainty.CLOSE, id="not known"),
    ],
)
def test_nobody_takes_more_than_there_is_however_fast_it_may_grow(left_pages: int | None, certainty: Certainty) -> None:
    uneven = private(rows.steps_at_random(500, 2, random.Random(1)), base=20_000)
    size = uneven.points[-1][1].private
    processes = (uneven, task(10, rss=size, anon=size)), resting(11, size + 110_000)
    assert certainty_of(among(*processes, left_pages=left_pages)) == (11, certainty)
