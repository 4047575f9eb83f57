"""Which /proc and which cgroups are meant: as the command line says, else the environment, else this place's own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from oomctl.cli.main import cli
from oomctl.errors import ImpossibleHere, Refused
from oomctl.guard.elsewhere import said
from oomctl.procfs.cgrouproot import mount_at
from oomctl.procfs.machine import machine_procfs
from tests.commands.invoke import Ran, ask
from tests.privileges import needs_root
from tests.proc_tree import ProcTree
from tests.runner import runner


@pytest.fixture(autouse=True)
def nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    said.begin()
    for variable in ("OOMCTL_PROC", "OOMCTL_CGROUP_ROOT"):
        monkeypatch.delenv(variable, raising=False)


def victim(*argv: str, **env: str) -> str:
    return runner().invoke(cli, [*argv], env=env, prog_name="oomctl").stdout.partition(" would die")[0]


@pytest.fixture
def trees(tmp_path: Path) -> tuple[str, str]:
    """Two places, with PID 7 in one and 8 in the other."""
    roots = []
    for pid in (7, 8):
        tree = ProcTree(tmp_path / str(pid))
        tree.add(pid, "big", 1000)
        roots.append(str(tree.root))
    return roots[0], roots[1]


@pytest.mark.parametrize("behind", [False, True], ids=["before the command", "behind it"])
def test_the_command_line_comes_before_the_variable(trees: tuple[str, str], behind: bool) -> None:
    named, other = trees
    words = ["simulate", "--proc", named] if behind else ["--proc", named, "simulate"]
    assert victim(*words, OOMCTL_PROC=other) == "7 (big)"
    assert victim("simulate", OOMCTL_PROC=other) == "8 (big)"  # a run says nothing for the next one


def test_an_empty_variable_names_nothing_and_an_empty_word_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OOMCTL_PROC", "")
    assert machine_procfs().root == "/proc"
    assert runner().invoke(cli, ["--proc", "", "simulate"]).exit_code == 2


@needs_root
@pytest.mark.parametrize("variable", ["OOMCTL_PROC", "OOMCTL_CGROUP_ROOT"])
def test_a_variable_does_not_lead_root_where_others_have_a_hand(
    trees: tuple[str, str], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, trees[0])
    assert machine_procfs()
    os.chown(trees[0], 54321, -1)
    with pytest.raises(Refused, match=f"^{variable} names .* say --"):
        machine_procfs()
    os.chown(trees[0], 0, -1)
    monkeypatch.setenv(variable, f"/proc/self/root{trees[0]}")
    assert machine_procfs()  # where it leads is where its text says
    said.proc, said.cgroup_root = trees
    assert machine_procfs().root == trees[0]


def cgroup_root(proc_tree: ProcTree, root: Path | str, *argv: str) -> Ran:
    return ask(proc_tree, "--cgroup-root", str(root), *argv)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("name", ["", "/memory", "/unified"])
def test_the_cgroup_root_tells_which_version_it_is(
    proc_tree: ProcTree, tmp_path: Path, version: int, name: str
) -> None:
    """The hierarchy itself, or the directory of all hierarchies; both versions as plain directories."""
    if (version, name) in ((1, "/unified"), (2, "/memory")):
        name = ""
    place = tmp_path / "cg"
    pod = place / name.strip("/") / "pod"
    pod.mkdir(parents=True)
    (pod / "cgroup.procs").write_text("7\n")
    (pod / "tasks").write_text("7\n")
    (pod / ("memory.limit_in_bytes" if version == 1 else "memory.max")).write_text("40960000\n")
    head = ("memory.limit_in_bytes", "9223372036854771712\n") if version == 1 else ("cgroup.controllers", "memory\n")
    (pod.parent / head[0]).write_text(head[1])
    if version == 1:
        (pod.parent / "cgroup.sane_behavior").write_text("0\n")
    path = "4:memory:/pod\n" if version == 1 else "0::/pod\n"
    proc_tree.add(7, "big", 1000, cgroup=path)
    proc_tree.add(8, "bigger", 9000)
    for argv in (["--cgroup", "/pod"], ["--for", "7"]):
        ran = cgroup_root(proc_tree, place, "simulate", *argv)
        assert ran.stdout.startswith("7 (big) would die"), ran
        assert "the memory cgroup /pod hits its limit" in ran.stdout


@needs_root
def test_a_cgroup_root_that_may_not_be_looked_into_is_said_to_be_that(tmp_path: Path) -> None:
    (closed := tmp_path / "cg").mkdir()
    tmp_path.chmod(0)
    os.seteuid(65534)
    try:
        with pytest.raises(ImpossibleHere, match="Permission denied; this user may not look into it"):
            mount_at(str(closed), "/proc")
    finally:
        os.seteuid(0)
        tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, "no memory cgroups are there"),
        ({"cgroup.controllers": "cpu pids\n"}, "no memory controller is in its cgroup.controllers"),
    ],
)
def test_a_cgroup_root_without_memory_is_told_with_status_7(
    proc_tree: ProcTree, tmp_path: Path, files: dict[str, str], why: str
) -> None:
    proc_tree.add(7, "big", 1000)
    place = tmp_path / "cg"
    assert cgroup_root(proc_tree, place, "simulate").stderr == f"oomctl: cgroup root {place}: no such directory\n"
    place.mkdir()
    for name, text in files.items():
        (place / name).write_text(text)
    for argv in (["simulate"], ["simulate", "--for", "7"], ["simulate", "--cgroup", "/pod"], ["top", "--once"]):
        ran = cgroup_root(proc_tree, place, *argv)
        assert (ran.status, ran.stdout) == (7, ""), ran
        assert ran.stderr == f"oomctl: cgroup root {place}: {why}; name what /sys/fs/cgroup is on the host\n"


def test_paths_out_of_a_namespace_have_the_hosts_names_below_its_cgroup_root(proc_tree: ProcTree) -> None:
    proc_tree.mount_v2(root="/../..")
    proc_tree.write("self/cgroup", "0::/\n")
    proc_tree.cgroup("/a", (7,), memory__max="40960000\n")
    proc_tree.add(7, "big", 1000, cgroup="0::/../../a\n")
    for name in ("/a", "/../../a", f"{proc_tree.cgroup_mount}/a"):
        ran = cgroup_root(proc_tree, proc_tree.cgroup_mount, "simulate", "--cgroup", name)
        assert "the memory cgroup /a hits its limit" in ran.stdout, ran
    assert "/a hits" in cgroup_root(proc_tree, proc_tree.cgroup_mount, "simulate", "--for", "7").stdout


def test_a_cgroup_below_ones_own_namespace_is_found_only_by_being_in_it(proc_tree: ProcTree) -> None:
    """Its ``/app`` is the host's ``/pods/x/app``, never the host's ``/app``."""
    proc_tree.mount_v2(root="/../..")
    proc_tree.write("self/cgroup", "0::/\n")
    for path in ("/app", "/pods", "/pods/w", "/pods/w/app", "/pods/x", "/pods/x/app"):
        proc_tree.cgroup(path, memory__max="40960000\n")
    proc_tree.add(7, "big", 1000, cgroup="0::/app\n")
    unknown = cgroup_root(proc_tree, proc_tree.cgroup_mount, "simulate", "--for", "7")
    assert (unknown.status, unknown.stdout) == (7, "")
    proc_tree.cgroup("/pods/x", (os.getpid(),))
    proc_tree.cgroup("/pods/x/app", (7,))
    proc_tree.cgroup("/pods/w/app", (8,))
    proc_tree.add(8, "beside", 1000, cgroup="0::/../w/app\n")
    beside = cgroup_root(proc_tree, proc_tree.cgroup_mount, "simulate", "--for", "8")
    assert "the memory cgroup /pods/w/app hits its limit" in beside.stdout
    found = cgroup_root(proc_tree, proc_tree.cgroup_mount, "simulate", "--for", "7")
    assert "the memory cgroup /pods/x/app hits its limit" in found.stdout
