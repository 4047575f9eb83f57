"""What is said of a forecast and of what became of it. No guest is needed."""

from __future__ import annotations

from typing import Any

from tests.vm.forecasts import Forecast, Trial, misses, summary, trials_of


def asked(victim: int = 2, certainty: str = "certain", **more: Any) -> Forecast:
    limit = {
        "seconds_left": {"low": 8.0, "mid": 10.0, "high": 12.0},
        "victim": {"pid": victim},
        "certainty": certainty,
        "contenders": [victim],
        "newcomer": False,
        "left_bytes": 1 << 20,
        "rate_bytes_per_second": 1 << 20,
        **more,
    }
    return Forecast(0.5, 100.0, 0.5, limit)


def trial(one: Forecast, killed_at: float = 110.0) -> Trial:
    return Trial("a leak", "linear", (one,), killed_at, victim=2)


def broken(one: Forecast, killed_at: float = 110.0) -> int:
    return len(list(misses([trial(one, killed_at)])))


def test_who_was_certain_and_died_in_time_breaks_no_promise() -> None:
    assert broken(asked()) == 0


def test_who_was_certain_has_to_die() -> None:
    assert trial(asked(victim=3)).is_wrong(asked(victim=3))
    assert broken(asked(victim=3)) == 1


def test_who_dies_has_to_be_in_the_running() -> None:
    assert broken(asked(victim=3, certainty="close")) == 1
    assert broken(asked(victim=3, certainty="close", contenders=[3, 2])) == 0
    assert broken(asked(victim=3, certainty="close", newcomer=True)) == 0


def test_the_time_may_be_off_by_as_much_as_the_last_look_is_old() -> None:
    assert [broken(asked(), killed_at) for killed_at in (107.4, 107.6, 112.4, 112.6)] == [1, 0, 0, 1]


def test_an_open_interval_has_no_end() -> None:
    assert broken(asked(seconds_left={"low": 8.0, "mid": 10.0, "high": None}), 1000.0) == 0


def test_kinds_are_counted_apart_and_together() -> None:
    lines = list(summary([trial(asked()), trial(asked(victim=3))]))
    assert lines[0] == "2 kills"
    assert lines[-1].split()[:3] == ["all", "2", "2"]
    assert "1 (50 %)" in lines[-1]


def test_a_leak_that_nobody_died_of_is_no_trial() -> None:
    assert trials_of([{"kind": "linear", "name": "a leak", "forecasts": []}]) == []
