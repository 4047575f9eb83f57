"""The interactive view in a real terminal: keys go in through tmux, what the terminal shows comes out."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.commands.invoke import OOMCTL, ROOT
from tests.proc_tree import ProcTree
from tests.processes import adj_of

Start = Callable[..., "Tmux"]
pytestmark = pytest.mark.terminal
PATIENCE_S = 120.0


class Tmux:
    """A tmux server of its own, with one window."""

    def __init__(self, directory: Path, command: str, columns: int, lines: int) -> None:
        self._socket = str(directory / "tmux")
        size = ("-x", str(columns), "-y", str(lines))
        env = {
            name: value for name, value in os.environ.items() if name not in ("TMUX", "NO_COLOR", "COLUMNS", "LINES")
        }
        start = ("tmux", "-S", self._socket, "-f", os.devnull, "new-session", "-d", *size, command)
        subprocess.run(start, check=True, timeout=60, env={**env, "TERM": "xterm-256color", "SHELL": "/bin/sh"})

    def __call__(self, *command: str) -> str:
        ran = subprocess.run(
            ("tmux", "-S", self._socket, *command), capture_output=True, text=True, timeout=60, check=True
        )
        return ran.stdout

    def press(self, *keys: str) -> None:
        self("send-keys", *keys)

    def screen(self, *options: str) -> str:
        return self("capture-pane", "-p", *options)

    def sees(self, *texts: str) -> str:
        """Wait until all of ``texts`` stand on the screen; return it."""
        return self._until(f"{texts} to come", lambda screen: all(text in screen for text in texts))

    def sees_no(self, text: str) -> None:
        """Wait until ``text`` is gone."""
        self._until(f"{text} to go", lambda screen: text not in screen)

    def _until(self, what: str, is_so: Callable[[str], bool]) -> str:
        deadline = time.monotonic() + PATIENCE_S
        while not is_so(screen := self.screen()):
            assert time.monotonic() < deadline, f"still waiting for {what}:\n{screen}"
            time.sleep(0.05)
        return screen


@pytest.fixture
def server(proc_tree: ProcTree) -> ProcTree:
    """Two processes of root, so that a key more or less is seen at once."""
    proc_tree.add(10, "postgres", 50_000, score=690, uid=0)
    proc_tree.add(20, "java", 90_000, score=726, uid=0)
    return proc_tree


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    started: list[Tmux] = []

    def run(*argv: str, columns: int = 80, lines: int = 24, **env: str) -> Tmux:
        settings = [f"{name}={shlex.quote(value)}" for name, value in {"PYTHONPATH": str(ROOT), **env}.items()]
        oomctl = " ".join([*settings, *map(shlex.quote, (*OOMCTL, *argv))])
        # What the terminal is set to is compared before and after; the shell goes on to show it.
        before = f"stty -g > {tmp_path}/before; echo the screen before"
        after = f"echo status $?; stty -g | cmp - {tmp_path}/before && echo as before; sleep 1000"
        started.append(Tmux(tmp_path, f"{before}; {oomctl}; {after}", columns, lines))
        return started[-1]

    yield run
    for tmux in started:
        tmux("kill-server")


def test_keys_in_and_screen_out(start: Start, server: ProcTree) -> None:
    tmux = start("top", "-d", "0.2", OOMCTL_PROC=str(server.root))
    screen = tmux.sees("next: 20 (java), certain", "10 root", "? Help").splitlines()
    assert screen[1].endswith(" 1.91GiB left of 3.81GiB")
    assert screen[3].split()[:3] == ["RANK", "RISK", "PID"]
    tmux.press("Down", "+", "F8")
    tmux.sees("*200", "next would be 10 (postgres)")
    tmux.press("Enter")
    tmux.sees("rank 1 of 2")
    tmux.press("w")
    tmux.sees("Write oom_score_adj of 1 process?", "10 (postgres): oom_score_adj would go 0 -> 200")
    tmux.press("n")
    tmux.sees_no("Write oom_score_adj")
    tmux.press("/")
    tmux.sees("Filter: PID, command")
    tmux.press("java", "Enter")
    tmux.sees("filter: java")
    tmux.press("Escape")
    server.add(30, "newcomer", 99_000, score=740, uid=0)
    tmux.sees("next: 30 (newcomer)")
    tmux("resize-window", "-x", "200", "-y", "40")
    tmux.sees("PGTABLES", "newcomer")
    tmux("resize-window", "-x", "60", "-y", "12")
    tmux.sees("newcomer", "*200")
    tmux.press("q")
    screen_after = tmux.sees("the screen before", "status 0", "as before")
    assert "next:" not in screen_after
    assert (server.root / "10/oom_score_adj").read_text() == "0\n"


def test_a_real_process_is_written_and_put_back(start: Start) -> None:
    with subprocess.Popen(["sleep", "600"]) as process:
        tmux = start("top", str(process.pid), columns=100)
        tmux.sees(f"{process.pid} ", "sleep")
        tmux.press("=")
        tmux.sees("oom_score_adj for")
        tmux.press("321", "Enter")
        tmux.sees("*321")
        tmux.press("w")
        tmux.sees("0 -> 321")
        tmux.press("y")
        tmux.sees(f"{process.pid} (sleep): oom_score_adj 0 -> 321")
        assert adj_of(process.pid) == 321
        tmux.press("u")
        tmux.sees("would go 321 -> 0")
        tmux.press("y")
        tmux.sees("oom_score_adj 321 -> 0")
        assert adj_of(process.pid) == 0
        tmux.press("C-c")
        tmux.sees("status 130", "as before")
        process.kill()


@pytest.mark.parametrize("number", ["TERM", "HUP"])
def test_being_told_to_end_leaves_the_terminal_in_order(start: Start, server: ProcTree, number: str) -> None:
    tmux = start("top", OOMCTL_PROC=str(server.root))
    tmux.sees("next: 20 (java)")
    shell = int(tmux("display-message", "-p", "#{pane_pid}"))
    (child,) = map(int, Path(f"/proc/{shell}/task/{shell}/children").read_text().split())
    subprocess.run(["kill", f"-{number}", str(child)], check=True)
    tmux.sees("the screen before", "status 1", "as before")


def test_no_color_leaves_no_colour(start: Start, server: ProcTree) -> None:
    tmux = start("top", OOMCTL_PROC=str(server.root), NO_COLOR="1")
    tmux.sees("next: 20 (java)", "postgres")
    tmux.press("Down", "+", "Enter", "e")
    tmux.sees("what if:")
    colours = [part.partition("m")[0].split(";") for part in tmux.screen("-e").split("\x1b[")[1:]]
    assert not {code for codes in colours for code in codes} & {str(code) for code in (*range(30, 38), *range(40, 48))}


def test_colours_are_those_of_the_terminal(start: Start, server: ProcTree) -> None:
    """Only the palette that a terminal has chosen for its own background, and its own background."""
    tmux = start("top", "--theme", "terminal", OOMCTL_PROC=str(server.root))
    tmux.sees("next: 20 (java)")
    tmux.press("s")
    tmux.sees("what if:")
    drawn = tmux.screen("-e")
    assert "\x1b[36m" in drawn or ";36m" in drawn
    assert "38;" not in drawn
    assert "48;" not in drawn
