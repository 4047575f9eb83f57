"""What a name earns: who is lowered by it, who is left alone, and what is said."""

from __future__ import annotations

import pytest

from oomctl.model.kernel import Task
from oomctl.render import refusals
from oomctl.targets.selection import Scope, Selection, select
from oomctl.targets.trust import UnitFacts
from oomctl.targets.words import Target, TargetKind, parse_target
from tests.privileges import needs_root
from tests.proc_tree import CONTAINER, ProcTree

ANY_USER = "(--any-user takes it)"


def chosen(
    proc_tree: ProcTree, word: str, adj: int = -500, units: dict[str, UnitFacts] | None = None, **scope: bool
) -> Selection:
    procfs = proc_tree.procfs()
    return select([parse_target(word)], procfs.tasks().read, procfs, adj, Scope(**scope), units)


def lowered(proc_tree: ProcTree, word: str, **how: object) -> list[int]:
    return [task.pid for task in chosen(proc_tree, word, **how).meant]  # type: ignore[arg-type]


def why_not(proc_tree: ProcTree, word: str, **how: object) -> str:
    [entry] = chosen(proc_tree, word, **how).left_alone  # type: ignore[arg-type]
    assert entry.distrusted
    return refusals.left_alone(entry.reason)


@needs_root
def test_a_program_of_root_is_lowered_by_its_name_and_by_that_of_its_file(proc_tree: ProcTree) -> None:
    proc_tree.add(10, "postgres", uid=0)
    proc_tree.add(11, "renamed", uid=0, exe=proc_tree.program("database"))
    assert lowered(proc_tree, "postgres") == [10]
    assert lowered(proc_tree, "database") == [11]


@needs_root
def test_a_system_user_s_process_is_lowered_by_the_name_of_its_file(proc_tree: ProcTree) -> None:
    proc_tree.add(10, "postgres", uid=112, exe=proc_tree.program("postgres"))
    assert lowered(proc_tree, "postgres") == [10]
    assert lowered(proc_tree, "post*") == [10]


@needs_root
def test_a_system_user_s_process_that_only_calls_itself_so_is_not(proc_tree: ProcTree) -> None:
    path = proc_tree.program("worker")
    proc_tree.add(10, "postgres", uid=33, exe=path)
    assert why_not(proc_tree, "postgres").endswith(f" and only calls itself so; it runs {path} {ANY_USER}")
    assert lowered(proc_tree, "postgres", any_user=True) == [10]


@pytest.mark.parametrize("kind", ["pid", "user"])
def test_root_of_a_container_is_not_lowered_by_its_name(proc_tree: ProcTree, kind: str) -> None:
    proc_tree.add(10, "postgres", uid=0, namespaces=CONTAINER | {kind: CONTAINER[kind]})
    assert why_not(proc_tree, "postgres") == f"is in another PID or user namespace, as in a container {ANY_USER}"
    assert lowered(proc_tree, "postgres", any_user=True) == [10]
    assert lowered(proc_tree, "10") == [10]


def test_a_file_of_another_root_directory_is_not_this_system_s(proc_tree: ProcTree) -> None:
    """A container that shares the namespaces of the host has files of its own under the same paths."""
    path = proc_tree.program("postgres")
    proc_tree.add(10, "postgres", uid=0, exe=path)
    (proc_tree.root / "10/exe").unlink()
    (proc_tree.root / "10/exe").symlink_to("/no/such/postgres")
    assert "its executable" in why_not(proc_tree, "postgres")


def test_an_executable_that_others_may_write_proves_nothing(proc_tree: ProcTree) -> None:
    path = proc_tree.program("postgres", 0o775)
    proc_tree.add(10, "postgres", uid=0, exe=path)
    expected = f"its executable {path} can be changed by others than root {ANY_USER}"
    assert why_not(proc_tree, "postgres") == expected


@needs_root
def test_a_set_user_id_program_is_started_by_anybody_under_any_name(proc_tree: ProcTree) -> None:
    path = proc_tree.program("sudo", 0o4755)
    proc_tree.add(10, "postgres", uid=0, exe=path)
    expected = f"its executable {path} is set-user-ID: any user starts it, under any name {ANY_USER}"
    assert why_not(proc_tree, "postgres") == expected
    assert why_not(proc_tree, "sudo") == expected


def test_what_cannot_be_seen_is_not_trusted(proc_tree: ProcTree) -> None:
    proc_tree.add(10, "postgres", uid=0, exe=None)
    assert why_not(proc_tree, "postgres").startswith("its executable cannot be seen from here")


def test_a_command_line_says_what_its_process_wants(proc_tree: ProcTree) -> None:
    proc_tree.add(10, "java", uid=112, exe=proc_tree.program("java"))
    proc_tree.add(11, "java", uid=0)
    for pid in (10, 11):
        proc_tree.write(f"{pid}/cmdline", b"java\0-jar\0app.jar\0")
    assert lowered(proc_tree, "cmd:app.jar") == [11]
    assert "can write any command line for itself" in why_not(proc_tree, "cmd:app.jar")


