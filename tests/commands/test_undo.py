"""undo: back to what was there, in the same processes, and a word on everything that cannot be put back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from oomctl.changes.journal import Journal
from tests.commands.invoke import ROOT, Ran, ask, program
from tests.privileges import NOBODY, READ_ONLY, needs_root
from tests.proc_tree import ProcTree, adjs
from tests.processes import Sleeper, adj_of


def undone(proc_tree: ProcTree, *argv: str) -> Ran:
    """Run undo, and leave the moment of the change out of what it says."""
    ran = ask(proc_tree, "undo", *argv)
    first, newline, rest = ran.stdout.partition("\n")
    return ran._replace(stdout=first[: first.rfind(" (")] + newline + rest)


def test_the_values_that_were_replaced_come_back(server: ProcTree) -> None:
    assert ask(server, "set", "500", "11", "java").status == 0
    assert adjs(server, 11, 20) == [500, 500]
    assert undone(server) == Ran(
        0,
        "undo of: set 500 11 java\n"
        "11 (postgres): oom_score_adj 500 -> 0, rank 2 -> rank 2\n"
        "20 (java): oom_score_adj 500 -> 0, rank 1 -> rank 1\n"
        "next victim: 20 (java), as before\n",
        "",
    )
    assert adjs(server, 11, 20) == [0, 0]


def test_a_dry_run_says_the_same_and_can_be_repeated(server: ProcTree) -> None:
    ask(server, "sacrifice", "20")
    for _ in range(2):
        ran = undone(server, "--dry-run")
        assert ran.status == 0
        assert ran.stdout.splitlines()[1].startswith("20 (java): oom_score_adj would go 1000 -> 0, rank 1 -> rank 1")
        assert adjs(server, 20) == [1000]


def test_undo_again_goes_one_change_further_back(server: ProcTree) -> None:
    for adj in ("100", "200"):
        ask(server, "set", adj, "20")
    for expected in (100, 0):
        assert undone(server).status == 0
        assert adjs(server, 20) == [expected]
    ran = undone(server)
    assert (ran.status, ran.stdout) == (1, "")
    assert ran.stderr.startswith("oomctl: undo: no change is recorded in /")


def test_what_changed_nothing_is_nothing_to_undo(server: ProcTree) -> None:
    ask(server, "set", "300", "20")
    ask(server, "set", "300", "20")
    ask(server, "set", "400", "20", "--dry-run")
    ask(server, "protect", "1")
    assert undone(server).status == 0
    assert adjs(server, 20) == [0]


def test_the_document_is_like_that_of_set_and_says_what_is_undone(server: ProcTree) -> None:
    ask(server, "sacrifice", "20")
    document = json.loads(ask(server, "undo", "--json").stdout)
    assert document["schema"] == "oomctl.undo/1"
    assert document["undone"]["what"] == "sacrifice 20"
    [change] = document["changes"]
    assert [change[name] for name in ("pid", "before", "after", "status", "reason")] == [20, 1000, 0, "changed", None]
    assert document.keys() >= {"left_alone", "victim_before", "victim_after"}


def test_who_ended_is_named_and_the_others_come_back(server: ProcTree) -> None:
    ask(server, "set", "500", "11", "java")
    (server.root / "11").rename(server.root / "ended")
    ran = undone(server)
    assert (ran.status, ran.stderr) == (3, "oomctl: 11 (postgres): it has ended\n")
    assert adjs(server, 20) == [0]
    assert undone(server).status == 1


def test_whoever_took_over_a_pid_is_not_touched(server: ProcTree) -> None:
    ask(server, "set", "500", "20")
    server.add(20, "other", adj=500, start=99)
    ran = undone(server)
    assert (ran.status, ran.stderr) == (
        5,
        "oomctl: 20 (java): its PID now belongs to another process; it was not touched\n",
    )
    assert adjs(server, 20) == [500]


def test_what_something_else_has_set_since_stays(server: ProcTree) -> None:
    ask(server, "set", "500", "20")
    server.write("20/oom_score_adj", "300\n")
    ran = undone(server)
    reason = "something else has set it to 300 since; oomctl set 0 20 overrides that"
    assert (ran.status, ran.stderr) == (6, f"oomctl: 20 (java): {reason}\n")
    assert adjs(server, 20) == [300]


def test_what_is_back_already_is_no_change(server: ProcTree) -> None:
    ask(server, "set", "500", "20")
    server.write("20/oom_score_adj", "0\n")
    ran = undone(server)
    assert ran.status == 0
    assert ran.stdout.splitlines()[1] == "20 (java): oom_score_adj is 0 already, rank 1"


def test_a_change_before_the_last_boot_is_over(server: ProcTree) -> None:
    ask(server, "set", "500", "20")
    server.write("sys/kernel/random/boot_id", "another\n")
    ran = undone(server)
    reason = "the last change was before this machine was started, and its processes are gone"
    assert (ran.status, ran.stderr) == (1, f"oomctl: undo: {reason}\n")
    assert adjs(server, 20) == [500]


def test_a_damaged_journal_is_an_empty_one(server: ProcTree, state_home: Path) -> None:
    ask(server, "set", "500", "20")
    (state_home / "oomctl" / "journal").write_bytes(b"\0" * 4096)
    assert undone(server).status == 1


def test_a_change_that_cannot_be_recorded_is_made_and_said(server: ProcTree, state_home: Path) -> None:
    (state_home / "oomctl").write_text("a file")
    ran = ask(server, "set", "500", "20")
    assert ran.status == 0
    path = state_home / "oomctl" / "journal"
    assert ran.stderr == f"oomctl: the change was made, but undo will not know of it: {path}: File exists\n"
    assert adjs(server, 20) == [500]


@pytest.mark.live
def test_real_values_come_back(sleeper: Sleeper) -> None:
    pid = sleeper().pid
    assert program("set", "500", str(pid)).status == 0
    ran = program("undo")
    assert (ran.status, ran.stderr) == (0, "")
    assert f"{pid} (sleep): oom_score_adj 500 -> 0, rank " in ran.stdout
    assert adj_of(pid) == 0


@pytest.mark.live
@needs_root
def test_what_is_denied_now_can_be_undone_later(sleeper: Sleeper) -> None:
    pid = sleeper().pid
    program("set", "500", str(pid))
    ran = program("undo", before=READ_ONLY)
    assert ran.status == 4
    assert "/proc is mounted read-only" in ran.stderr
    assert adj_of(pid) == 500
    assert program("undo").status == 0
    assert adj_of(pid) == 0


@pytest.mark.unprivileged
@pytest.mark.live
@needs_root
def test_each_user_undoes_their_own(sleeper: Sleeper, state_home: Path) -> None:
    """A plain user's change is in no journal of root's; here both would be in one place, so it is refused."""
    pid = sleeper(*NOBODY, "sleep", "60").pid
    assert program("set", "500", str(pid), before=NOBODY).status == 0
    ran = program("undo")
    assert ran.status == 4
    assert f"{state_home}/oomctl: others than you (uid 0) can write there" in ran.stderr
    assert program("undo", before=NOBODY).status == 0
    assert adj_of(pid) == 0


REUSE = """
import subprocess, sys, time
from pathlib import Path

