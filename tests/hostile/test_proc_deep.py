"""Cgroups nested, named and numbered as whoever may make them likes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.commands.invoke import ask
from tests.proc_tree import ProcTree, memcgs_of, pids_by_cgroup

DEPTH = 1200  # deeper than functions may be nested


@contextmanager
def nested(top: Path, name: str, depth: int) -> Iterator[int]:
    """Directories in directories, as far as no path reaches; a descriptor of the innermost."""
    inside = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=inside)
        deeper = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=inside)
        os.close(inside)
        inside = deeper
    try:
        yield inside
        for _ in range(depth):  # pytest's own removal recurses
            above = os.open("..", os.O_RDONLY | os.O_DIRECTORY, dir_fd=inside)
            os.close(inside)
            inside = above
            for entry in os.listdir(deeper := os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=inside)):
                os.unlink(entry, dir_fd=deeper)
            os.close(deeper)
            os.rmdir(name, dir_fd=inside)
    finally:
        os.close(inside)


def put(directory: int, name: str, text: str) -> None:
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644, dir_fd=directory)
    os.write(descriptor, text.encode())
    os.close(descriptor)


@pytest.mark.parametrize("name", ["a", "long" * 50], ids=["short names", "long names"])
def test_members_are_found_at_any_depth(proc_tree: ProcTree, name: str) -> None:
    proc_tree.mount_v2()
    proc_tree.add(10, "deep", 9000)
    top = proc_tree.cgroup("/m", (), memory__max="409600000\n")
    with nested(top, name, DEPTH) as innermost:
        put(innermost, "cgroup.procs", "10\n")
        put(innermost, "memory.oom.group", "1\n")
        memcgs = memcgs_of(proc_tree.procfs())
        found = pids_by_cgroup(memcgs, "/m")
        path = "/m" + f"/{name}" * DEPTH
        shown = "/m" + f"/{name}" * min(DEPTH, (4096 - 2) // (len(name) + 1))
        assert found[-1] == (shown, [10])
        assert len(found) == DEPTH + 1
        assert memcgs.kills_as_group(path)
        assert memcgs.resolve(path) == path
        assert [len(memcgs.ancestors(path)), memcgs.ancestors(path)[-1]] == [DEPTH + 2, "/"]
        ran = ask(proc_tree, "top", "--cgroup", "/m", "--json")
        assert [process["comm"] for process in json.loads(ran.stdout)["processes"]] == ["deep"]


def test_the_limits_above_a_process_are_found_at_any_depth(proc_tree: ProcTree) -> None:
    """A path longer than /proc/PID/cgroup shows is unknown; one that it just shows is not."""
    path = "/m" + "/a" * 2000
    proc_tree.mount_v2()
    proc_tree.add(10, "deep", 9000, cgroup=f"0::{path}\n")
    top = proc_tree.cgroup("/m", (), memory__max="409600000\n")
    with nested(top, "a", 2000) as innermost:
        put(innermost, "cgroup.procs", "10\n")
        put(innermost, "memory.max", "4096000\n")
        ran = ask(proc_tree, "simulate", "--for", "10", "--json")
        assert json.loads(ran.stdout)["memcg"] == path


@pytest.mark.parametrize("name", ["a b", "a:b", "0::", "a (deleted)x", "[red]", "-n", "\N{RIGHT-TO-LEFT OVERRIDE}x"])
def test_a_cgroup_of_any_name_is_one(proc_tree: ProcTree, name: str) -> None:
    proc_tree.mount_v2()
    proc_tree.add(10, "inside", 9000, cgroup=f"0::/m/{name}\n")
    proc_tree.cgroup("/m")
    proc_tree.cgroup(f"/m/{name}", (10,), memory__max="409600000\n")
    assert pids_by_cgroup(memcgs_of(proc_tree.procfs()), "/m") == [("/m", []), (f"/m/{name}", [10])]
    for argv in (["top", "--cgroup", f"/m/{name}"], ["simulate", "--for", "10"], ["explain", "10"]):
        ran = ask(proc_tree, *argv)
        assert (ran.status, ran.stderr) == (0, "")
        assert all(char.isprintable() or char == "\n" for char in ran.stdout)


def test_thousands_of_cgroups_are_read_one_after_the_other(proc_tree: ProcTree) -> None:
    proc_tree.mount_v2()
    proc_tree.add(10, "inside", 9000)
    top = proc_tree.cgroup("/m", (10,), memory__max="409600000\n")
    for number in range(3000):
        (top / str(number)).mkdir()
    members = memcgs_of(proc_tree.procfs()).members("/m")
    assert next(members)[:2] == ("/m", [10])
    assert sum(1 for _ in members) == 3000