@pytest.mark.parametrize("word", ["10", "user:33", "cgroup:/app"])
def test_a_pid_an_owner_and_a_cgroup_are_meant_as_they_are_said(proc_tree: ProcTree, word: str) -> None:
    proc_tree.mount_v2()
    proc_tree.cgroup("/app")
    proc_tree.add(10, "postgres", uid=33, exe=None, namespaces=CONTAINER, cgroup="0::/app\n")
    assert lowered(proc_tree, word) == [10]


def test_raising_asks_nobody_what_he_is(proc_tree: ProcTree) -> None:
    proc_tree.add(10, "postgres", uid=33, exe=None, namespaces=CONTAINER)
    proc_tree.add(11, "postgres", uid=54321)
    assert lowered(proc_tree, "postgres", adj=500) == [10, 11]


def test_a_tree_does_not_reach_into_containers_and_logins(proc_tree: ProcTree) -> None:
    proc_tree.add(10, "runtime", uid=0)
    proc_tree.add(11, "shim", uid=0, ppid=10)
    proc_tree.add(12, "postgres", uid=0, ppid=11, namespaces=CONTAINER)
    proc_tree.add(13, "bash", uid=54321, ppid=11)
    assert lowered(proc_tree, "runtime", tree=True) == [10, 11]
    assert lowered(proc_tree, "10", tree=True) == [10, 11, 12, 13]


SYSTEM = "0::/system.slice/db.service\n"
USERS = "0::/user.slice/user-54321.slice/user@54321.service/app.slice/db.service\n"


@pytest.mark.parametrize(
    ("cgroup", "unit", "belongs"),
    [
        pytest.param(SYSTEM, "db.service", True, id="the system's"),
        pytest.param("0::/system.slice/db.service/worker\n", "db.service", True, id="below it"),
        pytest.param("0::/a.slice/a-b.slice/db.service\n", "db.service", True, id="slices in slices"),
        pytest.param("0::/db.service\n", "db.service", True, id="at the top"),
        pytest.param("1:name=systemd:/system.slice/db.service\n0::/\n", "db.service", True, id="v1"),
        pytest.param(USERS, "db.service", False, id="a user's own"),
        pytest.param("0::/docker/abc/system.slice/db.service\n", "db.service", False, id="a container's"),
        pytest.param("0::/machine.slice/c.scope/system.slice/db.service\n", "db.service", False, id="a machine's"),
        pytest.param("0::/user.slice/user-54321.slice/session-2.scope\n", "user.slice", True, id="a slice"),
        pytest.param("0::/docker/user.slice/x\n", "user.slice", False, id="a container's slice"),
    ],
)
def test_a_unit_is_the_system_manager_s(proc_tree: ProcTree, cgroup: str, unit: str, belongs: bool) -> None:
    proc_tree.add(10, "db", uid=54321, cgroup=cgroup)
    assert lowered(proc_tree, unit) == [10] * belongs
    assert lowered(proc_tree, unit, adj=500) == [10]
    if not belongs:
        assert f"which is not that of the system's service manager's {unit}" in why_not(proc_tree, unit)
        assert lowered(proc_tree, unit, any_user=True) == [10]


def test_where_systemd_answers_a_unit_is_in_the_cgroup_that_it_says(proc_tree: ProcTree) -> None:
    proc_tree.add(10, "db", uid=0, cgroup=SYSTEM)
    proc_tree.add(11, "db", uid=0, cgroup="0::/system.slice/other.slice/db.service\n")
    facts = {"db.service": UnitFacts(cgroup="/system.slice/db.service")}
    assert lowered(proc_tree, "db.service", units=facts) == [10]


def test_below_the_cgroup_of_a_container_s_own_systemd_units_are_units(proc_tree: ProcTree) -> None:
    """A container without a cgroup namespace sees the paths of the host."""
    proc_tree.add(1, "systemd", uid=0, ppid=0, cgroup="0::/lxc/web/init.scope\n", namespaces=CONTAINER)
    proc_tree.add(10, "db", uid=0, cgroup="0::/lxc/web/system.slice/db.service\n")
    proc_tree.add(11, "db", uid=0, cgroup="0::/lxc/other/system.slice/db.service\n")
    assert lowered(proc_tree, "db.service") == [10]
    assert lowered(proc_tree, "db.service", units={"db.service": UnitFacts(cgroup="/system.slice/db.service")}) == [10]


def test_user_units_are_meant_by_user(proc_tree: ProcTree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 54321)
    proc_tree.add(10, "db", uid=54321, cgroup=USERS)
    proc_tree.add(11, "db", uid=0, cgroup=SYSTEM)
    assert lowered(proc_tree, "db.service", own_units=True) == [10]


def test_what_is_not_seen_of_a_document_is_only_the_owner() -> None:
    tasks = [Task(10, "db", uid=33), Task(11, "db", uid=54321)]
    found = select([Target("db", TargetKind.NAME, "db")], tasks, None, -1, Scope())
    assert [task.pid for task in found.meant] == [10]
