"""All memory cgroups with a limit, in one walk whatever somebody nests."""

from __future__ import annotations

from oomctl.model.audit import Group
from oomctl.procfs.groups import groups
from tests.proc_tree import ProcTree, memcgs_of


def read(tree: ProcTree) -> dict[str, Group]:
    procfs = tree.procfs()
    return {group.path: group for group in groups(procfs, memcgs_of(procfs))}


def test_those_with_a_limit_are_there_with_everybody_below(proc_tree: ProcTree) -> None:
    proc_tree.mount_v2()
    proc_tree.cgroup("/a", (10,), memory__max="409600\n", memory__current="400000\n", memory__stat="")
    proc_tree.cgroup("/a/b", (11,), memory__max="max\n")
    proc_tree.cgroup("/a/b/c", (12,), memory__max="204800\n", memory__high="100000\n", memory__stat="")
    proc_tree.cgroup("/d", (13,), memory__max="max\n")
    found = read(proc_tree)
    assert {path: group.pids for path, group in found.items()} == {"/a": (10, 11, 12), "/a/b/c": (12,)}
    assert (found["/a"].limit, found["/a"].used, found["/a"].has_high) == (409600, 400000, False)
    assert found["/a/b/c"].has_high


def test_what_reclaim_can_drop_is_not_used(proc_tree: ProcTree) -> None:
    proc_tree.mount_v2()
    stat = "anon 300\nactive_file 1000\ninactive_file 200\nslab_reclaimable 30\n"
    proc_tree.cgroup("/a", (10,), memory__max="409600\n", memory__current="4096\n", memory__stat=stat)
    assert read(proc_tree)["/a"].used == 4096 - 1230


def test_a_group_without_a_limit_is_there_for_its_fate(proc_tree: ProcTree) -> None:
    proc_tree.mount_v2()
    proc_tree.cgroup("/a", (10,), memory__max="max\n", memory__oom__group="1\n", memory__stat="")
    found = read(proc_tree)["/a"]
    assert (found.limit, found.kills_as_one) == (None, True)


def test_a_process_counts_for_the_innermost_of_those_it_is_in(proc_tree: ProcTree) -> None:
    proc_tree.mount_v2()
    path = ""
    for number in range(60):
        path += f"/{number}" + "x" * 60
        proc_tree.cgroup(path, (number + 10,), memory__max="409600\n", memory__stat="")
    found = read(proc_tree)
    assert len(found) == 60
    assert max(len(group.pids) for group in found.values()) == 32
    assert read(proc_tree)[path].pids == (69,)
