"""What people read of a forecast that no machine in the tests makes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from oomctl.model.kernel import Certainty, Decisive, Doubt, Doubtful, Outcome, Round, WhyEnded
from oomctl.model.limits import Limit, LimitKind
from oomctl.model.trend import Choice, Grower, LimitForecast, Motion, Rate, Seconds
from oomctl.render.forecast import Answer, Told, duration, text
from tests.tasks import round_of, task

MIB = 1 << 20
MACHINE = Limit(LimitKind.MACHINE, 100 * MIB)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (10, "10 s"),
        (59.6, "1 min"),
        (250, "4 min 10 s"),
        (3600, "1 h"),
        (3660, "1 h 1 min"),
        (86400, "24 h"),
        (2 * 86400 + 3600 * 5 + 1, "2 d 5 h"),
    ],
)
def test_a_time_has_two_units(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def lines(*limits: LimitForecast, hidden: int = 0) -> list[str]:
    told = [Told(one) for one in limits]
    return text(Answer("7.1", 4096, 30.0, 31, 86400.0, hidden, told)).splitlines()


def reached(choice: Choice | None = None, high: float | None = 110.0, growing: Sequence[Grower] = ()) -> LimitForecast:
    rate = Rate(0.9 * MIB, MIB, 1.1 * MIB)
    return LimitForecast(MACHINE, 1024 * MIB, Motion.GROWING, rate, Seconds(90, 100, high), growing, choice)


def test_what_may_never_come_is_told_as_that() -> None:
    assert lines(reached(high=None))[0] == (
        "the machine's memory is used up in 1 min 40 s (1 min 30 s at the earliest, or never)"
    )


def test_who_is_in_the_running_is_named_and_what_decides() -> None:
    result = round_of(task(10, rss=9000), task(11, rss=8000))
    close = result._replace(certainty=Certainty.CLOSE, contenders=(task(10), task(11)))
    said = lines(reached(Choice(close, newcomer=True)))
    assert said[0].endswith("; close: 10 (task10) or 11 (task11) would die")
    assert said[2:] == [
        "Why        10 (task10) would lead 11 (task11) by 3.9MiB then",
        "           what each grows by until then decides between 10 (task10), 11 (task11)",
        "           one that begins meanwhile may be the first: not all growth is of those who were there all along",
    ]


def test_a_doubt_of_the_kernels_rules_stays_one() -> None:
    doubted = round_of(task(10, rss=9000))._replace(
        certainty=Certainty.CLOSE, doubts=(Doubt(Doubtful.HIDDEN_PROCESSES, 3),)
    )
    said = lines(reached(Choice(doubted)))
    assert said[0].partition("; ")[2].startswith("not certain (")
    assert said[-1].startswith("Why        3 processes are hidden")


def test_that_nobody_dies_is_told() -> None:
    panic = Round(Outcome.PANIC, WhyEnded(Decisive.PANIC_OF_MACHINE))
    assert lines(reached(Choice(panic)))[0].partition("; ")[2].startswith("panic: ")


def test_of_many_that_grow_the_fastest_are_named() -> None:
    growing = [Grower(task(pid), pid * MIB) for pid in range(19, 9, -1)]
    assert lines(reached(growing=growing))[2].endswith("15 (task15) 15.0MiB/s, and 5 more")


def test_what_might_be_reached_is_named_beside_what_is() -> None:
    unclear = LimitForecast(Limit(LimitKind.MEMCG, MIB, "/a"), MIB, Motion.UNCLEAR, Rate(-9.0, 1000.0, 9000.0))
    steady = LimitForecast(Limit(LimitKind.MEMCG, MIB, "/b"), MIB, Motion.STEADY, Rate(0.0, 0.0, 0.0))
    assert lines(reached(), unclear, steady, hidden=2)[3:] == [
        "Else       the limit of cgroup /a: 1.0MiB left; what is used does not grow steadily",
        "           1 more limit is not reached",
        "           --over 120s tells more about what does not grow steadily",
        "           2 processes are hidden from here, and not counted",
    ]
