"""Marking several processes in a row, and groups as a whole."""

from __future__ import annotations

import pytest

from tests.proc_tree import ProcTree, written_adj
from tests.tui.driving import Driver, drive

UNIT = "0::/system.slice/pg.service\n"


@pytest.fixture
def server(server: ProcTree) -> ProcTree:
    """The small server with five workers in a unit with a login session, and a kernel thread in no unit."""
    server.mount_v2()
    for pid in range(50, 55):
        server.add(pid, f"worker{pid}", 1000 + 100 * pid, score=670, uid=54321, cgroup=UNIT)
    server.add(60, "sshd-session", 500, score=667, uid=0, cgroup=UNIT)
    return server


def marked(user: Driver) -> set[int]:
    return {mark.task.pid for mark in user.app._marks.marks}


@pytest.mark.parametrize("key", ["p", "s", "r"])
@pytest.mark.parametrize("order", ["R", "N", "M"])
def test_five_in_a_row_are_the_five_below_each_other(server: ProcTree, order: str, key: str) -> None:
    for pid in range(50, 55):
        server.write(f"{pid}/oom_score_adj", "-1\n")

    in_order = sorted(range(50, 55), reverse=order != "N")

    async def steps(user: Driver) -> None:
        await user.press("ctrl+l", order, "slash")
        await user.type("worker5")
        await user.press("enter")
        await user.until(lambda: user.pids() == in_order)
        await user.press(key, key, key, key)
        assert marked(user) == set(in_order[:4])
        await user.press(key)
        assert marked(user) == set(in_order)

    drive(server, steps)


def test_steps_stay_with_their_process(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("down", "plus", "plus", "plus")
        await user.sees("*300")
        assert len(marked(user)) == 1

    drive(server, steps)


def test_who_takes_a_mark_back_is_at_that_process_again(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("p")
        assert user.selected != 20
        await user.press("u")
        assert user.selected == 20
        await user.sees("no longer marked: 20 (java)")

    drive(server, steps)


def test_what_w_would_refuse_or_ask_about_is_said_at_once(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("slash")
        await user.type("sshd-session")
        await user.press("enter", "p")
        await user.sees("marked, but w refuses 60 (sshd-session): a login session")
        await user.press("u", "escape", "slash")
        await user.type("kworker")
        await user.press("enter", "s")
        await user.sees("marked, but w refuses 40 (kworker/0:1): kernel thread")

    drive(server, steps, size=(100, 24))


def test_a_group_is_marked_but_for_what_the_command_would_refuse(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("t", "G", "slash")
        await user.type("pg.service")
        await user.press("enter", "p")
        await user.sees("5 processes of pg.service marked: -1000;")
        assert "1 left alone: a login session" in " ".join(" ".join(user.lines[-2:]).split())
        await user.sees("what if: 5 values marked")
        await user.press("w")
        await user.sees("Write oom_score_adj of 5 processes?")
        await user.press("y")
        await user.until(lambda: [written_adj(server, pid) for pid in range(50, 55)] == [-1000] * 5)
        await user.sees("5 processes changed")
        assert written_adj(server, 60) == 0
        await user.press("u")
        await user.sees("Put back oom_score_adj of 5 processes?")

    drive(server, steps, size=(100, 24))


def test_of_a_group_nobody_may_be_left(server: ProcTree) -> None:
    server.add(61, "login", 500, score=667, uid=0)

    async def steps(user: Driver) -> None:
        await user.press("t", "slash")
        await user.type("kworker")
        await user.press("enter", "p")
        await user.sees("0 processes of - marked: -1000; 1 left alone: kernel thread")

    drive(server, steps, size=(100, 24))


def test_a_group_is_taken_back_at_once(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("s", "t", "slash")
        await user.type("worker5")
        await user.press("enter", "s")
        await user.until(lambda: marked(user) == {20, 50, 51, 52, 53, 54})
        await user.press("u")
        await user.sees("no longer marked: 5 processes")
        assert marked(user) == {20}

    drive(server, steps)


def test_a_value_is_typed_or_stepped_for_a_whole_group(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("t", "slash")
        await user.type("worker5")
        await user.press("enter", "equals_sign")
        await user.sees("oom_score_adj for 5 processes of pg.service:")
        await user.type("-250")
        await user.press("enter")
        await user.sees("5 processes of pg.service marked: -250")
        await user.press("minus")
        await user.sees("marked: -100 each")
        assert set(user.app._marks.what_if.values()) == {-350}

    drive(server, steps, size=(100, 24))


def test_of_a_list_that_is_cut_off_a_group_is_what_is_shown(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("slash")
        await user.type("worker5")
        await user.press("enter", "t", "s")
        assert marked(user) == {53, 54}

    drive(server, steps, lines=2)


def test_raising_more_than_20_is_said_before_it_is_written(server: ProcTree) -> None:
    for pid in range(100, 121):
        server.add(pid, "many", 500, score=667, uid=54321, cgroup="0::/system.slice/many.service\n")

    async def steps(user: Driver) -> None:
        await user.press("t", "slash")
        await user.type("many")
        await user.press("enter", "s", "w")
        await user.sees("careful: 21 processes would be raised at once")
        await user.press("enter")
        assert written_adj(server, 100) == 0

    drive(server, steps)


def test_of_a_group_each_reason_is_told_with_its_number(server: ProcTree) -> None:
    for pid in (21, 22):
        server.add(pid, "sshd", 500, uid=0, cgroup="0::/app.service\n")
        server.write(f"{pid}/cmdline", b"sshd: ann@pts/0\0")
    server.add(23, "kthread", 0, uid=0, cgroup="0::/app.service\n", flags=0x200000)
    server.add(24, "done", 500, adj=-1000, uid=0, cgroup="0::/app.service\n")

    async def steps(user: Driver) -> None:
        await user.press("slash")
        await user.type("app.service")
        await user.press("enter", "t", "p")
        await user.sees("0 processes of app.service marked: -1000; 1 already there; 2 left alone: a login session; 1")

    drive(server, steps, size=(150, 24))


def test_of_a_group_nothing_is_raised_without_which_nobody_can_log_in(server: ProcTree) -> None:
    server.add(21, "sshd", 500, uid=0, cgroup="0::/app.service\n")

    async def steps(user: Driver) -> None:
        await user.press("slash")
        await user.type("app.service")
        await user.press("enter", "t", "s")
        await user.sees("0 processes of app.service marked: 1000; 1 left alone: sshd")

    drive(server, steps, size=(120, 24))


def test_what_would_be_lost_by_raising_one_is_said_before_the_yes(server: ProcTree) -> None:
    server.add(977, "sshd", 500, uid=0)

    async def steps(user: Driver) -> None:
        await user.press("slash")
        await user.type("977")
        await user.press("enter", "s", "w")
        await user.sees("977 (sshd): sshd: without it nobody can log in to help")

    drive(server, steps, size=(120, 24))
