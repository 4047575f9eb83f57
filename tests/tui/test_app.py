"""The interactive view, driven by keys and mouse; no terminal is needed."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from oomctl.render import fields
from oomctl.targets.words import parse_target
from oomctl.tui import keys
from tests.commands.invoke import ask
from tests.oomlog.messages import KILL
from tests.proc_tree import ProcTree, written_adj
from tests.processes import adj_of
from tests.tui.driving import Driver, drive


@pytest.fixture
def server(server: ProcTree) -> ProcTree:
    """The small server, with its database in a cgroup and the big process in another."""
    server.mount_v2()
    for pid, path in (
        (10, "/system.slice/pg.service"),
        (11, "/system.slice/pg.service"),
        (20, "/user.slice/app.service"),
    ):
        server.write(f"{pid}/cgroup", f"0::{path}\n")
    server.cgroup("/system.slice")
    limits = {"memory__max": "819200000", "memory__current": "409600000"}
    server.cgroup("/system.slice/pg.service", (10, 11), **limits)
    server.cgroup("/user.slice", memory__current="1048576", memory__max="max")
    return server


def test_who_is_next_how_sure_and_what_the_kill_frees(server: ProcTree) -> None:
    server.write("pressure/memory", "some avg10=1.50 avg60=0.00\nfull avg10=0.25 avg60=0.00\n")

    async def steps(user: Driver) -> None:
        await user.press("ctrl+l")
        await user.sees("2 % of the time somebody waits for memory; 3 killable, 3 not")
        assert user.lines[0] == "next: 20 (java), certain, leads by 274.4MiB; its kill frees 352.6MiB"
        assert user.lines[1].endswith("█░░░░░░░░░░░░░░░ 1.91GiB left of 3.81GiB")
        assert user.lines[3].split()[:4] == ["RANK", "RISK", "PID", "USER"]
        assert user.rows[0] == ["1", "████████", "20", "54321", "0", "352.6MiB", "351.6MiB", "app.ser…", "java"]
        assert user.pids() == [20, 11, 10, 1, 30, 40]
        assert user.selected == 20

    drive(server, steps)


@pytest.mark.parametrize(("key", "status"), [("q", 0), ("f10", 0), ("ctrl+q", 0), ("ctrl+c", 130)])
def test_keys_that_quit(server: ProcTree, key: str, status: int) -> None:
    async def steps(user: Driver) -> None:
        await user.press(key)

    assert drive(server, steps) == status


@pytest.mark.parametrize("size", [(80, 24), (200, 50), (60, 15), (20, 6), (300, 100)])
def test_any_size_of_terminal(server: ProcTree, size: tuple[int, int]) -> None:
    async def steps(user: Driver) -> None:
        await user.press("down", "plus", "enter", "e", "f1", "escape", "t", "t", "slash", "a", "escape")
        assert all(len(line) <= size[0] for line in user.lines)

    drive(server, steps, size=size)


def test_a_wide_terminal_has_details_and_events_beside_the_ranking(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.sees("rank 1 of 3; oom_score 726")
        assert "PGTABLES" in user.text
        assert "no OOM kill since boot" in user.text
        await user.pilot.resize_terminal(80, 24)
        await user.until(lambda: all(len(line) <= 80 for line in user.lines) and "PGTABLES" not in user.text)
        await user.pilot.resize_terminal(200, 50)
        await user.sees("PGTABLES")

    drive(server, steps, size=(200, 50))


def test_moving_as_in_less(server: ProcTree) -> None:
    for pid in range(100, 160):
        server.add(pid, f"task{pid}", 1000 - pid, score=660)

    async def steps(user: Driver) -> None:
        await user.press("j", "down")
        assert user.selected == 10 or user.selected in range(100, 160)
        await user.press("k")
        assert user.selected == 11
        await user.press("G")
        assert user.selected == 40
        await user.sees("kworker")
        await user.press("g")
        assert user.selected == 20
        await user.press("space")
        below = user.selected
        assert below not in (20, 11)
        await user.press("pageup")
        assert user.selected == 20
        await user.press("end", "up")
        assert user.selected == 30

    drive(server, steps)


def test_it_refreshes_by_itself(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        server.add(50, "newcomer", 95_000, score=730)
        await user.sees("next: 50 (newcomer)")

    drive(server, steps, delay_s=0.05)


def test_paused_it_refreshes_only_when_asked(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("Z")
        await user.sees("paused")
        server.add(50, "newcomer", 95_000, score=730)
        await user.pilot.pause(0.3)
        assert "newcomer" not in user.text
        await user.press("ctrl+l")
        await user.sees("next: 50 (newcomer)")

    drive(server, steps, delay_s=0.05)


def test_the_cursor_follows_its_process(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("down")
        assert user.selected == 11
        server.add(50, "newcomer", 95_000, score=730)
        await user.press("ctrl+l")
        await user.sees("newcomer")
        assert user.selected == 11
        (server.root / "11").rename(server.root.parent / "ended")
        await user.press("ctrl+l")
        await user.until(lambda: 11 not in user.pids())
        assert user.selected == 10

    drive(server, steps)


def test_a_cursor_on_the_first_stays_with_the_first(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        server.add(50, "newcomer", 95_000, score=730)
        await user.press("ctrl+l")
        await user.sees("newcomer")
        assert user.selected == 50

    drive(server, steps)


def test_everybody_ends(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("down")
        for pid in (10, 11, 20, 30, 40, 1):
            (server.root / str(pid)).rename(server.root.parent / f"ended{pid}")
        await user.press("ctrl+l")
        await user.sees("0 killable, 0 not")
        await user.press("plus", "enter", "w", "p", "down", "G", "t")
        await user.sees("no killable process")

    drive(server, steps)


def test_the_filter_works_while_it_is_typed(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("slash")
        await user.type("pos")
        await user.until(lambda: user.pids() == [11, 10])
        await user.press("backspace", "backspace", "backspace")
        await user.until(lambda: len(user.pids()) == 6)
        await user.type("pg.service")
        await user.press("enter")
        await user.sees("filter: pg.service")
        assert user.pids() == [11, 10]
        await user.press("escape")
        await user.until(lambda: len(user.pids()) == 6)

    drive(server, steps)


def test_sorting_by_keys_menu_and_mouse(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("M")
        assert user.pids() == [20, 10, 11, 30, 1, 40]
        await user.press("I")
        assert user.pids() == [40, 1, 30, 11, 10, 20]
        await user.press("N")
        assert user.pids() == [1, 10, 11, 20, 30, 40]
        await user.press("R")
        assert user.pids() == [20, 11, 10, 1, 30, 40]
        await user.press("f6", "down", "enter")
        await user.until(lambda: user.pids() == [1, 10, 11, 20, 30, 40])
        left = user.lines[3].index("RSS")
        await user.pilot.click("#titles", offset=(left, 0))
        await user.until(lambda: user.pids() == [20, 10, 11, 30, 1, 40])
        await user.pilot.click("#titles", offset=(left, 0))
        await user.until(lambda: user.pids() == [40, 1, 30, 11, 10, 20])
        await user.press("f6", "escape")
        assert user.pids() == [40, 1, 30, 11, 10, 20]

    drive(server, steps)


def test_a_click_selects_and_a_second_one_explains(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.pilot.click("#ranking", offset=(10, 2))
        await user.until(lambda: user.selected == 10)
        await user.pilot.click("#ranking", offset=(10, 1), times=2)
        await user.sees("11 (postgres) would be 2nd to die of 3")

    drive(server, steps)


def test_details_explain_the_selected_process(server: ProcTree) -> None:
    server.write("11/cmdline", b"postgres: walwriter\0")

    async def steps(user: Driver) -> None:
        await user.press("down", "enter")
        await user.sees("11 (postgres) would be 2nd to die of 3")
        await user.sees("postgres: walwriter")
        await user.sees("rank 2 of 3; oom_score 679, oom_score_adj 0")
        await user.sees("would be first from an oom_score_adj of 71 on")
        await user.press("end", "up")
        await user.sees("cannot be killed: oom_score_adj is -1000")
        await user.press("escape")
        await user.sees_no("cannot be killed")

    drive(server, steps, size=(80, 40))


def test_groups_have_sums_and_the_member_that_would_die(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("t")
        await user.sees("DIES FIRST")
        assert user.rows[0] == ["1", "1", "351.6MiB", "20", "java,", "adj", "0", "app.service"]
        assert user.rows[1][:3] == ["2", "2", "273.4MiB"]
        assert user.rows[2][3:] == ["nobody", "-"]
        await user.press("t")
        await user.sees("grouped by user")
        await user.press("t")
        await user.sees("grouped by cgroup")
        assert user.rows[1][-1] == "pg.service"
        await user.press("down", "enter")
        await user.until(lambda: user.pids() == [11, 10])
        await user.sees("filter: /system.slice/pg.service")

    drive(server, steps)


def test_a_cgroup_is_chosen_from_a_list_with_limit_and_usage(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("c")
        await user.sees("390.6MiB of 781.2MiB   /system.slice/pg.service")
        await user.sees("1.0MiB of no limit   /user.slice")
        await user.press("down", "enter")
        await user.sees("scope: cgroup /system.slice/pg.service")
        await user.sees("390.6MiB left")
        await user.until(lambda: user.pids() == [10, 11])
        await user.press("c", "up", "enter")
        await user.sees_no("scope: ")
        await user.sees("1.91GiB left of 3.81GiB")
        assert len(user.pids()) == 6

    drive(server, steps)


def test_a_cgroup_that_is_removed_leads_back_to_the_machine(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.sees("scope: cgroup /system.slice/pg.service")
        (server.cgroup_mount / "system.slice/pg.service").rename(server.root.parent / "removed")
        await user.press("ctrl+l")
        await user.sees("back to the machine")
        await user.sees_no("scope: ")

    drive(server, steps, cgroup="/system.slice/pg.service")


def test_what_if_reorders_marks_and_writes_nothing(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("down", "plus")
        await user.sees("what if: 1 value marked, not written; next would be 11 (postgres)")
        assert user.pids()[:2] == [11, 20]
        assert user.rows[0][4] == "*100"
        assert user.selected == 11
        await user.sees("next: 20 (java)")
        await user.press("minus", "minus")
        assert user.rows[2][4] == "*-100"
        await user.press("plus")
        await user.sees_no("what if:")
        await user.press("right_square_bracket", "f8")
        await user.sees("*110")
        await user.press("left_square_bracket", "left_square_bracket", "f7")
        await user.sees("*-10")
        await user.press("s")
        await user.sees("*1000")
        await user.press("u")
        await user.sees_no("what if:")

    drive(server, steps)
    assert [written_adj(server, pid) for pid in (10, 11, 20, 30)] == [-100, 0, 0, -1000]


def test_a_value_can_be_typed(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("equals_sign")
        await user.type("-250")
        await user.press("enter")
        await user.sees("*-250")
        await user.press("a")
        await user.type("1001")
        await user.press("enter")
        await user.sees("'1001' is not an oom_score_adj: -1000..1000")
        await user.press("a")
        await user.type("010")
        await user.press("enter")
        await user.sees("'010' is not an oom_score_adj: -1000..1000")
        await user.press("equals_sign")
        await user.type("7")
        await user.press("escape")
        assert "*-250" in user.text

    drive(server, steps)


def test_a_value_is_for_the_process_that_was_asked_about(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("equals_sign")
        await user.sees("oom_score_adj for 20 (java)")
        (server.root / "20").rename(server.root.parent / "ended")
        server.add(50, "newcomer", 70_000, score=730)
        await user.press("ctrl+l")
        await user.sees("newcomer")
        await user.sees_no("java       ")
        await user.type("321")
        await user.press("enter")
        await user.sees("20 (java) ended")
        assert "*321" not in user.text

    drive(server, steps)


def test_marks_survive_a_refresh_and_end_with_their_process(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("s")
        server.add(50, "newcomer", 95_000, score=730)
        await user.press("ctrl+l")
        await user.sees("newcomer")
        assert "*1000" in user.text
        (server.root / "20").rename(server.root.parent / "ended")
        await user.press("ctrl+l")
        await user.sees("20 (java) ended")
        assert "what if:" not in user.text

    drive(server, steps)


def test_w_asks_with_names_and_values_and_writes_after_a_yes(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("s", "p", "w")
        await user.sees("Write oom_score_adj of 2 processes?")
        await user.sees("20 (java): oom_score_adj would go 0 -> 1000, rank 1 -> rank 1")
        await user.sees("11 (postgres): oom_score_adj would go 0 -> -1000")
        await user.press("n")
        await user.sees_no("Write oom_score_adj")
        assert (written_adj(server, 20), written_adj(server, 11)) == (0, 0)
        await user.press("w", "y")
        await user.until(lambda: (written_adj(server, 20), written_adj(server, 11)) == (1000, -1000))
        await user.sees_no("what if:")
        await user.until(lambda: user.rows[0][:5] == ["1", "█▒▒▒▒▒▒▒", "20", "54321", "1000"])

    drive(server, steps)


@pytest.mark.parametrize("key", ["escape", "n", "enter", "q"])
def test_anything_but_a_yes_writes_nothing(server: ProcTree, key: str) -> None:
    async def steps(user: Driver) -> None:
        await user.press("s", "w")
        await user.sees("Write oom_score_adj")
        await user.press(key)
        await user.sees_no("Write oom_score_adj")
        await user.sees("what if: 1 value marked")

    drive(server, steps)
    assert written_adj(server, 20) == 0


def test_behind_a_question_it_goes_on_refreshing(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("s", "w")
        await user.sees("Write oom_score_adj")
        server.add(50, "newcomer", 95_000, score=730)
        await user.press("n")
        await user.sees("next: 50 (newcomer)")

    drive(server, steps, delay_s=0.05)


def test_the_mouse_can_say_yes(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("s", "w")
        await user.sees("Write oom_score_adj")
        await user.pilot.click("#yes")
        await user.until(lambda: written_adj(server, 20) == 1000)

    drive(server, steps)


def test_u_takes_marks_back_one_by_one_then_the_last_write(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("s", "w", "y")
        await user.until(lambda: written_adj(server, 20) == 1000)
        await user.press("down", "s", "down", "s")
        await user.sees("what if: 2 values marked")
        await user.press("u")
        await user.sees("what if: 1 value marked")
        await user.press("u")
        await user.sees_no("what if:")
        await user.press("u")
        await user.sees("20 (java): oom_score_adj would go 1000 -> 0")
        assert written_adj(server, 20) == 1000
        await user.press("y")
        await user.until(lambda: written_adj(server, 20) == 0)
        await user.press("u")
        await user.sees("nothing to take back")

    drive(server, steps)


def test_what_somebody_else_has_set_since_is_not_taken_back(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("s", "w", "y")
        await user.until(lambda: written_adj(server, 20) == 1000)
        server.write("20/oom_score_adj", "77\n")
        await user.press("u")
        await user.sees("something else has set it to 77 since")
        await user.press("escape")

    drive(server, steps)
    assert written_adj(server, 20) == 77


def test_undo_and_explain_know_what_was_written(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("s", "w", "y")
        await user.until(lambda: written_adj(server, 20) == 1000)

    drive(server, steps)
    assert "oomctl top" in ask(server, "explain", "20").stdout
    assert ask(server, "undo").stdout.startswith("undo of: top (")
    assert written_adj(server, 20) == 0


def test_undo_knows_what_was_taken_back_already(server: ProcTree) -> None:
    ask(server, "set", "-200", "10")

    async def steps(user: Driver) -> None:
        await user.press("s", "w", "y")
        await user.until(lambda: written_adj(server, 20) == 1000)
        await user.press("u", "y")
        await user.until(lambda: written_adj(server, 20) == 0)

    drive(server, steps)
    assert ask(server, "undo").stdout.startswith("undo of: set -200 10 (")


def test_a_write_that_cannot_be_recorded_is_made_and_said(server: ProcTree, state_home: Path) -> None:
    (state_home / "oomctl").touch()

    async def steps(user: Driver) -> None:
        await user.press("s", "w", "y")
        await user.sees("the change was made, but undo will not know of it: ")
        await user.press("escape", "u")
        await user.sees("20 (java): oom_score_adj would go 1000 -> 0")
        await user.press("y")
        await user.until(lambda: written_adj(server, 20) == 0)

    drive(server, steps, size=(120, 24))


def test_refusals_are_those_of_set(server: ProcTree) -> None:
    server.add(60, "sshd-session", 700, score=667, uid=0)

    async def steps(user: Driver) -> None:
        for name in ("sshd-session", "kworker", "systemd"):
            await user.press("slash")
            await user.type(name)
            await user.press("enter", "p", "escape")
        await user.press("w")
        await user.sees("Nothing can be written.")
        await user.sees("60 (sshd-session): refused: a login session")
        await user.sees("40 (kworker/0:1): refused: kernel thread")
        await user.sees("1 (systemd): refused: PID 1")

    drive(server, steps, size=(150, 30))


def test_a_pid_that_was_taken_over_is_not_written(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("s", "w")
        await user.sees("Write oom_score_adj")
        server.add(20, "innocent", 100, start=999)
        await user.press("y")
        await user.sees("its PID now belongs to another process; it was not touched")

    drive(server, steps, size=(120, 24))
    assert written_adj(server, 20) == 0


def test_nothing_to_write(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("w")
        await user.sees("nothing is marked")

    drive(server, steps)


def test_kills_show_up_as_they_happen(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        kmsg = server.root.parent / "kmsg"
        await user.press("e")
        await user.sees("no OOM kill since boot")
        await user.press("e")
        kmsg.write_text(KILL.format(1, 1000000, 812))
        await user.sees("killed 812 (java)")
        await user.sees("0.05MiB    7  machine")
        await user.sees("OOM kills since boot (e closes)")
        assert any(line.split() == ["TIME", "WHAT", "RSS", "ADJ", "MEMORY", "OF"] for line in user.lines)
        assert any(line.startswith("new ") for line in user.lines)
        await user.press("e")
        await user.sees_no("killed 812")

    drive(server, steps)


def test_without_a_kernel_log_the_pane_says_why(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("e")
        await user.sees("reading the kernel log was refused" if os.geteuid() else "a directory")

    kmsg = server.root.parent / "kmsg"
    kmsg.mkdir()
    drive(server, steps)


def test_names_with_escape_sequences_do_no_harm(server: ProcTree) -> None:
    server.add(70, b"\x1b[31m[red]x", 99_000, score=740, cgroup="0::/a\x1b[2J.service\n")
    server.write("70/cmdline", b"\x1b]0;title\x07 [bold]\0")

    async def steps(user: Driver) -> None:
        await user.sees(r"next: 70 (\x1b[31m[red]x)")
        await user.press("enter")
        await user.sees(r"\x1b]0;title\x07 [bold]")
        await user.press("s", "w")
        await user.sees(r"70 (\x1b[31m[red]x): oom_score_adj would go 0 -> 1000")
        await user.press("escape", "t")
        await user.sees(r"70 \x1b[31m[red]x")
        assert all(line.isprintable() for line in user.lines)

    drive(server, steps, size=(120, 30))


def test_proc_that_goes_away_is_said_and_the_last_look_stays(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        moved = server.root.rename(server.root.parent / "moved")
        await user.press("ctrl+l")
        await user.sees("cannot look: ")
        await user.press("down", "plus", "w")
        await user.sees("has ended")
        await user.press("escape")
        assert user.pids()[:2] == [11, 20]
        moved.rename(server.root)
        await user.press("ctrl+l")
        await user.sees("next: 20 (java)")

    drive(server, steps)


def test_targets_and_columns_hold_here_too(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        assert user.pids() == [10, 11]
        assert user.lines[3].split() == ["RANK", "RISK", "PID", "RSS", "CMDLINE"]
        await user.sees("postgres -D")

    server.write("10/cmdline", b"postgres\0-D\0")
    drive(
        server,
        steps,
        columns=("rank", "pid", "rss", "cmdline"),
        targets=(parse_target("postgres"),),
        sort=fields.find("rss"),
    )


def test_only_as_many_as_asked_for(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        assert user.pids() == [20, 11]
        await user.press("M")
        assert user.pids() == [20, 10]

    drive(server, steps, lines=2)


@pytest.mark.parametrize("width", [20, 40, 60, 80, 160])
def test_how_to_quit_is_always_at_the_bottom(server: ProcTree, width: int) -> None:
    async def steps(user: Driver) -> None:
        assert user.lines[-1].endswith("q Quit")
        await user.type("/java")
        await user.press("enter")
        assert user.lines[-1].endswith("q Quit")
        await user.pilot.click("#status", offset=(width - 2, 0))
        await user.until(lambda: user.app.return_value == 0)

    drive(server, steps, size=(width, 24))


def test_a_key_at_the_bottom_is_clicked(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.pilot.click("#status", offset=(2, 0))
        await user.sees("the kernel's order")

    drive(server, steps)


def test_the_filter_says_how_many_are_left(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("slash")
        await user.sees("Filter: PID, command")
        await user.type("pg.s")
        await user.until(lambda: any(re.match("Filter: pg.s +2 of 6$", line) for line in user.lines))
        await user.type("x")
        await user.until(lambda: any(re.match("Filter: pg.sx +0 of 6$", line) for line in user.lines))
        await user.press("enter")
        await user.sees("filter: pg.sx (0 of 6)")

    drive(server, steps)


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (40, 12)])
def test_a_dialog_shows_all_of_its_text_and_how_it_closes(server: ProcTree, size: tuple[int, int]) -> None:
    async def steps(user: Driver) -> None:
        await user.press("p", "w")
        await user.sees("Esc changes nothing")
        shown = " ".join(" ".join(line.strip("│ ") for line in user.lines).split())
        assert "20 (java): oom_score_adj would go 0 -> -1000, rank 1 -> cannot be chosen" in shown
        assert "next victim: 20 (java) -> 11 (postgres)" in shown
        await user.press("escape")
        await user.sees_no("Esc changes nothing")

    drive(server, steps, size=size)


def test_help_names_every_key(server: ProcTree) -> None:
    def named(text: str) -> bool:
        return all(key.meaning[:40] in text for key in keys.KEYS)

    async def steps(user: Driver) -> None:
        await user.press("question_mark")
        await user.until(lambda: named(user.text))
        await user.press("q")
        await user.sees_no("this help")

    assert drive(server, steps, size=(120, 60)) is None


@pytest.mark.live
def test_it_writes_to_a_real_process(proc_tree: ProcTree) -> None:
    with subprocess.Popen(["sleep", "60"]) as process:

        async def steps(user: Driver) -> None:
            await user.press("s", "w")
            await user.sees(f"{process.pid} (sleep): oom_score_adj would go")
            await user.press("y")
            await user.until(lambda: adj_of(process.pid) == 1000)

        drive(proc_tree, steps, proc="/proc", targets=(parse_target(str(process.pid)),))
        process.kill()
