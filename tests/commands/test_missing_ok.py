"""--missing-ok: a target that does not run is no error; whatever else is wrong stays one."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.commands.invoke import Ran, ask
from tests.commands.terminal import terminal
from tests.documents import errors_in
from tests.proc_tree import ProcTree, adjs
from tests.processes import Sleeper, adj_of

MISSING = "nosuch: no process matches\n"


@pytest.mark.parametrize("argv", ["set 300", "protect", "sacrifice", "reset"])
def test_what_does_not_run_is_said_and_is_no_error(server: ProcTree, argv: str) -> None:
    assert ask(server, *argv.split(), "nosuch") == Ran(1, "", f"oomctl: {MISSING}")
    assert ask(server, *argv.split(), "nosuch", "--missing-ok") == Ran(0, MISSING, "")
    assert ask(server, *argv.split(), "nosuch", "--missing-ok", "-q") == Ran(0, "", "")


@pytest.mark.parametrize(
    "target", ["nosuch", "nosuch*", "99", "nosuch.service", "user:nosuch", "cgroup:/nosuch", "cmd:^x"]
)
def test_no_kind_of_target_has_to_run(server: ProcTree, target: str) -> None:
    server.mount_v2()
    server.cgroup("/")
    assert ask(server, "set", "300", target).status != 0
    assert ask(server, "set", "300", target, "--missing-ok") == Ran(0, f"{target}: no process matches\n", "")


def test_what_runs_is_changed_beside_what_does_not(server: ProcTree) -> None:
    changed = "20 (java): oom_score_adj 0 -> 300, rank 1 -> rank 1\nnext victim: 20 (java), as before\n"
    assert ask(server, "set", "300", "java", "nosuch", "--missing-ok") == Ran(0, MISSING + changed, "")
    assert adjs(server, 20) == [300]
    assert ask(server, "set", "300", "java", "nosuch").status == 3


def test_a_cgroup_that_is_not_there_does_not_keep_others_from_their_value(server: ProcTree) -> None:
    server.mount_v2()
    server.cgroup("/")
    server.add(21, "db", uid=0, ppid=10)
    assert ask(server, "set", "-300", "10", "cgroup:/nosuch", "--missing-ok").status == 0
    assert adjs(server, 10) == [-300]


def test_the_document_names_what_does_not_run(server: ProcTree) -> None:
    ran = ask(server, "set", "300", "java", "nosuch", "99", "--missing-ok", "--json")
    document = json.loads(ran.stdout)
    assert errors_in(document) == []
    assert (ran.status, ran.stderr, document["missing"]) == (0, "", ["nosuch", "99"])
    document = json.loads(ask(server, "set", "300", "java", "--missing-ok", "--json").stdout)
    assert document["missing"] == []


@pytest.mark.parametrize(
    ("argv", "status"),
    [
        ("set -300 1 nosuch", 6),
        ("set -300 java nosuch", 6),
        ("set -300 20 1 nosuch", 3),
        ("set 5000 nosuch", 2),
        ("set 300 user: nosuch", 2),
        ("set 300 cgroup:/x nosuch", 7),
    ],
)
def test_another_failure_keeps_its_status(server: ProcTree, argv: str, status: int) -> None:
    """The last has no memory controller, so nobody knows whether anything runs there."""
    ran = ask(server, *argv.split(), "--missing-ok")
    assert ran.status == status


def test_what_does_not_run_twice_does_not_run(server: ProcTree) -> None:
    assert ask(server, "set", "300", "nosuch", "nosuch") == Ran(1, "", f"oomctl: {MISSING}")


@pytest.mark.live
@pytest.mark.usefixtures("own_value_is_0")
def test_what_ends_before_it_is_written_does_not_run_either(sleeper: Sleeper, tmp_path: Path) -> None:
    name = f"zm{os.getpid()}"
    program = shutil.copy(shutil.which("sleep") or "", tmp_path / name)
    processes = [sleeper(program, "60") for _ in range(21)]
    with terminal() as screen:
        running = screen.start("set", "300", name, "--missing-ok")
        screen.wait_for(lambda text: "[y/N]" in text)
        processes[0].kill()
        processes[0].wait()
        screen.press("y\n")
        assert screen.ended(running) == 0
    assert f"{processes[0].pid} ({name}): it has ended" in screen.written
    assert "oomctl: " not in screen.written
    assert {adj_of(process.pid) for process in processes[1:]} == {300}
