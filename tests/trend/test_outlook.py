"""What a process may hold by the time a limit is reached."""

from __future__ import annotations

import pytest

from oomctl.model.trend import Sizes, Track
from oomctl.trend.outlook import Growth, outlook, sizes_at, without_members
from tests.tasks import task
from tests.trend import rows
from tests.trend.sights import COUNT, private, track, watched

ROOM = 1_000_000


def growth_of(pid: int, seen: dict[int, Track], seconds: float, **facts: int) -> Growth:
    one = task(pid, **facts)
    return outlook(one, watched(seen)).growth(seconds, ROOM)


def test_a_rate_goes_on() -> None:
    growth = growth_of(10, {10: private(rows.linear(100), base=5000)}, 60)
    assert growth.middle.private == pytest.approx(6000, abs=2)
    assert growth.least.private < 6000 < growth.most.private


def test_who_rests_stays_as_it_is() -> None:
    assert growth_of(10, {10: private(rows.linear(0), base=5000)}, 3600) == Growth(*[Sizes(0)] * 3)


def test_teeth_may_be_at_their_top_or_at_their_bottom() -> None:
    growth = growth_of(10, {10: private(rows.teeth(0, every=5, height=1000), base=9000)}, 0.001)
    assert growth.most.private - growth.least.private == pytest.approx(800, rel=0.3)


def test_nobody_becomes_smaller_than_nothing() -> None:
    assert growth_of(10, {10: private(rows.linear(-100), base=4000)}, 600).least.private == -1000


def test_files_only_make_it_larger_than_it_may_be() -> None:
    growth = growth_of(10, {10: track([Sizes(50, 0, 100 * second) for second in range(COUNT)])}, 60)
    assert (growth.least.file, growth.middle.file) == (0, 0)
    assert growth.most.file > 6000


def test_who_is_too_young_for_a_rate_may_go_on_as_fast_as_it_ever_grew() -> None:
    born = private(lambda moment: (100, 500, 530, 600)[int(moment)], since=COUNT - 4)
    growth = growth_of(10, {10: born}, 60)
    assert growth == Growth(Sizes(0), Sizes(0), Sizes(70 * 60))


def test_that_it_began_is_no_growth() -> None:
    born = private(lambda _: 500, since=COUNT - 4)
    assert growth_of(10, {10: born}, 60).most == Sizes(0)


def test_of_who_just_began_all_is_growth() -> None:
    assert growth_of(10, {10: private(lambda _: 500, since=COUNT - 1)}, 60).most == Sizes(500 * 60)


def test_no_newcomer_grows_by_more_than_there_is() -> None:
    assert growth_of(10, {10: private(lambda _: 500, since=COUNT - 1)}, 1e9).most == Sizes(ROOM)


def test_who_was_never_seen_may_take_all() -> None:
    assert growth_of(10, {}, 60).most.private == ROOM


def test_another_process_of_that_pid_was_never_seen() -> None:
    seen = {10: private(rows.linear(100))}
    assert growth_of(10, seen, 60, start_ticks=7).most.private == ROOM


def test_of_an_exited_leader_nothing_was_seen() -> None:
    assert growth_of(10, {10: private(rows.linear(0))}, 60, rss=500).most.private == ROOM


def test_a_size_holds_until_the_next() -> None:
    points = [(0.0, Sizes(1)), (2.5, Sizes(2)), (2.7, Sizes(3))]
    assert [one.private for one in sizes_at([0, 1, 2.5, 3], points)] == [1, 1, 2, 3]


def test_what_members_use_is_none_of_the_rest() -> None:
    used = [1000 + 100 * second for second in range(COUNT)]
    seen = watched({10: private(rows.linear(100)), 11: private(rows.linear(0), base=700)})
    assert set(without_members(used, [task(10), task(11)], seen)) == {300}


def test_what_began_while_watching_stays_in_the_rest() -> None:
    """A child of 300 pages that has 290 of them from its parent."""
    used = [10 * (second >= COUNT - 2) for second in range(COUNT)]
    seen = watched({10: private(lambda moment: 300 + moment, since=COUNT - 2)})
    assert without_members(used, [task(10)], seen) == used


def test_it_grows_from_the_size_that_it_had_when_the_scenario_was_read() -> None:
    seen = {10: private(rows.linear(100), base=5000)}
    later = growth_of(10, seen, 60, rss=8500, anon=8500)
    assert later.middle.private == pytest.approx(5000 + 100 * (COUNT - 1) + 6000 - 8500, abs=2)


def test_who_was_seen_in_a_look_that_was_broken_off_may_take_all() -> None:
    assert growth_of(10, {10: private(lambda _: 500, since=COUNT + 1, count=COUNT + 2)}, 60).most.private == ROOM
