"""What the heading says of the minutes ahead."""

from __future__ import annotations

import pytest

from oomctl.model.kernel import Task
from oomctl.model.limits import Limit, LimitKind
from oomctl.model.listing import Machine
from oomctl.model.look import Look
from oomctl.model.trend import Ahead, Choice, LimitForecast, Motion, Seconds
from oomctl.render.ahead import ahead_words, roughly
from oomctl.render.heading import fitting, heading_lines
from tests.tasks import round_of, scenario, task

SOON = Seconds(600, 722, 900)
LIMIT = Limit(LimitKind.MACHINE, 1 << 30)
JAVA, MYSQL, OTHER = (task(10, 1000, comm="java"), task(11, 999, comm="mysqld"), task(12, 999, comm="ruby"))


def ahead(*tasks: Task, left: Seconds | None = SOON, newcomer: bool = False, all_read: bool = True) -> Ahead:
    choice = Choice(round_of(*tasks, cpus=2), newcomer)
    found = LimitForecast(LIMIT, 1 << 32, Motion.GROWING, None, left, choice=choice)
    return Ahead(found, (1, 2, 3), all_read)


def said(one: Ahead | None, width: int = 200) -> str:
    return fitting(ahead_words(one), width)


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
