"""Which limit is nearest, and what is said where limits cannot be looked at."""

from __future__ import annotations

import os

import pytest

from oomctl.errors import ImpossibleHere
from oomctl.model.kernel import Doubt, Doubtful
from oomctl.procfs.reach import Reach, limiting_memcg, reach
from tests.privileges import needs_root
from tests.proc_tree import ProcTree
from tests.tasks import task

APP = 1 << 23
UNSEEN = (Doubt(Doubtful.UNSEEN_LIMITS, detail="/"),)
NAMESPACE = "cgroup:[4026532177]"
FIRST = "cgroup:[4026531835]"


def reach_of(proc_tree: ProcTree, cgroup: str) -> Reach:
    proc_tree.add(APP, cgroup=cgroup)
    return reach(proc_tree.procfs(), task(APP))


def nearest(found: Reach) -> str | None:
    return found.limits[0].memcg


def in_cgroup_namespace(proc_tree: ProcTree, link: str) -> None:
    (proc_tree.root / "self/ns/cgroup").symlink_to(link)


def test_the_nearest_limit_is_that_with_the_least_room(proc_tree: ProcTree) -> None:
    proc_tree.mount_v2()
    proc_tree.cgroup("/m", memory__max="40960\n", memory__current="36864\n")
    proc_tree.cgroup("/m/deep", memory__max="409600\n", memory__current="36864\n")
    found = reach_of(proc_tree, "0::/m/deep\n")
    assert [limit.memcg for limit in found.limits] == ["/m", "/m/deep", None]
    assert found.doubts == ()


def test_a_swap_limit_above_leaves_no_more_swap_to_those_below(proc_tree: ProcTree) -> None:
    """``mem_cgroup_get_nr_swap_pages`` takes the least from there up to the root."""
    proc_tree.meminfo(1 << 20, 1000, 900)
    proc_tree.mount_v2()
    proc_tree.cgroup("/m", memory__max="max\n", memory__swap__max="40960\n", memory__swap__current="8192\n")
    proc_tree.cgroup("/m/deep", memory__max="409600\n", memory__current="0\n", memory__swap__max="max\n")
    limit = reach_of(proc_tree, "0::/m/deep\n").limits[0]
    assert (limit.memcg, limit.swap_bytes, limit.left_bytes) == ("/m/deep", 32768, 409600 + 32768)


def test_limits_above_a_namespace_are_in_doubt(proc_tree: ProcTree) -> None:
    proc_tree.mount_v2()
    (proc_tree.cgroup_mount / "cgroup.events").write_text("populated 1\n")
    (proc_tree.cgroup_mount / "memory.max").write_text("40960\n")
    found = reach_of(proc_tree, "0::/\n")
    assert (nearest(found), found.doubts) == ("/", UNSEEN)


def test_limits_above_what_is_mounted_are_in_doubt(proc_tree: ProcTree) -> None:
    proc_tree.mount_v1(root="/docker/ab")
    found = reach_of(proc_tree, "4:memory:/docker/ab\n")
    assert (nearest(found), found.doubts) == (None, (Doubt(Doubtful.UNSEEN_LIMITS, detail="/docker/ab"),))


def test_a_cgroup_without_a_hierarchy_above_it_has_no_limits_above(proc_tree: ProcTree) -> None:
    proc_tree.mount_v1(root="/docker/ab")
    proc_tree.cgroup("/flat", memory__use_hierarchy="0\n", memory__limit_in_bytes="4096\n")
    proc_tree.cgroup("/flat/deep", memory__use_hierarchy="0\n", memory__limit_in_bytes="40960\n")
    found = reach_of(proc_tree, "4:memory:/docker/ab/flat/deep\n")
    assert (nearest(found), found.doubts) == ("/docker/ab/flat/deep", ())


@pytest.mark.parametrize(
    "cgroup", ["0::/../../x\n", "0::/nosuch\n", "", "nonsense\n"], ids=["outside", "missing", "empty", "no cgroup"]
)
def test_a_cgroup_that_cannot_be_looked_at_is_refused(proc_tree: ProcTree, cgroup: str) -> None:
    proc_tree.mount_v2()
    with pytest.raises(ImpossibleHere):
        reach_of(proc_tree, cgroup)
    assert limiting_memcg(proc_tree.procfs(), task(APP)) is None


@pytest.mark.parametrize("cgroup", ["0::/app\n", "4:memory:/app\n0::/\n"], ids=["v2", "v1"])
def test_a_cgroup_that_is_not_mounted_is_refused(proc_tree: ProcTree, cgroup: str) -> None:
    with pytest.raises(ImpossibleHere, match="is in the cgroup /app, and no memory controller is mounted here"):
        reach_of(proc_tree, cgroup)


@pytest.mark.parametrize(("link", "doubts"), [(FIRST, ()), (NAMESPACE, UNSEEN)], ids=["the machine", "a namespace"])
@pytest.mark.parametrize("cgroup", ["0::/\n", "4:memory:/\n0::/other\n", ""], ids=["v2", "v1", "no cgroups"])
def test_at_the_root_of_what_is_not_mounted_a_namespace_leaves_doubt(
    proc_tree: ProcTree, cgroup: str, link: str, doubts: tuple[Doubt, ...]
) -> None:
    in_cgroup_namespace(proc_tree, link)
    found = reach_of(proc_tree, cgroup)
    assert (nearest(found), found.doubts) == (None, doubts)


@pytest.mark.parametrize(("events", "doubts"), [(False, ()), (True, UNSEEN)], ids=["the machine", "a namespace"])
def test_a_hierarchy_without_the_controller_has_no_limits_but_those_above_it(
    proc_tree: ProcTree, events: bool, doubts: tuple[Doubt, ...]
) -> None:
    proc_tree.mount_v2(controllers="cpu")
    if events:
        (proc_tree.cgroup_mount / "cgroup.events").write_text("populated 1\n")
    found = reach_of(proc_tree, "0::/app\n")
    assert (nearest(found), found.doubts) == (None, doubts)


def test_with_the_controller_off_there_are_no_limits(proc_tree: ProcTree) -> None:
    proc_tree.write("cgroups", "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t2\t1\nmemory\t0\t1\t0\n")
    assert nearest(reach_of(proc_tree, "0::/app\n")) is None


@needs_root
def test_a_limit_that_may_not_be_read_is_refused(open_tree: ProcTree) -> None:
    open_tree.mount_v2()
    open_tree.cgroup("/m", memory__max="40960\n").chmod(0o755)
    open_tree.cgroup("/m/deep", memory__max="409600\n").chmod(0o755)
    (open_tree.cgroup_mount / "m/memory.max").chmod(0)
    assert nearest(reach_of(open_tree, "0::/m/deep\n")) == "/m"  # root may
    helper = os.fork()
    if helper == 0:
        os.seteuid(65534)
        try:
            reach(open_tree.procfs(), task(APP))
        except ImpossibleHere as error:
            os._exit("memory.max: Permission denied; what limit is set there" not in str(error))
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(helper, 0)[1]) == 0
