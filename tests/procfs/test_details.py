"""What people want to know of a process: where it belongs, as /proc says it."""

from __future__ import annotations

import pytest

from oomctl.model.listing import Details
from oomctl.procfs.details import DetailReader, cgroup_in
from oomctl.procfs.sampler import Sampler
from tests.proc_tree import ProcTree


def details(proc_tree: ProcTree, pid: int) -> Details:
    procfs = proc_tree.procfs()
    return DetailReader(procfs).details(procfs.task(pid))


def test_where_no_cgroups_are_mounted_a_process_still_has_the_one_that_proc_names(proc_tree: ProcTree) -> None:
    proc_tree.add(10, cgroup="0::/kubepods/pod1/c2\n")
    assert details(proc_tree, 10).cgroup == "/kubepods/pod1/c2"


def test_a_cgroup_that_is_only_named_is_no_memory_cgroup(proc_tree: ProcTree) -> None:
    proc_tree.add(10, cgroup="0::/kubepods/pod1/c2\n")
    look, _ = Sampler(str(proc_tree.root)).look()
    assert look.details[10].cgroup == "/kubepods/pod1/c2"
    assert look.scenario.tasks[0].memcg is None


@pytest.mark.parametrize(
    ("text", "cgroup"),
    [
        pytest.param("0::/a/b\n", "/a/b", id="v2"),
        pytest.param("4:memory:/m\n3:cpu:/c\n0::/u\n", "/m", id="v1: that of the memory controller"),
        pytest.param("3:cpu,memory:/m:n\n", "/m:n", id="v1: mounted with another"),
        pytest.param("3:cpu:/c\n0::/u\n", "/u", id="v1 without a memory controller: that of v2"),
        pytest.param("0::/a (deleted)\n", "/a", id="removed while the process lives"),
        pytest.param("4:memory:/\n0::/u\n", None, id="the root says nothing"),
        pytest.param("3:cpu:/c\n", None, id="neither"),
        pytest.param("garbage\n", None, id="no cgroups at all"),
        pytest.param("", None, id="a kernel without"),
    ],
)
def test_which_of_the_cgroups_in_proc_is_meant(text: str, cgroup: str | None) -> None:
    assert cgroup_in(text) == cgroup
