"""From a container that has the host's /proc and cgroups mounted: the host's answers, or why there are none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.commands.invoke import answered, program
from tests.kernel_live.memcgs import ToyCgroup
from tests.kernel_live.places import HOSTS_PROC, container
from tests.kernel_live.toys import MIB, PAGE, Nursery, Toy
from tests.kernel_live.trials import large_and_small
from tests.processes import Sleeper

pytestmark = pytest.mark.kernel

HOSTS = ("--proc", "/mnt/proc", "--cgroup-root", "/mnt/cgroup")


def adj_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


@pytest.fixture
def toys(nursery: Nursery, cgroup: ToyCgroup) -> tuple[int, int]:
    """A large one and a small one in a cgroup with a limit."""
    return large_and_small(nursery, cgroup)


def test_the_victims_are_those_that_the_host_names(toys: tuple[int, int], cgroup: ToyCgroup, tmp_path: Path) -> None:
    before = container(cgroup.child("container"), tmp_path)
    large, small = toys
    path = f"{cgroup.path}/inner"
    for argv in (("--cgroup", path), ("--for", str(small))):
        here = answered(program("simulate", *argv, "--json"))
        there = answered(program(*HOSTS, "simulate", *argv, "--json", before=before))
        assert here["victim"]["pid"] == there["victim"]["pid"] == large
        assert [there[key] for key in ("outcome", "certainty", "constraint", "memcg", "totalpages")] == [
            here[key] for key in ("outcome", "certainty", "constraint", "memcg", "totalpages")
        ]


def test_who_may_share_the_victims_memory_is_a_doubt_where_it_cannot_be_asked(
    nursery: Nursery, cgroup: ToyCgroup, tmp_path: Path
) -> None:
    before = container(cgroup.child("container"), tmp_path)
    inner = cgroup.child("inner")
    inner.limit_bytes = 64 * MIB
    toy = nursery.start(Toy(inner, pages=8 * MIB // PAGE, sharers=1))
    argv = ("simulate", "--cgroup", inner.path, "--json")
    here, there = answered(program(*argv)), answered(program(*HOSTS, *argv, before=before))
    assert {process["pid"] for process in here["killed"]} == {toy.pid, *toy.sharers}
    assert (here["doubts"], there["certainty"]) == ([], "close")
    (doubt,) = there["doubts"]
    assert doubt["id"] == "unseen_sharers"
    assert doubt["message"].startswith("1 process of the same size may share its memory and die as well")


def test_the_whole_machine_is_listed_without_oomctl_itself(
    toys: tuple[int, int], cgroup: ToyCgroup, tmp_path: Path
) -> None:
    before = container(cgroup.child("container"), tmp_path)
    listed = answered(program("top", "--once", "--json", "-n", "100000", *HOSTS, before=before))["processes"]
    by_pid = {task["pid"]: task for task in listed}
    assert by_pid[toys[0]]["cgroup"] == f"{cgroup.path}/inner"
    own = f"{cgroup.path}/container"
    assert {task["comm"] for task in listed if task["cgroup"] == own} == {"unshare"}  # which waits for oomctl


def test_who_has_ended_is_not_in_the_container(sleeper: Sleeper, cgroup: ToyCgroup, tmp_path: Path) -> None:
    process = sleeper("true")
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
    argv = ("top", str(process.pid), "--json")
    before = container(cgroup.child("container"), tmp_path)
    (here,), (there,) = (answered(ran)["processes"] for ran in (program(*argv), program(*HOSTS, *argv, before=before)))
    assert there["cgroup"] == here["cgroup"] != f"{cgroup.path}/container"


def test_who_is_in_the_container_is_known_by_the_hosts_name_of_its_cgroup(
    nursery: Nursery, cgroup: ToyCgroup, tmp_path: Path
) -> None:
    own = cgroup.child("container")
    own.limit_bytes = 256 * MIB
    toy = nursery.start(Toy(own, pages=4 * MIB // PAGE))
    ran = program(*HOSTS, "simulate", "--for", str(toy.pid), "--json", before=container(own, tmp_path))
    assert (answered(ran)["memcg"], answered(ran)["victim"]["pid"]) == (own.path, toy.pid)


@pytest.mark.parametrize("said", [HOSTS, HOSTS[:2]], ids=["an empty cgroup root", "none"])
def test_without_the_hosts_cgroups_there_is_no_answer_about_them(
    toys: tuple[int, int], cgroup: ToyCgroup, tmp_path: Path, said: tuple[str, ...]
) -> None:
    before = container(cgroup.child("container"), tmp_path, with_cgroups=False)
    why = (
        "cgroup root /mnt/cgroup: no memory cgroups are there; " if said is HOSTS else "no memory controller is mounted"
    )
    for argv in (("--for", str(toys[0])), ("--cgroup", f"{cgroup.path}/inner")):
        ran = program(*said, "simulate", *argv, before=before)
        assert (ran.status, ran.stdout, why in ran.stderr) == (7, "", True), ran


def test_a_value_is_set_and_taken_back_through_the_hosts_proc(
    sleeper: Sleeper, cgroup: ToyCgroup, tmp_path: Path
) -> None:
    pid = sleeper("sleep", "60.5").pid
    root = tmp_path / "root"
    root.mkdir()
    before = container(cgroup.child("container"), root)
    env = {"XDG_STATE_HOME": str(tmp_path)}
    (change,) = answered(program(*HOSTS, "set", "321", str(pid), "--json", before=before, env=env))["changes"]
    assert (change["pid"], change["after"], adj_of(pid)) == (pid, 321, 321)
    answered(program("undo", "--json", *HOSTS, before=before, env=env))
    assert adj_of(pid) == 0
    (again,) = answered(program(*HOSTS, "set", "--json", "321", "cmd:^sleep 60.5$", before=before, env=env))["changes"]
    assert again["pid"] == pid


def test_nothing_is_written_where_nobody_said_that_the_hosts_proc_is_meant(sleeper: Sleeper, tmp_path: Path) -> None:
    pid = sleeper("sleep", "60.5").pid
    policy = tmp_path / "policy.toml"
    policy.write_text('[[rule]]\ntarget = "cmd:^sleep 60.5$"\nadj = 321\nreason = "a test"\n')
    env = {"XDG_STATE_HOME": str(tmp_path)}
    for status, *argv in (
        (7, "set", "321", str(pid)),  # as of explain: the number means nothing here
        (6, "set", "321", "sleep"),
        (6, "sacrifice", "cmd:^sleep 60.5$", "--force"),
        (6, "policy", "apply", "-f", str(policy)),
        (6, "undo"),
    ):
        ran = program(*argv, before=HOSTS_PROC, env=env)
        assert (ran.status, ran.stdout) == (status, ""), ran
        assert ran.stderr.startswith("oomctl: /proc is that of another PID namespace, ")
    assert adj_of(pid) == 0
    assert program("set", "321", str(pid), "--proc", "/proc", before=HOSTS_PROC, env=env).status == 0
    assert adj_of(pid) == 321


@pytest.mark.parametrize(("options", "user"), [((), "toor"), (("--proc", "/proc"), "0")], ids=["here", "its place"])
def test_users_have_no_name_in_a_place_whose_files_are_others(
    tmp_path: Path, options: tuple[str, ...], user: str
) -> None:
    """As in a pod that has its node's PIDs."""
    passwd = tmp_path / "passwd"
    passwd.write_text("toor:x:0:0::/:/bin/sh\n")
    other_files = 'unshare -m sh -ec \'mount --bind "$0" /etc/passwd; exec "$@"\' "$0" "$@"; exit $?'
    before = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", other_files, str(passwd))
    listed = answered(program("top", "--once", "--json", *options, before=before))["processes"]
    assert [task["user"] for task in listed if task["pid"] == 1] == [user]


def test_processes_are_not_started_where_they_have_other_numbers() -> None:
    ran = program("selftest", "--proc", "/proc", before=HOSTS_PROC)
    assert (ran.status, ran.stderr) == (
        7,
        "oomctl: selftest: /proc has other numbers than here for the processes that it starts\n",
    )
