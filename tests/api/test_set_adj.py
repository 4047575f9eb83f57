"""The API sets oom_score_adj of real processes, and refuses what ``oomctl set`` refuses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from oomctl import api
from oomctl.changes.journal import Journal
from oomctl.errors import ImpossibleHere, NotPermitted, OomctlError, Refused, Vanished
from oomctl.procfs.reader import Procfs
from tests.commands.invoke import ROOT, ask, program
from tests.privileges import NOBODY, WITHOUT_CAPABILITY, needs_root
from tests.proc_tree import ProcTree
from tests.processes import Sleeper, adj_of

pytestmark = [pytest.mark.live, pytest.mark.usefixtures("own_value_is_0")]


def start_of(pid: int) -> int:
    return Procfs().task(pid).start_ticks


def test_the_kernel_has_the_value_and_the_caller_the_one_before(sleeper: Sleeper) -> None:
    pid = sleeper().pid
    assert api.set_adj(pid, 500) == 0
    assert adj_of(pid) == 500
    assert api.set_adj(pid, 700, start_ticks=start_of(pid)) == 500
    assert api.set_adj(pid, 700) == 700
    assert adj_of(pid) == 700


def test_a_program_can_set_its_own_value() -> None:
    script = "import os; from oomctl import api; print(api.set_adj(os.getpid(), 300))"
    script += "; print(open('/proc/self/oom_score_adj').read().strip())"
    assert called(script).split() == ["0", "300"]


def called(script: str, *before: str) -> str:
    """Return what a Python of its own prints."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [*before, sys.executable, "-c", script]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=60).stdout


LOWERED = """
import subprocess
from oomctl import api, errors
child = subprocess.Popen(["sleep", "60"])
try:
    api.set_adj(child.pid, -5)
except errors.NotPermitted as error:
    print(error)
print(open(f"/proc/{child.pid}/oom_score_adj").read().strip())
child.kill()
child.wait()
"""


@needs_root
def test_to_lower_a_value_without_the_capability_is_not_permitted() -> None:
    reason, value = called(LOWERED, *WITHOUT_CAPABILITY).splitlines()
    assert re.match(r"\d+ \(sleep\): needs CAP_SYS_RESOURCE; this .* lacks it; lowering goes below its floor", reason)
    assert value == "0"


@needs_root
@pytest.mark.unprivileged
def test_another_user_s_process_is_not_permitted(sleeper: Sleeper) -> None:
    pid = sleeper().pid
    script = f"from oomctl import api, errors\ntry: api.set_adj({pid}, 5)\nexcept errors.NotPermitted as e: print(e)"
    assert called(script, *NOBODY).startswith(f"{pid} (sleep): it belongs to uid 0, not to you (uid 65534); ")
    assert adj_of(pid) == 0


def test_a_process_that_has_ended_has_vanished() -> None:
    with subprocess.Popen(["true"]) as process:
        pid = process.pid
    with pytest.raises(Vanished, match=f"^{pid}: no such process$") as raised:
        api.set_adj(pid, 5)
    assert raised.value.exit_status == 5


def test_a_pid_that_means_another_process_by_now_is_not_written(sleeper: Sleeper) -> None:
    pid = sleeper().pid
    with pytest.raises(Vanished, match=rf"^{pid} \(sleep\): its PID belongs to another process"):
        api.set_adj(pid, 5, start_ticks=start_of(pid) - 1)
    assert adj_of(pid) == 0


def test_a_process_that_has_exited_is_refused(sleeper: Sleeper) -> None:
    process = sleeper("true")
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(Refused, match="exited") as raised:
        api.set_adj(process.pid, 5, force=True)
    assert "force" not in str(raised.value)


def test_a_thread_is_no_process() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        with pytest.raises(Vanished, match=f"{thread.native_id}: no such process; it is a thread of {os.getpid()}"):
            api.set_adj(thread.native_id or 0, 5)
    finally:
        done.set()
        thread.join()
    assert adj_of(os.getpid()) == 0


