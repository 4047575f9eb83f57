"""What a process chooses the length of is read to a bound, and no further."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.measured import measured
from tests.privileges import NOBODY
from tests.proc_tree import ProcTree

pytestmark = [pytest.mark.live, pytest.mark.unprivileged]

CLAIMED_MIB = 256
"""Enough to tell a bound from none; more would only hurt whoever else reads command lines on this machine."""
ENOUGH_MIB = 48


@pytest.fixture(scope="module")
def attacker() -> Iterator[int]:
    """An unprivileged process with an endless command line, which the kernel would take first."""
    script = Path(__file__).with_name("endless.py")
    command = [
        *(NOBODY if os.geteuid() == 0 else ()),
        sys.executable,
        "-I",
        "-c",
        script.read_text(),
        str(CLAIMED_MIB),
        "1000",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
        process.kill()


def test_the_attack_is_one(attacker: int) -> None:
    with open(f"/proc/{attacker}/cmdline", "rb") as file:
        assert sum(len(chunk) for chunk in iter(lambda: file.read(1 << 20), b"")) >= (CLAIMED_MIB << 20) - 1


@pytest.mark.parametrize(
    "argv",
    [
        ("top", "--json"),
        ("top", "--once", "-o", "pid,cmdline"),
        ("top", "--once", "cmd:.", "-n", "5"),
        ("explain", "PID"),
        ("explain", "PID", "--json"),
        ("explain", "cmd:.", "--json"),
        ("simulate",),
        ("simulate", "--json"),
        ("simulate", "--without", "cmd:xyzzy|."),
        ("set", "1000", "cmd:.", "--dry-run"),
        ("snapshot",),
    ],
    ids=" ".join,
)
def test_an_endless_command_line_costs_root_nothing(attacker: int, argv: tuple[str, ...]) -> None:
    ran = measured(*(word.replace("PID", str(attacker)) for word in argv))
    assert "Traceback" not in ran.stderr
    assert ran.status in (0, 1, 3, 6)
    assert ran.peak_mib < ENOUGH_MIB


def test_it_is_still_listed(attacker: int) -> None:
    [process] = json.loads(measured("top", "--json", str(attacker)).stdout)["processes"]
    assert (process["pid"], process["comm"], process["oom_score_adj"]) == (attacker, "endless", 1000)


def endless(path: Path) -> None:
    """Let a file go on with NULs for 4 GiB, which take no room."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.truncate(path, 1 << 32)


@pytest.mark.parametrize(
    "name", ["stat", "status", "cgroup", "cmdline", "comm", "statm", "oom_score", "oom_score_adj", "task/11/children"]
)
@pytest.mark.parametrize(
    "argv", [("top", "--json"), ("top", "-n", "5"), ("simulate",), ("explain", "cmd:.")], ids=" ".join
)
def test_no_file_of_a_process_is_read_without_a_bound(proc_tree: ProcTree, argv: tuple[str, ...], name: str) -> None:
    proc_tree.mount_v2()
    proc_tree.add(10, "quiet", 9000)
    proc_tree.write("10/cmdline", "quiet")
    proc_tree.add(11, "endless", 90_000)
    endless(proc_tree.root / "11" / name)
    ran = measured(*argv, proc=proc_tree.root)
    assert (ran.status, ran.stderr) == (0, "")
    assert "quiet" in ran.stdout
    assert ran.peak_mib < ENOUGH_MIB


@pytest.mark.parametrize(
    "name",
    [
        *("meminfo", "zoneinfo", "stat", "self/mountinfo", "pressure/memory", "sys/kernel/osrelease"),
        *("sys/kernel/random/boot_id", "sys/vm/panic_on_oom", "sys/vm/swappiness"),
    ],
)
@pytest.mark.parametrize("argv", [("top", "--json"), ("simulate", "--nodes", "0"), ("snapshot",)], ids=" ".join)
def test_no_file_of_the_machine_is_read_without_a_bound(proc_tree: ProcTree, argv: tuple[str, ...], name: str) -> None:
    proc_tree.add(10, "quiet", 9000)
    endless(proc_tree.root / name)
    ran = measured(*argv, proc=proc_tree.root)
    assert ran.status == 0 or (ran.status == 7 and ran.stderr.count("\n") == 1)
    assert ran.peak_mib < ENOUGH_MIB + 16


@pytest.mark.parametrize("name", ["memory.max", "memory.current", "memory.stat", "memory.swap.max", "memory.oom.group"])
def test_no_control_file_is_read_without_a_bound(proc_tree: ProcTree, name: str) -> None:
    proc_tree.mount_v2()
    proc_tree.add(10, "quiet", 9000, cgroup="0::/m\n")
    proc_tree.cgroup("/m", (10,), memory__max="4096000\n")
    endless(proc_tree.cgroup_mount / "m" / name)
    for argv in (
        ("top", "--cgroup", "/m"),
        ("simulate", "--cgroup", "/m"),
        ("simulate", "--for", "10"),
        ("snapshot",),
        ("forecast", "--over", "0.3"),
    ):
        ran = measured(*argv, proc=proc_tree.root)
        assert (ran.status, ran.stderr) == (argv[0] == "forecast", "") or "no limit" in ran.stdout
        assert ran.peak_mib < ENOUGH_MIB


def test_a_list_of_members_is_read_to_the_number_of_processes_that_there_can_be(proc_tree: ProcTree) -> None:
    proc_tree.mount_v2()
    proc_tree.add(10, "quiet", 9000, cgroup="0::/m\n")
    proc_tree.cgroup("/m", (10,), memory__max="4096000\n")
    endless(proc_tree.cgroup_mount / "m/cgroup.procs")
    ran = measured("top", "--cgroup", "/m", proc=proc_tree.root)
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.peak_mib < 128
