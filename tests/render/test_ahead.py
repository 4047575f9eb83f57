"""What the heading says of the minutes ahead."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from oomctl.model.kernel import Task
from oomctl.model.limits import Limit, LimitKind
from oomctl.model.listing import Machine
from oomctl.model.look import Look
from oomctl.model.trend import Ahead, Choice, LimitForecast, Motion, Seconds
from oomctl.render.ahead import ahead_words, picture, roughly
from oomctl.render.heading import fitting, heading_lines
from tests.tasks import round_of, scenario, task

GIB = 1 << 30
USED = tuple(3 * GIB + index * (64 << 20) for index in range(8))
SOON = Seconds(600, 722, 900)
LIMIT = Limit(LimitKind.MACHINE, 1 << 30)
JAVA, MYSQL, OTHER = (task(10, 1000, comm="java"), task(11, 999, comm="mysqld"), task(12, 999, comm="ruby"))


def ahead(*tasks: Task, left: Seconds | None = SOON, newcomer: bool = False, all_read: bool = True) -> Ahead:
    choice = Choice(round_of(*tasks, cpus=2), newcomer)
    found = LimitForecast(LIMIT, 1 << 32, Motion.GROWING, None, left, choice=choice)
    return Ahead(found, USED, all_read)


def said(one: Ahead | None) -> str:
    """The words, without the picture behind them."""
    return fitting(ahead_words(one), 200).split("  ")[0]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.1, "1 s"), (5.4, "5 s"), (45, "45 s"), (251, "4 min 10 s"), (722, "12 min"), (19_300, "5 h 20 min")],
)
def test_a_time_is_told_as_people_say_it(seconds: float, told: str) -> None:
    assert roughly(seconds) == told


def test_it_names_when_and_who() -> None:
    assert said(ahead(JAVA)) == "at this rate full in 12 min, then 10 (java) dies"


def test_what_is_not_certain_is_not_said_to_be() -> None:
    assert said(ahead(JAVA, newcomer=True)) == "at this rate full in 12 min, then probably 10 (java) dies"
    assert said(ahead(JAVA, all_read=False)) == "at this rate full in 12 min, then probably 10 (java) dies"
    assert said(ahead(JAVA, MYSQL)) == "at this rate full in 12 min, then 10 (java) or 11 (mysqld) dies"
    assert said(ahead(JAVA, MYSQL, newcomer=True)).endswith(", then probably 10 (java) dies, or another")
    assert said(ahead(JAVA, MYSQL, OTHER)).endswith(", then probably 10 (java) dies, or another")
    never = ahead(JAVA, left=Seconds(600, 722, None))
    assert said(never) == "at this rate full in 12 min or never, then 10 (java) dies"


def test_nobody_may_be_left_to_kill() -> None:
    assert said(ahead(task(10, 1000, adj=-1000))).startswith("at this rate full in 12 min, then nobody can be killed: ")


def test_nothing_is_said_where_nothing_is_known_or_nothing_grows() -> None:
    assert said(None) == said(ahead(JAVA, left=None)) == ""


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120, 200])
def test_it_is_a_line_of_the_heading_only_where_there_is_something_to_say(width: int) -> None:
    machine = Machine("7.1", 4096, 1000, "machine", 4 << 30, 1 << 30, 0, 0)
    look, result = Look(scenario(JAVA), {}), round_of(JAVA)
    without = heading_lines(machine, look, result, width)
    with_it = heading_lines(machine, look, result, width, ahead=ahead(JAVA, MYSQL))
    assert len(with_it) == len(without) + 1
    assert all(line.cell_len <= width for line in with_it)
    if width >= 40:
        assert any(line.plain.startswith("at this rate full in 12 min") for line in with_it)


@pytest.mark.parametrize(
    ("used", "drawn"),
    [
        ([3 * GIB + index for index in range(8)], "▁▁▁▁▁▁▁▁"),
        ([3 * GIB] * 5, "▁▁▁▁▁"),
        ([3 * GIB], "▁"),
        ([0], "▁"),
        ([], ""),
        (USED, "▁▂▃▄▅▆▇█"),
        (USED[::-1], "█▇▆▅▄▃▂▁"),
        ([-GIB, 0, GIB], "▁▅█"),
    ],
)
def test_a_picture_is_of_what_is_between_the_least_and_the_most(used: Sequence[int], drawn: str) -> None:
    assert picture(used, 4 * GIB, 40) == drawn


def test_less_than_a_part_of_the_limit_is_no_mountain() -> None:
    mib = 1 << 20
    noise = [mib * number for number in (100, 104, 99, 103, 100)]
    assert picture(noise, 4 * GIB, 40) == "▁▁▁▁▁"
    assert picture(noise, 400 * mib, 40) == "▂▅▁▅▂"
    assert picture([0, GIB // 50], GIB, 40) == "▁█"
    assert picture([0, GIB // 100], GIB, 40) in ("▁▄", "▁▅")
    assert picture([0, 1], 0, 40) == "▁█"


@pytest.mark.parametrize("looks", [1, 2, 12, 19, 20, 21, 30, 39, 40, 41, 79, 80, 200])
@pytest.mark.parametrize("most", [1, 2, 20, 40])
def test_a_picture_has_no_more_cells_than_that_and_the_latest_last(looks: int, most: int) -> None:
    drawn = picture([index * GIB for index in range(looks)], GIB, most)
    assert len(drawn) <= most
    assert len(drawn) > most // 2 or len(drawn) == looks
    assert list(drawn) == sorted(drawn)
    assert drawn[-1] == "█" if len(drawn) > 1 else drawn == "▁"


def test_the_picture_is_the_first_to_go() -> None:
    one = ahead(JAVA, left=Seconds(600, 722, None))._replace(used=tuple(index * GIB for index in range(30)))
    words = "at this rate full in 12 min or never, then 10 (java) dies"
    wide, narrower = (fitting(ahead_words(one), width) for width in (len(words) + 32, len(words) + 31))
    assert (wide[: len(words)], len(wide)) == (words, len(words) + 2 + 30)
    assert (narrower[: len(words)], len(narrower)) == (words, len(words) + 2 + 15)
    assert fitting(ahead_words(one), len(words) + 16) == words
