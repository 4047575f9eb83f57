from __future__ import annotations

import os
from pathlib import Path

import pytest

from oomctl.errors import ImpossibleHere
from oomctl.kernel.constraint import memcg_totalpages
from oomctl.model.kernel import MemcgLimits
from oomctl.procfs.cgroup import Memcgs, Usage
from oomctl.procfs.reader import Procfs
from tests.proc_tree import ProcTree, memcgs_of, pids_by_cgroup


@pytest.fixture
def v2(proc_tree: ProcTree, procfs: Procfs) -> Memcgs:
    proc_tree.mount_v2()
    return memcgs_of(procfs)


@pytest.fixture
def v1(proc_tree: ProcTree, procfs: Procfs) -> Memcgs:
    proc_tree.mount_v1()
    return memcgs_of(procfs)


def test_both_versions_are_found(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.mount_v2(controllers="cpu pids")
    assert Memcgs.of(procfs) is None
    proc_tree.mount_v2()
    assert memcgs_of(procfs).version == 2
    proc_tree.mount_v1()
    assert memcgs_of(procfs).version == 1  # hybrid: the memory controller is where v1 has it


def test_without_any_memory_controller(proc_tree: ProcTree, procfs: Procfs) -> None:
    assert Memcgs.of(procfs) is None
    (proc_tree.root / "self/mountinfo").unlink()
    assert Memcgs.of(procfs) is None


def test_a_mount_point_is_unescaped(tmp_path: Path) -> None:
    tree = ProcTree(tmp_path / "with space, \\ and #")
    tree.mount_v2()
    tree.cgroup("/a", memory__max="4096\n")
    assert memcgs_of(tree.procfs()).limits("/a").memory_pages == 1


@pytest.mark.parametrize("name", ["/mnt/a\x0cb", "/mnt/a\u2028b", "/mnt/a\u3000b", "/mnt/a\x85b", "/mnt/a\x1db"])
def test_mount_points_that_anybody_can_name_do_no_harm(proc_tree: ProcTree, procfs: Procfs, name: str) -> None:
    proc_tree.mountinfo(f"99 1 0:50 / {name} rw,nosuid - fuse.sshfs host:{name} rw,user_id=1000\n")
    proc_tree.mountinfo("98 1 0:51 / /mnt/nosource rw - tmpfs  rw\n")
    proc_tree.mount_v2()
    assert memcgs_of(procfs).version == 2


@pytest.mark.parametrize(
    ("memory_max", "swap_max", "pages"),
    [
        ("max\n", "max\n", (None, None)),
        ("8192\n", "0\n", (2, 0)),
        ("8191\n", "4096\n", (1, 1)),
        ("0\n", "max\n", (0, None)),
    ],
)
def test_limits_of_v2(
    proc_tree: ProcTree, v2: Memcgs, memory_max: str, swap_max: str, pages: tuple[int | None, int | None]
) -> None:
    proc_tree.cgroup("/a", memory__max=memory_max, memory__swap__max=swap_max)
    assert v2.limits("/a") == MemcgLimits(2, pages[0], swap_pages=pages[1], swap_total_pages=0, swappiness=60)


def test_the_root_of_v2_has_no_limits(v2: Memcgs) -> None:
    assert memcg_totalpages(v2.limits("/")) is None


def test_swap_of_the_machine_counts_towards_a_cgroup(proc_tree: ProcTree) -> None:
    proc_tree.meminfo(4000, swap_total_kb=400)
    proc_tree.mount_v2()
    proc_tree.cgroup("/a", memory__max="409600\n")
    assert memcg_totalpages(memcgs_of(proc_tree.procfs()).limits("/a")) == 200
    proc_tree.write("sys/vm/swappiness", "0\n")
    assert memcg_totalpages(memcgs_of(proc_tree.procfs()).limits("/a")) == 100


V1_UNLIMITED = "9223372036854771712\n"


@pytest.mark.parametrize(
    ("limit", "memsw", "swappiness", "expected"),
    [
        pytest.param("409600\n", V1_UNLIMITED, "60\n", 200, id="limit and all swap"),
        pytest.param("409600\n", "614400\n", "60\n", 150, id="up to memsw"),
        pytest.param("409600\n", "614400\n", "0\n", 100, id="swappiness of the cgroup is 0"),
        pytest.param(V1_UNLIMITED, V1_UNLIMITED, "60\n", None, id="unlimited"),
        pytest.param("9223372036854710272\n", V1_UNLIMITED, "60\n", None, id="unlimited with 64 KiB pages"),
        pytest.param("8796093018112\n", "8796093018112\n", "60\n", None, id="unlimited on a 32-bit kernel"),
    ],
)
def test_totalpages_of_v1(proc_tree: ProcTree, limit: str, memsw: str, swappiness: str, expected: int | None) -> None:
    proc_tree.meminfo(4000, swap_total_kb=400)
    proc_tree.mount_v1()
    proc_tree.cgroup(
        "/a",
        memory__limit_in_bytes=limit,
        memory__memsw__limit_in_bytes=memsw,
        memory__swappiness=swappiness,
    )
    assert memcg_totalpages(memcgs_of(proc_tree.procfs()).limits("/a")) == expected


def test_v1_without_swap_accounting(proc_tree: ProcTree, v1: Memcgs) -> None:
    proc_tree.cgroup("/a", memory__limit_in_bytes="8192\n")
    assert v1.limits("/a") == MemcgLimits(1, 2, swap_total_pages=0, swappiness=60)


def test_usage(proc_tree: ProcTree, procfs: Procfs, v2: Memcgs) -> None:
    proc_tree.cgroup("/a", memory__current="5000\n", memory__swap__current="70\n")
    assert (v2.usage("/a"), v2.usage("/")) == (Usage(5000, 70), Usage(0, 0))
    proc_tree.mount_v1()
    proc_tree.cgroup("/b", memory__usage_in_bytes="5000\n", memory__memsw__usage_in_bytes="5070\n")
    proc_tree.cgroup("/c", memory__usage_in_bytes="5000\n")
    v1 = memcgs_of(procfs)
    assert (v1.usage("/b"), v1.usage("/c")) == (Usage(5000, 70), Usage(5000, 0))


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("0::/system.slice/ssh.service\n", "/system.slice/ssh.service"),
        ("4:pids:/x\n0::/a:b c\n", "/a:b c"),
        ("0::/gone (deleted)\n", "/gone"),
        ("0::/form\x0cfeed\u2028line\n", "/form\x0cfeed\u2028line"),
        ("1:name=systemd:/x\n", None),
        ("", None),
    ],
)
def test_the_cgroup_of_a_process_in_v2(proc_tree: ProcTree, v2: Memcgs, text: str, path: str | None) -> None:
    proc_tree.add(100, cgroup=text)
    assert v2.path_of_pid(100) == path


