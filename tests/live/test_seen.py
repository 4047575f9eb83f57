"""What a live view remembers of its looks: who grows, and what it does not claim."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from oomctl.live.seen import MOST_MOMENTS, Seen
from oomctl.model.kernel import Certainty, Task
from oomctl.model.limits import Limit, LimitKind
from oomctl.model.look import Look
from oomctl.trend.line import LEAST
from tests.tasks import scenario, task

PAGE = 4096
MIB = 1 << 20
ROOM = 100_000
"""Pages that may be used."""


def sized(pid: int, pages: float, start_ticks: int = 7, **facts: int) -> Task:
    return task(pid, int(pages) + facts.get("shmem_pages", 0), anon=int(pages), start_ticks=start_ticks, **facts)


def look(*tasks: Task, read: Iterable[int] | None = None, **context: str) -> Look:
    seen = scenario(*tasks, totalpages=ROOM, **context)
    return Look(seen, {}, read=None if read is None else frozenset(read))


def left(*tasks: Task, memcg: str | None = None) -> Limit:
    used = sum(one.rss_pages for one in tasks)
    return Limit(LimitKind.MACHINE if memcg is None else LimitKind.MEMCG, (ROOM - used) * PAGE, memcg)


def watched(tasks_at: Callable[[float], list[Task]], moments: Iterable[float], seen: Seen | None = None) -> Seen:
    seen = seen or Seen()
    for moment in moments:
        tasks = tasks_at(moment)
        seen.remember(look(*tasks), left(*tasks), moment)
    return seen


def growth(seen: Seen, of: Task) -> float | None:
    """MiB a minute."""
    found = seen.growth(of, PAGE)
    return None if found is None else round(found.total / MIB, 3)


def every(seconds: float, count: int, since: float = 0.0) -> list[float]:
    return [since + seconds * index for index in range(count)]


def leaking(moment: float) -> list[Task]:
    """One that grows by 256 pages, a MiB, a second, and one that rests."""
    return [sized(10, 1000 + 256 * moment), sized(11, 5000)]


def test_a_growth_is_in_bytes_a_minute() -> None:
    seen = watched(leaking, every(2, 20))
    assert growth(seen, sized(10, 0)) == 60
    assert growth(seen, sized(11, 0)) == 0


def test_nothing_is_said_after_fewer_looks_than_a_rate_needs() -> None:
    seen = watched(leaking, every(2, LEAST - 1))
    assert growth(seen, sized(10, 0)) is growth(seen, sized(11, 0)) is None
    watched(leaking, [2.0 * LEAST], seen)
    assert growth(seen, sized(10, 0)) == 60


def test_who_shrinks_has_less_than_none() -> None:
    assert growth(watched(lambda now: [sized(10, 9000 - 256 * now)], every(2, 20)), sized(10, 0)) == -60


def test_files_are_no_growth_and_shared_memory_is_not_private() -> None:
    def sharing(now: float) -> list[Task]:
        return [sized(10, 1000, shmem_pages=int(256 * now), file_pages=int(512 * now))]

    found = watched(sharing, every(2, 20)).growth(sized(10, 0), PAGE)
    assert found is not None
    assert (round(found.total / MIB), found.private) == (60, 0)


def test_one_leap_is_no_growth() -> None:
    seen = watched(lambda now: [sized(10, 1000 if now < 10 else 9000)], every(1, 40))
    assert growth(seen, sized(10, 0)) == 0


def test_another_process_with_the_same_pid_begins_anew() -> None:
    seen = watched(leaking, every(2, 20))
    assert growth(seen, sized(10, 0, start_ticks=8)) is None
    watched(lambda _: [sized(10, 50_000, start_ticks=8)], every(2, LEAST - 1, since=40), seen)
    assert growth(seen, sized(10, 0, start_ticks=8)) is None
    watched(lambda _: [sized(10, 50_000, start_ticks=8)], [70], seen)
    assert growth(seen, sized(10, 0, start_ticks=8)) == 0


def test_who_begins_meanwhile_has_no_growth_until_it_was_seen_often_enough() -> None:
    def begins(now: float) -> list[Task]:
        return [sized(10, 1000), *([sized(12, 256 * now)] if now >= 20 else [])]

    seen = watched(begins, every(2, 10 + LEAST - 1))
    assert growth(seen, sized(12, 0)) is None
    watched(begins, [20 + 2 * (LEAST - 1)], seen)
    assert growth(seen, sized(12, 0)) == 60


def test_only_the_last_minute_counts() -> None:
    seen = watched(lambda now: [sized(10, 256 * min(now, 60))], every(2, 65))
    assert growth(seen, sized(10, 0)) == 0


def test_a_long_pause_is_forgotten_whole() -> None:
    seen = watched(leaking, every(2, 20))
    watched(leaking, every(2, LEAST - 1, since=3600), seen)
    assert growth(seen, sized(10, 0)) is None
    assert seen.ahead is not None
    assert len(seen.ahead.used) == LEAST - 1


def test_refreshes_far_apart_are_remembered_for_longer() -> None:
    assert growth(watched(leaking, every(20, LEAST), Seen(20)), sized(10, 0)) == 60


def test_a_clock_that_stands_still_adds_nothing() -> None:
    seen = watched(leaking, [5.0] * 50)
    assert growth(seen, sized(10, 0)) is None
    assert seen.ahead is not None
    assert seen.ahead.forecast.left is None


@pytest.mark.parametrize("apart", [0.1, 0.5, 1, 1.5, 2])
def test_no_more_looks_are_kept_than_that_however_fast_they_come(apart: float) -> None:
    seen = Seen()
    for moment in every(apart, int(200 / apart)):
        watched(leaking, [moment], seen)
        assert seen.ahead is not None
        assert len(seen.ahead.used) <= MOST_MOMENTS
        assert all(len(process.points) <= MOST_MOMENTS + 1 for process in seen._tracks.values())
    assert growth(seen, sized(10, 0)) == 60
    assert seen.ahead is not None
    assert len(seen.ahead.used) > MOST_MOMENTS // 3


def test_who_has_ended_is_forgotten_after_a_while() -> None:
    seen = watched(lambda now: [sized(1000 + int(now), 10)], every(1, 300))
    assert len(seen._tracks) < 80


def test_who_was_not_read_lately_has_no_growth() -> None:
    seen = Seen()
    for moment in every(2, 30):
        tasks = leaking(moment)
        seen.remember(look(*tasks, read=[10] if moment % 20 else [10, 11]), left(*tasks), moment)
    assert growth(seen, sized(10, 0)) == 60
    assert growth(seen, sized(11, 0)) is None
    assert seen.ahead is not None
    assert not seen.ahead.all_read


def test_it_says_when_memory_is_full_and_who_dies_then() -> None:
    ahead = watched(leaking, every(2, 20)).ahead
    assert ahead is not None
    found = ahead.forecast
    assert found.left is not None
    assert found.choice is not None
    assert found.choice.result.victim is not None
    assert (found.choice.result.victim.task.pid, found.choice.result.certainty) == (10, Certainty.CERTAIN)
    room_left = ROOM - 1000 - 5000 - 256 * 38
    assert found.left.mid == pytest.approx(room_left / 256, rel=0.01)
    assert ahead.used[-1] == (ROOM - room_left) * PAGE


ROOM_LEFT = Limit(LimitKind.MEMCG, 256 * 100 * PAGE, "/app")
"""For 100 seconds of ``leaking``."""


def seconds_left(tasks_at: Callable[[float], list[Task]], *pids: int, limit: Limit = ROOM_LEFT) -> float | None:
    """Until those of ``pids`` have filled it."""
    seen = watched(tasks_at, every(2, 20))
    found = seen.time_left([one for one in tasks_at(38) if one.pid in pids], limit, PAGE)
    return None if found is None else round(found.mid, 3)


def test_some_of_them_fill_what_is_left_to_them() -> None:
    assert seconds_left(leaking, 10) == seconds_left(leaking, 10, 11) == 100
    assert seconds_left(leaking, 11) is None
    assert seconds_left(lambda now: [*leaking(now), sized(12, 9000 - 128 * now)], 10, 12) == 200
    assert seconds_left(lambda now: [*leaking(now), sized(12, 9000 - 256 * now)], 10, 12) is None
    assert seconds_left(leaking, 10, limit=ROOM_LEFT._replace(left_bytes=0)) == 0


def test_nothing_is_said_of_some_of_whom_one_is_not_known() -> None:
    def begins(now: float) -> list[Task]:
        return [*leaking(now), *([sized(12, 50)] if now >= 30 else [])]

    assert seconds_left(begins, 10) == 100
    assert seconds_left(begins, 10, 12) is None
    assert Seen().time_left([], ROOM_LEFT, PAGE) is Seen().time_left(leaking(0), ROOM_LEFT, PAGE) is None


def test_nothing_is_said_where_it_is_a_day_off_or_growth_is_uneven() -> None:
    assert seconds_left(leaking, 10, limit=ROOM_LEFT._replace(left_bytes=256 * 100_000 * PAGE)) is None
    assert seconds_left(lambda now: [sized(10, 1000 + now**2 % 700)], 10) is None


def test_shared_memory_that_moves_is_of_nobody_alone() -> None:
    def sharing(pages: int) -> Callable[[float], list[Task]]:
        return lambda now: [sized(10, 1000 + 256 * now, shmem_pages=pages if now > 20 else 0)]

    assert seconds_left(sharing(400), 10) == 100
    assert seconds_left(sharing(600), 10) is None


def test_among_many_a_choice_holds_for_a_while_but_not_longer_than_who_was_chosen_lives() -> None:
    seen, chosen = Seen(), []
    for moment in every(2, 30):
        tasks = leaking(moment) if moment < 50 else [sized(10, 1000 + 256 * moment, start_ticks=9), sized(11, 5000)]
        seen.remember(look(*tasks, read=[10]), left(*tasks), moment)
        assert seen.ahead is not None
        chosen.append(seen.ahead.forecast.choice)
    made = [choice for choice in chosen if choice is not None]
    assert len({id(choice) for choice in made}) < len(made) / 2
    assert made[-1].result.victim is not None
    assert made[-1].result.victim.task.start_ticks == 9


def test_another_memory_has_a_forecast_of_its_own() -> None:
    seen = watched(leaking, every(2, 20))
    resting = [sized(10, 1000 + 256 * 40)]
    for moment in every(2, LEAST, since=40):
        seen.remember(look(*resting, memcg="/db"), left(*resting, memcg="/db"), moment)
        assert seen.ahead is not None
        assert seen.ahead.forecast.left is None
        assert seen.ahead.forecast.limit.memcg == "/db"
    seen.remember(look(*resting), left(*resting), moment)  # the same moment, but another memory
    assert seen.ahead is None


def test_what_was_seen_of_a_process_stays_when_another_memory_is_looked_at() -> None:
    seen = watched(leaking, every(2, LEAST - 1))
    inside = leaking(2 * LEAST)[:1]
    seen.remember(look(*inside, memcg="/db"), left(*inside, memcg="/db"), 2.0 * LEAST)
    assert growth(seen, sized(10, 0)) == 60


def test_memory_without_a_limit_has_no_forecast() -> None:
    seen = Seen()
    for moment in every(2, 20):
        seen.remember(look(*leaking(moment), memcg="/db"), None, moment)
    assert seen.ahead is None
    assert growth(seen, sized(10, 0)) == 60


def test_growth_is_added_to_the_details_of_those_of_whom_it_is_known() -> None:
    seen = watched(leaking, every(2, 20))
    found = seen.with_growth(look(*leaking(40), sized(12, 5))).details
    assert {pid: details.growth and round(details.growth.total / MIB) for pid, details in found.items()} == {
        10: 60,
        11: 0,
    }
