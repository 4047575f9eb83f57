"""Members of a memory cgroup that cannot be read, have no number here, or another one."""

from __future__ import annotations

import os
import shutil

import pytest

from oomctl.model.kernel import Doubt, Doubtful, Scenario
from oomctl.procfs import survey
from oomctl.procfs.reader import Procfs
from tests.privileges import needs_root
from tests.proc_tree import CONTAINER, INITIAL, ProcTree

# Above every PID that this machine can have: who shares memory is asked of the running kernel.
A, B, C = range(1 << 23, (1 << 23) + 3)
UNSEEN = (Doubt(Doubtful.UNSEEN_MEMBERS, detail="/m"),)
UNASKED = (Doubt(Doubtful.UNSEEN_SHARERS),)


def of_m(procfs: Procfs) -> tuple[list[int], int, tuple[Doubt, ...]]:
    scenario: Scenario = survey.memcg(procfs, "/m")[0]
    return [task.pid for task in scenario.tasks], scenario.hidden, scenario.doubts


def test_in_v2_a_0_is_a_member_of_another_pid_namespace(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.mount_v2()
    proc_tree.cgroup("/m", (0, A, 0))
    proc_tree.cgroup("/m/deep", (0,))
    proc_tree.add(A)
    assert of_m(procfs) == ([A], 3, ())


@pytest.mark.parametrize(("namespaces", "doubts"), [(INITIAL, ()), (CONTAINER, UNSEEN)], ids=["first", "another"])
def test_v1_leaves_out_members_of_another_pid_namespace(
    proc_tree: ProcTree, procfs: Procfs, namespaces: dict[str, str], doubts: tuple[Doubt, ...]
) -> None:
    proc_tree.mount_v1()
    proc_tree.cgroup("/m", (A,))
    proc_tree.add(A)
    proc_tree.add(1, namespaces=namespaces)
    assert of_m(procfs) == ([A], 0, doubts)


def test_a_member_that_is_listed_and_not_to_be_found_is_hidden(proc_tree: ProcTree, procfs: Procfs) -> None:
    """With hidepid=2 /proc does not have who is somebody else's."""
    proc_tree.mount_v2()
    proc_tree.cgroup("/m", (A, B))
    proc_tree.add(A)
    assert of_m(procfs) == ([A], 1, ())


@pytest.fixture
def renumbered(proc_tree: ProcTree) -> ProcTree:
    """The /proc of another PID namespace, whose numbers are not those that the kernel tells us; two are in /m."""
    proc_tree.mount_v2()
    mountinfo = (proc_tree.root / "self/mountinfo").read_bytes()
    shutil.rmtree(proc_tree.root / "self")
    proc_tree.add(C)
    proc_tree.write(f"{C}/mountinfo", mountinfo)
    (proc_tree.root / "self").symlink_to(str(C))
    proc_tree.cgroup("/m", (1, 2))
    proc_tree.cgroup("/m/deep", (3,))
    for pid, path in ((1, "/"), (2, "/other"), (A, "/m"), (B, "/m/deep")):
        proc_tree.add(pid, cgroup=f"0::{path}\n")
    return proc_tree


def test_where_numbers_differ_the_cgroup_of_every_process_is_asked(renumbered: ProcTree) -> None:
    assert of_m(renumbered.procfs()) == ([A, B], 0, UNASKED)


def test_who_ends_before_it_is_asked_is_no_member(renumbered: ProcTree, monkeypatch: pytest.MonkeyPatch) -> None:
    listed, hidden = renumbered.procfs().pids()
    monkeypatch.setattr(Procfs, "pids", lambda _: ([*listed, 4], hidden))
    assert of_m(renumbered.procfs()) == ([A, B], 0, UNASKED)


def test_one_whose_cgroup_cannot_be_told_may_be_a_member(renumbered: ProcTree) -> None:
    (renumbered.root / "2" / "cgroup").unlink()
    assert of_m(renumbered.procfs()) == ([A, B], 0, (*UNSEEN, *UNASKED))


@needs_root
def test_a_list_that_may_not_be_read_leaves_members_unseen(open_tree: ProcTree) -> None:
    open_tree.mount_v2()
    open_tree.cgroup("/m", (A,)).chmod(0o755)
    deep = open_tree.cgroup("/m/deep", (B,))
    for pid in (A, B):
        open_tree.add(pid)
    (deep / "cgroup.procs").chmod(0)
    assert of_m(open_tree.procfs()) == ([A, B], 0, ())  # root may
    helper = os.fork()
    if helper == 0:
        os.seteuid(65534)
        os._exit(of_m(open_tree.procfs()) != ([A], 0, UNSEEN))
    assert os.waitstatus_to_exitcode(os.waitpid(helper, 0)[1]) == 0