def oomctl(*words):
    # In this very process, so that no PID is used up.
    from tests.runner import runner
    from oomctl.cli.main import cli
    return runner().invoke(cli, words)

first = subprocess.Popen(["sleep", "60"])
assert oomctl("set", "500", str(first.pid)).exit_code == 0
first.kill()
first.wait()
time.sleep(0.05)  # a clock tick is 0.01 s
Path("/proc/sys/kernel/ns_last_pid").write_text(str(first.pid - 1))
second = subprocess.Popen(["oomctl-test-500", "60"], executable="/bin/sleep")
assert second.pid == first.pid, "the PID was not reused"
Path(f"/proc/{second.pid}/oom_score_adj").write_text("500")
ran = oomctl("undo")
print(ran.exit_code, Path(f"/proc/{second.pid}/oom_score_adj").read_text().strip())
print(ran.stderr.strip())
second.kill()
second.wait()
"""


@pytest.mark.live
@needs_root
def test_a_pid_that_is_really_reused_is_not_undone() -> None:
    in_namespace = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", REUSE]
    ran = subprocess.run(in_namespace, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert ran.stderr == ""
    first, second = ran.stdout.splitlines()
    assert first == "5 500"
    assert second.endswith("now belongs to another process; it was not touched")


def test_the_journal_of_the_tests_is_their_own(state_home: Path) -> None:
    assert Journal.of_user().directory == os.path.join(state_home, "oomctl")