def test_the_cgroup_of_a_process_in_v1_is_that_of_the_memory_controller(proc_tree: ProcTree, v1: Memcgs) -> None:
    proc_tree.add(100, cgroup="9:cpu,cpuacct:/cpu\n8:memory:/mem ory\n1:name=memory:/x\n0::/unified\n")
    assert v1.path_of_pid(100) == "/mem ory"


def test_the_cgroup_of_a_process_that_is_gone(v2: Memcgs) -> None:
    assert v2.path_of_pid(99) is None


@pytest.mark.parametrize("name", ["/a/b", "a/b", "/a/b/", "/a/./b", "/a/x/../b"])
def test_a_cgroup_is_named_by_its_path(proc_tree: ProcTree, v2: Memcgs, name: str) -> None:
    proc_tree.cgroup("/a")
    proc_tree.cgroup("/a/b")
    assert v2.resolve(name) == "/a/b"


def test_a_cgroup_is_named_by_its_directory(proc_tree: ProcTree, v2: Memcgs) -> None:
    proc_tree.cgroup("/a")
    assert v2.resolve(f"{proc_tree.cgroup_mount}/a") == "/a"
    assert v2.resolve(f"{proc_tree.cgroup_mount}/") == "/"
    assert v2.resolve("/") == "/"


@pytest.mark.parametrize("name", ["/nosuch", "../../etc", "/a/cgroup.procs"])
def test_a_cgroup_that_does_not_exist_is_refused(proc_tree: ProcTree, v2: Memcgs, name: str) -> None:
    proc_tree.cgroup("/a")
    with pytest.raises(ImpossibleHere, match="no such memory cgroup under"):
        v2.resolve(name)


def test_in_a_container_paths_start_where_the_mount_does(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.mount_v2(root="/docker/ab")
    proc_tree.cgroup("/app", memory__max="4096\n")
    memcgs = memcgs_of(procfs)
    assert memcgs.limits("/docker/ab/app").memory_pages == 1
    assert memcgs.resolve(f"{proc_tree.cgroup_mount}/app") == "/docker/ab/app"


def test_members_are_walked_parents_first_and_siblings_by_creation(proc_tree: ProcTree, v2: Memcgs) -> None:
    for path, pids in (("/m", (3, 1)), ("/m/z", (9,)), ("/m/a", (7, 8)), ("/m/z/x", (5,)), ("/other", (2,))):
        proc_tree.cgroup(path, pids)
    assert pids_by_cgroup(v2, "/m") == [("/m", [3, 1]), ("/m/z", [9]), ("/m/z/x", [5]), ("/m/a", [7, 8])]


def test_members_of_the_root_have_no_double_slash(proc_tree: ProcTree, v2: Memcgs) -> None:
    proc_tree.cgroup("/m", (3,))
    assert pids_by_cgroup(v2, "/") == [("/", []), ("/m", [3])]


def test_in_v1_a_process_of_which_only_a_thread_is_there_is_no_member(proc_tree: ProcTree, v1: Memcgs) -> None:
    proc_tree.cgroup("/m", (10, 20))
    (proc_tree.cgroup_mount / "m/tasks").write_text("11\n20\n21\n")
    assert pids_by_cgroup(v1, "/m") == [("/m", [20])]


def test_a_link_is_no_cgroup(proc_tree: ProcTree, v2: Memcgs) -> None:
    proc_tree.cgroup("/m")
    os.symlink("/", proc_tree.cgroup_mount / "m/link")
    assert v2.children("/m") == []


def test_a_cgroup_that_is_removed_meanwhile_has_no_members(v2: Memcgs) -> None:
    assert pids_by_cgroup(v2, "/gone") == [("/gone", [])]


@pytest.mark.parametrize(("text", "group"), [("1\n", True), ("0\n", False), ("", False)])
def test_oom_group(proc_tree: ProcTree, v2: Memcgs, text: str, group: bool) -> None:
    proc_tree.cgroup("/m", memory__oom__group=text)
    assert v2.kills_as_group("/m") is group
    assert not v2.kills_as_group("/")


def test_ancestors_end_with_the_root(v2: Memcgs) -> None:
    assert v2.ancestors("/a/b") == ["/a/b", "/a", "/"]
    assert v2.ancestors("/") == ["/"]
