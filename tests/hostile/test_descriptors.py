"""oomctl started with stdin, stdout or stderr closed: no file that it opens takes their place."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from oomctl.changes.journal import Journal
from tests.commands.invoke import ROOT
from tests.processes import Sleeper, adj_of

pytestmark = pytest.mark.live

REDIRECTIONS = {0: "<&-", 1: ">&-", 2: "2>&-"}
CLOSED = [closed for count in (1, 2, 3) for closed in itertools.combinations(REDIRECTIONS, count)]
every_combination = pytest.mark.parametrize("closed", CLOSED, ids=str)

SPY = """
import os, sys
from oomctl.__main__ import main

opened = os.open
def watched(path, *how, **more):
    descriptor = opened(path, *how, **more)
    if descriptor < 3 and path != os.devnull:
        os.write(9, f"{path} is descriptor {descriptor}\\n".encode())
    return descriptor

os.open = watched
main()
"""


def started_with(closed: tuple[int, ...], *argv: str, python: tuple[str, ...] = ("-m", "oomctl")) -> list[str]:
    """Return a command that starts oomctl with these descriptors closed, and 9 as another name of our stderr."""
    redirections = " ".join(REDIRECTIONS[descriptor] for descriptor in closed)
    return ["sh", "-c", f'exec "$@" 9>&2 {redirections}', "sh", sys.executable, *python, *argv]


def ran(command: list[str]) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=env)


@every_combination
@pytest.mark.parametrize("words", ["set 500 {}", "undo", "top -n 1", "explain {}", "policy apply -f {}", "--version"])
def test_no_file_takes_the_place_of_a_closed_one(
    sleeper: Sleeper, tmp_path: Path, closed: tuple[int, ...], words: str
) -> None:
    rules = tmp_path / "policy.toml"
    rules.write_text('[[rule]]\ntarget = "oomctl-no-such-process"\nadj = 500\n')
    argument = str(rules) if "policy" in words else str(sleeper().pid)
    command = started_with(closed, *words.format(argument).split(), python=("-c", SPY))
    assert " is descriptor " not in ran(command).stderr


@every_combination
def test_a_change_is_made_and_recorded_and_said_where_it_can_be(sleeper: Sleeper, closed: tuple[int, ...]) -> None:
    pid = sleeper().pid
    done = ran(started_with(closed, "set", "500", str(pid)))
    assert done.returncode == 0
    assert (1 in closed) == (done.stdout == "")
    unsaid = "oomctl: the change was made, but it cannot be reported: Bad file descriptor\n"
    assert done.stderr == (unsaid if 1 in closed and 2 not in closed else "")
    assert adj_of(pid) == 500
    lines = Path(Journal.of_user().path).read_text().splitlines()
    assert [json.loads(line)["what"] for line in lines] == [f"set 500 {pid}"]


@pytest.mark.parametrize("closed", [closed for closed in CLOSED if 1 in closed], ids=str)
@pytest.mark.parametrize("words", ["top -n 1", "top --json", "simulate", "snapshot", "completion bash", "--help"])
def test_an_answer_that_cannot_be_given_is_a_failure(closed: tuple[int, ...], words: str) -> None:
    done = ran(started_with(closed, *words.split()))
    assert done.returncode == 1
    assert done.stderr == ("" if 2 in closed else "oomctl: cannot write the output: Bad file descriptor\n")


@every_combination
@pytest.mark.parametrize("words", ["explain oomctl-no-such-process", "top --no-such-option", "dump"])
def test_an_error_without_anyone_to_hear_it_keeps_its_status(closed: tuple[int, ...], words: str) -> None:
    heard = ran([sys.executable, "-m", "oomctl", *words.split()])
    done = ran(started_with(closed, *words.split()))
    assert (done.returncode, done.stderr) == (heard.returncode, "" if 2 in closed else heard.stderr)


@every_combination
def test_a_command_is_run_with_what_oomctl_was_given(closed: tuple[int, ...]) -> None:
    look = "import os; os.write(9, b' '.join(b'%d' % fd for fd in range(3) if os.path.exists(f'/proc/self/fd/{fd}')))"
    # The looking Python opens nothing before it looks that would stay open.
    done = ran(started_with(closed, "run", "--", sys.executable, "-S", "-c", look))
    assert done.stderr.split() == [str(descriptor) for descriptor in REDIRECTIONS if descriptor not in closed]


@pytest.mark.parametrize("closed", [(2,), (0, 1, 2)], ids=str)
def test_a_policy_is_watched_although_nobody_can_be_told(tmp_path: Path, closed: tuple[int, ...]) -> None:
    rules = tmp_path / "policy.toml"
    rules.write_text('[[rule]]\ntarget = "oomctl-no-such-process"\nadj = 500\n')
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = started_with(closed, "policy", "watch", "--poll", "-f", str(rules))
    process = subprocess.Popen(command, env=env)
    deadline = time.monotonic() + 60
    while process.poll() is None and not handles_sigterm(process.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def handles_sigterm(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
