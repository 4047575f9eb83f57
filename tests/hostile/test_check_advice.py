"""What ``check`` advises root to do: nobody earns protection or memory by it, whatever he calls himself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.audit.situations import check
from tests.proc_tree import ProcTree

ANN = 54321


@pytest.fixture
def machine(proc_tree: ProcTree) -> ProcTree:
    proc_tree.mount_v2()
    proc_tree.add(1, "systemd", 300, score=0, uid=0, ppid=0)
    proc_tree.add(10, "database", 400_000, uid=0)
    return proc_tree


def about(tree: ProcTree, check_id: str, *words: str) -> dict[str, Any]:
    (finding,) = check(tree, "--only", check_id, *words)[1]
    return finding


def test_who_calls_himself_postgres_is_no_postmaster(machine: ProcTree) -> None:
    machine.add(20, "postgres", uid=ANN)
    assert check(machine, "--only", "postgres-unguarded")[1] == []


def test_who_calls_himself_precious_gets_no_protection_and_calls_nobody(machine: ProcTree) -> None:
    machine.add(20, "mysqld", 700_000, uid=ANN)
    finding = about(machine, "precious-next", "--precious", "mysqld")
    assert (finding["severity"], finding["remedy"]) == ("warning", None)
    assert finding["message"].endswith("it belongs to another than root, and anybody can use that name")


def test_a_number_of_the_old_scale_is_not_made_a_protection(machine: ProcTree) -> None:
    machine.add(20, "daemon", adj=-17, uid=ANN)
    assert about(machine, "old-scale")["remedy"] == "oomctl reset 20"


def test_who_is_in_the_way_is_not_protected_for_it(machine: ProcTree) -> None:
    machine.add(11, "large", 600_000, adj=-600, uid=0)
    machine.add(10, "database", 10, uid=0)
    machine.add(20, "tiny", 20, uid=ANN)
    assert about(machine, "futile-victim")["remedy"] is None


def test_a_full_login_gets_no_more_memory(machine: ProcTree) -> None:
    machine.add(20, "hog", uid=ANN)
    full = {"memory__max": "819200000\n", "memory__current": "819200000\n", "memory__stat": "", "memory__high": "max\n"}
    machine.cgroup("/user.slice")
    machine.cgroup("/user.slice/user-54321.slice", (20,), **full)
    directory = f"{machine.cgroup_mount}/user.slice/user-54321.slice"
    assert about(machine, "limit-near")["remedy"] == f"echo 737280000 > {directory}/memory.high"


@pytest.mark.parametrize("cgroup", ["/user.slice/user-54321.slice", "/app.slice"])
def test_a_heap_of_any_size_gets_no_more_memory(machine: ProcTree, cgroup: str) -> None:
    machine.add(20, "java", uid=ANN, cgroup=f"0::{cgroup}\n")
    machine.write("20/cmdline", "java\0-Xmx999t\0")
    machine.cgroup("/user.slice")
    machine.cgroup(cgroup, (20,), memory__max="819200000\n", memory__stat="")
    assert about(machine, "java-heap")["remedy"] is None
