"""Whose turn it is: a user with a thousand processes delays nobody else's."""

from __future__ import annotations

from oomctl.policy.line import Line

MANY = 10_000


def crowd() -> Line:
    line = Line()
    for pid in range(MANY):
        line.put(pid, 1000, is_new=True)
    return line


def test_each_process_is_in_line_once_at_its_first_place() -> None:
    line = Line()
    for pid in (1, 2, 3, 1, 2):
        line.put(pid, 0, is_new=False)
    assert line.take(10) == [1, 2, 3]
    assert len(line) == 0


def test_another_user_does_not_wait_for_the_many_of_one() -> None:
    line = crowd()
    line.put(MANY, 0, is_new=False)
    assert line.take(2) == [0, MANY]


def test_new_ones_of_a_user_go_first_but_not_for_ever() -> None:
    line = Line()
    line.put(-1, 0, is_new=False)
    for pid in range(10):
        line.put(pid, 0, is_new=True)
    assert line.take(4) == [0, 1, 2, -1]


def test_who_is_gone_is_not_looked_at() -> None:
    line = crowd()
    for pid in range(MANY - 1):
        line.drop(pid)
        line.drop(pid)
    assert (len(line), line.take(5)) == (1, [MANY - 1])


def test_all_come_out() -> None:
    line = crowd()
    line.put(MANY, 1, is_new=True)
    out: list[int] = []
    while len(line):
        out += line.take(128)
    assert sorted(out) == list(range(MANY + 1))
