"""Parts of the hierarchy: what lies outside of what is mounted here is refused, never looked up in a wrong place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from oomctl.errors import ImpossibleHere
from oomctl.procfs import survey
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.reader import Procfs
from tests.proc_tree import ProcTree, memcgs_of, pids_by_cgroup

LOOKS: dict[str, Callable[[Memcgs, str], Any]] = {
    "resolve": Memcgs.resolve,
    "limits": Memcgs.limits,
    "usage": Memcgs.usage,
    "cache": Memcgs.cache_bytes,
    "members": lambda memcgs, path: list(memcgs.members(path)),
    "oom group": Memcgs.kills_as_group,
    "oom_kill_disable": Memcgs.kill_disabled,
    "hierarchy": Memcgs.is_hierarchical,
}


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_path_out_of_a_cgroup_namespace_is_refused(
    proc_tree: ProcTree, look: Callable[[Memcgs, str], Any], version: int
) -> None:
    (proc_tree.mount_v1 if version == 1 else proc_tree.mount_v2)()
    proc_tree.cgroup("/x", (7,), memory__max="4096\n")  # where the path would lead if the dots were dropped
    (proc_tree.root.parent.parent / "x").mkdir(exist_ok=True)  # and where they would lead
    memcgs = memcgs_of(proc_tree.procfs())
    if version == 2 and look is LOOKS["oom_kill_disable"]:
        assert look(memcgs, "/../../x") is False
    elif version == 2 and look is LOOKS["hierarchy"]:
        assert look(memcgs, "/../../x") is True
    else:
        with pytest.raises(
            ImpossibleHere,
            match=r"^cgroup /\.\./\.\./x: no such memory cgroup under .*; ask on the host, or .* --cgroup-root DIR$",
        ):
            look(memcgs, "/../../x")
    assert memcgs.ancestors("/../../x") == []


def test_a_mount_from_outside_of_the_namespace_shows_what_has_a_name(proc_tree: ProcTree) -> None:
    """After ``unshare -C`` without another mount its root is ``/../..``, and one's own cgroup, ``/``, is not found."""
    proc_tree.mount_v1(root="/../..")
    proc_tree.cgroup("/a", memory__limit_in_bytes="4096\n")
    memcgs = memcgs_of(proc_tree.procfs())
    assert memcgs.limits("/../../a").memory_pages == 1
    assert memcgs.resolve("/../../a") == "/../../a"
    for path in ("/", "/a", "/../a"):
        assert not memcgs.sees(path)
        with pytest.raises(ImpossibleHere):
            memcgs.resolve(path)


def test_of_two_mounts_that_of_ones_own_namespace_is_taken(proc_tree: ProcTree, procfs: Procfs) -> None:
    for root in ("/../..", "/docker/ab", "/", "/.."):
        proc_tree.mount_v2(root=root)
    assert memcgs_of(procfs).root == "/"


def test_a_path_of_which_only_another_part_is_mounted_is_refused(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.mount_v2(root="/docker/ab")
    proc_tree.cgroup("/docker")
    proc_tree.cgroup("/docker/cd", memory__max="4096\n")  # below /docker/ab, that is
    memcgs = memcgs_of(procfs)
    assert not memcgs.sees("/docker/cd")
    with pytest.raises(ImpossibleHere, match="which shows only a part of them"):
        memcgs.limits("/docker/cd")


def test_what_a_user_writes_may_begin_where_the_mount_does(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.mount_v2(root="/docker/ab")
    proc_tree.cgroup("/app")
    memcgs = memcgs_of(procfs)
    assert memcgs.resolve("/app") == memcgs.resolve("/docker/ab/app") == "/docker/ab/app"
    assert memcgs.resolve("/") == "/docker/ab"


def test_ancestors_end_with_the_topmost_that_is_mounted(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.mount_v2(root="/docker/ab")
    assert memcgs_of(procfs).ancestors("/docker/ab/app") == ["/docker/ab/app", "/docker/ab"]


@pytest.mark.parametrize(
    ("root", "file", "whole"),
    [
        ("/", None, True),
        ("/", "cgroup.events", False),
        ("/docker/ab", None, False),
    ],
    ids=["the machine's", "a namespace's", "a part"],
)
def test_in_v2_only_the_root_of_all_has_no_events(
    proc_tree: ProcTree, procfs: Procfs, root: str, file: str | None, whole: bool
) -> None:
    proc_tree.mount_v2(root=root)
    if file is not None:
        (proc_tree.cgroup_mount / file).write_text("populated 1\n")
    assert memcgs_of(procfs).is_whole is whole


def test_in_v1_only_the_root_of_all_says_how_sane_it_is(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.mount_v1()
    assert memcgs_of(procfs).is_whole
    (proc_tree.cgroup_mount / "cgroup.sane_behavior").unlink()
    assert not memcgs_of(procfs).is_whole


@pytest.fixture
def flat(proc_tree: ProcTree, procfs: Procfs) -> Memcgs:
    """v1 as up to 5.10: ``/flat`` without a hierarchy, and ``/flat/deep`` with one of its own."""
    proc_tree.mount_v1()
    (proc_tree.cgroup_mount / "memory.use_hierarchy").write_text("0\n")
    for path, pids, use in (("/flat", (1,), "0\n"), ("/flat/deep", (2,), "1\n"), ("/flat/deep/er", (3,), "1\n")):
        proc_tree.cgroup(path, pids, memory__use_hierarchy=use, memory__limit_in_bytes=f"{4096 * pids[0]}\n")
    return memcgs_of(procfs)


def test_without_a_hierarchy_those_below_are_no_members(flat: Memcgs) -> None:
    assert pids_by_cgroup(flat, "/flat") == [("/flat", [1])]
    assert pids_by_cgroup(flat, "/flat/deep") == [("/flat/deep", [2]), ("/flat/deep/er", [3])]
    assert not flat.limits("/flat").use_hierarchy
    assert flat.limits("/flat/deep").use_hierarchy


def test_without_a_hierarchy_limits_above_do_not_count(flat: Memcgs) -> None:
    assert flat.charged("/flat/deep/er") == ["/flat/deep/er", "/flat/deep"]
    assert flat.charged("/flat") == ["/flat", "/"]  # the root of all has no limit


def test_everybody_belongs_to_the_root_of_all(flat: Memcgs) -> None:
    assert pids_by_cgroup(flat, "/") == [("/", []), ("/flat", [1]), ("/flat/deep", [2]), ("/flat/deep/er", [3])]


def test_where_the_file_is_missing_there_is_a_hierarchy(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.mount_v1()
    proc_tree.cgroup("/m", (1,))
    proc_tree.cgroup("/m/deep", (2,))
    memcgs = memcgs_of(procfs)
    assert pids_by_cgroup(memcgs, "/m") == [("/m", [1]), ("/m/deep", [2])]
    assert memcgs.charged("/m/deep") == ["/m/deep", "/m", "/"]


@pytest.mark.parametrize(("value", "disabled"), [("1", True), ("0", False)])
def test_the_cgroup_asked_about_says_whether_it_kills(
    proc_tree: ProcTree, procfs: Procfs, value: str, disabled: bool
) -> None:
    proc_tree.mount_v1()
    for path, flag in (("/m", value), ("/m/deep", "1")):
        proc_tree.cgroup(path, memory__oom_control=f"oom_kill_disable {flag}\nunder_oom 0\noom_kill 0\n")
    scenario, _ = survey.memcg(procfs, "/m")
    assert scenario.context.kill_disabled is disabled
