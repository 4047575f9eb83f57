"""top on a terminal without any extra: it refreshes, ends on q and Ctrl-C, and leaves the terminal as it was."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.commands.invoke import Ran, ask, program
from tests.commands.terminal import Terminal, terminal, without_sequences
from tests.proc_tree import ProcTree
from tests.small_server import RANKING

ALTERNATE_SCREEN, BACK = "\x1b[?1049h", "\x1b[?1049l"
HIDDEN_CURSOR, CURSOR = "\x1b[?25l", "\x1b[?25h"


@pytest.fixture
def screen() -> Iterator[Terminal]:
    with terminal() as opened:
        yield opened


@pytest.fixture
def shown(screen: Terminal, server: ProcTree) -> subprocess.Popen[bytes]:
    """The live view of the small server, drawn once at least."""
    process = screen.start("top", "--simple", "-d", "0.1", OOMCTL_PROC=str(server.root))
    screen.wait_for(lambda text: "kworker" in text)
    return process


def assert_left_in_order(screen: Terminal) -> None:
    assert screen.settings() == screen.settings_before
    assert screen.written.rindex(BACK) > screen.written.rindex(ALTERNATE_SCREEN)
    assert screen.written.rindex(CURSOR) > screen.written.rindex(HIDDEN_CURSOR)
    assert "Traceback" not in screen.written


def test_it_shows_memory_the_next_victim_and_the_ranking(screen: Terminal, shown: subprocess.Popen[bytes]) -> None:
    lines = without_sequences(screen.written).splitlines()
    assert lines[0].startswith("next: 20 (java), certain, leads by 274.4MiB; its kill frees 352.6MiB")
    assert "1.91GiB left of 3.81GiB" in lines[1]
    assert lines[2].startswith("3 killable, 3 not; no swap")
    assert lines[3].split()[:3] == ["RANK", "RISK", "PID"]
    assert lines[4].split()[:4] == ["1", "████████", "20", "54321"]
    assert shown.poll() is None


@pytest.mark.skipif(find_spec("textual") is None, reason="needs the extra oomctl[tui]")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ended_while_the_interactive_view_is_loaded_the_terminal_is_left_in_order(
    screen: Terminal, server: ProcTree, number: signal.Signals, status: int
) -> None:
    process = screen.start("top", OOMCTL_PROC=str(server.root))
    screen.wait_for(lambda text: ALTERNATE_SCREEN in text)
    os.kill(process.pid, number)
    assert screen.ended(process) == status
    assert_left_in_order(screen)


@pytest.mark.skipif(find_spec("textual") is None, reason="needs the extra oomctl[tui]")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ended_by_a_signal_the_interactive_view_says_so_in_its_status(
    screen: Terminal, server: ProcTree, number: signal.Signals, status: int
) -> None:
    process = screen.start("top", OOMCTL_PROC=str(server.root))
    screen.wait_for(lambda text: "next: 20 (java)" in text)
    os.kill(process.pid, number)
    assert screen.ended(process) == status
    assert_left_in_order(screen)


def test_it_refreshes(screen: Terminal, shown: subprocess.Popen[bytes], server: ProcTree) -> None:
    server.add(50, "newcomer", 95_000, score=730)
    screen.wait_for(lambda text: "next: 50 (newcomer)" in text)
    assert shown.poll() is None


def test_the_last_line_says_how_to_quit_and_where_help_is(screen: Terminal, shown: subprocess.Popen[bytes]) -> None:
    screen.wait_for(lambda text: "q quits · ? help" in text)
    screen.press("?")
    screen.wait_for(lambda text: "any key closes it" in text and "dim: cannot be chosen" in text)
    screen.press("x")
    screen.wait_for(lambda text: "next: 20 (java)" in text.rpartition("any key closes it")[2])
    assert shown.poll() is None


@pytest.mark.parametrize("key", ["q", "Q"])
def test_q_ends_it(screen: Terminal, shown: subprocess.Popen[bytes], key: str) -> None:
    screen.press(key)
    assert screen.ended(shown) == 0
    assert_left_in_order(screen)


def test_ctrl_c_ends_it(screen: Terminal, shown: subprocess.Popen[bytes]) -> None:
    screen.press("\x03")
    assert screen.ended(shown) == 130
    assert_left_in_order(screen)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_being_told_to_end_leaves_the_terminal_in_order(
    screen: Terminal, shown: subprocess.Popen[bytes], number: signal.Signals
) -> None:
    os.kill(shown.pid, number)
    assert screen.ended(shown) == 128 + number
    assert_left_in_order(screen)


def test_other_keys_do_nothing_but_refresh(screen: Terminal, shown: subprocess.Popen[bytes]) -> None:
    screen.press("x\x1b[A\x1b[B5")
    screen.wait_for(lambda text: text.count("next: 20 (java)") >= 2)
    assert shown.poll() is None


def test_ctrl_z_leaves_the_terminal_in_order_until_it_goes_on(screen: Terminal, shown: subprocess.Popen[bytes]) -> None:
    os.kill(shown.pid, signal.SIGTSTP)  # no shell is there to put it into the foreground and back
    os.waitid(os.P_PID, shown.pid, os.WSTOPPED | os.WNOWAIT)
    screen.wait_for(lambda _: screen.written.rstrip().endswith(CURSOR) or BACK in screen.written)
    assert screen.settings() == screen.settings_before
    os.kill(shown.pid, signal.SIGCONT)
    screen.wait_for(lambda text: ALTERNATE_SCREEN in text and "next: 20" in text)
    screen.press("q")
    assert screen.ended(shown) == 0
    assert_left_in_order(screen)


def test_a_new_size_is_used_at_once(screen: Terminal, server: ProcTree) -> None:
    process = screen.start("top", "--simple", "-d", "3000", OOMCTL_PROC=str(server.root))
    screen.wait_for(lambda text: "kworker" in text)
    screen.resize(60, 10)
    drawn = screen.wait_for(lambda text: "systemd" in text)
    assert "UNIT/CGROUP" not in drawn.partition("next: ")[2]
    screen.press("q")
    assert screen.ended(process) == 0


def test_options_of_the_list_hold_for_the_live_one(screen: Terminal, server: ProcTree) -> None:
    process = screen.start(
        "top", "--simple", "-n", "2", "--sort", "rss", "-o", "pid,rss,comm", "-u", "0", OOMCTL_PROC=str(server.root)
    )
    screen.wait_for(lambda text: text.partition("COMMAND")[2].count("postgres") >= 2)
    rows = without_sequences(screen.written).partition("COMMAND")[2].split()
    assert rows[:6] == ["10", "195.3MiB", "postgres", "11", "78.1MiB", "postgres"]
    screen.press("q")
    assert screen.ended(process) == 0
    assert "systemd" not in screen.written


def test_nothing_matched_is_said_before_anything_is_drawn(screen: Terminal, server: ProcTree) -> None:
    process = screen.start("top", "--simple", "nosuch", OOMCTL_PROC=str(server.root))
    assert screen.ended(process) == 1
    assert screen.written.strip() == "oomctl: no process matches nosuch"


def test_a_cgroup_that_is_removed_ends_it_with_a_message(screen: Terminal, server: ProcTree) -> None:
    server.mount_v2()
    directory = server.cgroup("/db", (10, 11), memory__max="819200000", memory__current="409600000")
    process = screen.start("top", "--simple", "--cgroup", "/db", "-d", "0.1", OOMCTL_PROC=str(server.root))
    screen.wait_for(lambda text: "scope: cgroup /db" in text)
    directory.rename(server.root.parent / "removed")
    assert screen.ended(process) == 7
    assert_left_in_order(screen)
    assert "oomctl: cgroup /db: no such memory cgroup" in screen.written


def test_once_on_a_terminal_prints_one_table(screen: Terminal, server: ProcTree) -> None:
    for argv in (["--once"], ["--format", "table"]):
        process = screen.start("top", "--simple", *argv, OOMCTL_PROC=str(server.root))
        assert screen.ended(process) == 0
    assert ALTERNATE_SCREEN not in screen.written
    assert screen.written.count("3 killable, 3 not") == 2


@pytest.mark.parametrize("name", ["dumb", ""])
def test_a_terminal_that_cannot_draw_anew_gets_one_table(screen: Terminal, server: ProcTree, name: str) -> None:
    process = screen.start("top", "--simple", OOMCTL_PROC=str(server.root), TERM=name)
    assert screen.ended(process) == 0
    assert "\x1b[?" not in screen.written


def test_no_color_is_respected(screen: Terminal, server: ProcTree) -> None:
    process = screen.start("top", "--simple", OOMCTL_PROC=str(server.root), NO_COLOR="1")
    screen.wait_for(lambda text: "kworker" in text)
    screen.press("q")
    assert screen.ended(process) == 0
    assert "\x1b[31m" not in screen.written
    assert ";31m" not in screen.written


def test_without_a_terminal_it_is_the_list_whatever_the_delay(server: ProcTree) -> None:
    assert ask(server, "top", "-d", "5") == Ran(0, RANKING, "")


@pytest.mark.parametrize("delay", ["0", "-1", "x", "nan", "inf", "99999"])
def test_a_delay_that_makes_no_sense_is_a_usage_error(server: ProcTree, delay: str) -> None:
    ran = ask(server, "top", "-d", delay)
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr.startswith("oomctl: Invalid value for '-d'")


def test_the_real_machine_in_a_pipe_is_one_list() -> None:
    ran = program("top", "-d", "0.1", "-n", "1")
    assert ran.status == 0
    assert len(ran.stdout.splitlines()) == 2