@pytest.fixture
def tree(proc_tree: ProcTree) -> ProcTree:
    """A made-up machine of whose processes some are better left alone."""
    proc_tree.add(1, "systemd", uid=0, ppid=0, score=0)
    proc_tree.add(20, "sshd", uid=0)
    proc_tree.add(30, "sshd-session", uid=0)
    proc_tree.add_kthread(40)
    proc_tree.add(50, "nginx")
    return proc_tree


def value(tree: ProcTree, pid: int) -> str:
    return (tree.root / f"{pid}/oom_score_adj").read_text()


@pytest.mark.parametrize(
    ("pid", "adj"),
    [(1, -100), (1, 500), (20, 500), (30, -100), (30, 500), (40, 500)],
    ids=["init lowered", "init raised", "sshd raised", "session lowered", "session raised", "kernel thread"],
)
def test_what_the_command_refuses_is_refused(tree: ProcTree, pid: int, adj: int) -> None:
    ran = ask(tree, "set", str(adj), str(pid))
    with pytest.raises(Refused) as raised:
        api.set_adj(pid, adj, root=str(tree.root))
    assert ran.status == raised.value.exit_status == 6
    told = str(raised.value).replace("; force=True overrides", " (--force overrides)")
    assert ran.stderr == f"oomctl: {told}\n"
    assert value(tree, pid) == "0\n"


def test_force_is_the_yes_that_the_command_asks_for(tree: ProcTree) -> None:
    assert api.set_adj(20, 500, force=True, root=str(tree.root)) == 0
    assert value(tree, 20) == "500"


def test_the_root_says_which_processes_are_meant(tree: ProcTree) -> None:
    assert api.set_adj(50, 500, root=str(tree.root)) == 0
    assert value(tree, 50) == "500"
    with pytest.raises(ImpossibleHere):
        api.set_adj(50, 600, root=str(tree.root / "nowhere"))


def test_a_recorded_change_can_be_undone(sleeper: Sleeper) -> None:
    pid = sleeper().pid
    api.set_adj(pid, 500)
    assert Journal.of_user().entries() == []
    api.set_adj(pid, 700, record=True)
    (entry,) = Journal.of_user().entries()
    assert (entry.what, entry.values[0].before, entry.values[0].after) == (f"set_adj({pid}, 700)", 500, 700)
    undone: dict[str, Any] = json.loads(program("undo", "--dry-run", "--json").stdout)["changes"][0]
    assert (undone["pid"], undone["before"], undone["after"]) == (pid, 700, 500)


def test_what_changes_nothing_is_not_recorded(sleeper: Sleeper) -> None:
    api.set_adj(sleeper().pid, 0, record=True)
    assert Journal.of_user().entries() == []


def test_what_cannot_be_recorded_is_not_changed(sleeper: Sleeper, state_home: Path) -> None:
    pid = sleeper().pid
    (state_home / "oomctl").write_text("no directory")
    with pytest.raises(NotPermitted, match=re.escape(str(state_home / "oomctl"))):
        api.set_adj(pid, 500, record=True)
    assert adj_of(pid) == 0


@pytest.mark.parametrize(
    ("pid", "adj", "error", "message"),
    [
        pytest.param(0, 5, ValueError, "pid 0: PIDs run from 1 to 4194304", id="no PID"),
        pytest.param(-1, 5, ValueError, "pid -1: PIDs run from 1 to 4194304", id="a group of processes"),
        pytest.param(50, 1001, ValueError, "oom_score_adj 1001: expected -1000 to 1000", id="too high"),
        pytest.param(50, -1001, ValueError, "oom_score_adj -1001: expected -1000 to 1000", id="too low"),
        pytest.param(50, 0.5, TypeError, ".*", id="no whole number"),
        pytest.param("50", 5, TypeError, ".*", id="a word"),
    ],
)
def test_a_mistake_of_the_caller_is_no_error_of_oomctl(
    tree: ProcTree, pid: Any, adj: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as raised:
        api.set_adj(pid, adj, root=str(tree.root))
    assert re.fullmatch(message, str(raised.value))
    assert not isinstance(raised.value, OomctlError)
    assert value(tree, 50) == "0\n"
