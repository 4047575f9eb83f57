from __future__ import annotations

import os
from pathlib import Path

import pytest

from oomctl.kernel.invocation import out_of_memory
from oomctl.model.kernel import Certainty, Scenario
from oomctl.procfs import survey
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.evictable import evictable_pages
from oomctl.procfs.reader import Procfs
from tests.proc_tree import ProcTree

A, B = 10, 11


def contenders(scenario: Scenario) -> list[int]:
    return [task.pid for task in out_of_memory(scenario).contenders]


def roll_up(tree: ProcTree, pid: int, given_kb: int) -> None:
    """Let a process have given so much to MADV_FREE."""
    tree.write(f"{pid}/smaps_rollup", f"0-ff ---p [rollup]\nLazyFree: {given_kb} kB\nAnonHugePages: 0 kB\n")


def with_threads(tree: ProcTree, pid: int, rss: int, other: str) -> None:
    """A process whose leader sleeps and whose other thread is in the state ``other``."""
    tree.add(pid, rss=rss, threads=2, score=700)
    for tid, state in ((pid, "S"), (pid + 100, other)):
        tree.write(f"{pid}/task/{tid}/stat", f"{tid} (x) {state} 1" + " 0" * 40 + "\n")


@pytest.mark.parametrize(("state", "certain"), [("S", True), ("R", False)])
def test_a_busy_thread_behind_a_sleeping_leader_is_on_the_move(proc_tree: ProcTree, state: str, certain: bool) -> None:
    with_threads(proc_tree, A, 1000, state)
    proc_tree.add(B, rss=900, score=700)
    for scenario in (survey.machine(proc_tree.procfs("6.18", cpus=2)), front(proc_tree)):
        assert (out_of_memory(scenario).certainty is Certainty.CERTAIN) is certain
        assert contenders(scenario) == ([A] if certain else [A, B])


def front(tree: ProcTree) -> Scenario:
    return survey.machine_front(tree.procfs("6.18", cpus=2), 1)


def test_who_leads_so_far_that_no_thread_matters_is_not_looked_at_closely(proc_tree: ProcTree) -> None:
    with_threads(proc_tree, A, 10_000, "S")
    proc_tree.add(B, rss=900)
    tasks = survey.machine(proc_tree.procfs("6.18", cpus=2)).tasks
    assert [task.running for task in tasks] == [True, False]


@pytest.mark.parametrize(("given_kb", "expected"), [(0, [A]), (800, [A, B])])
def test_what_the_first_gave_to_madv_free_is_read_where_anybody_gave_any(
    proc_tree: ProcTree, given_kb: int, expected: list[int]
) -> None:
    proc_tree.write("vmstat", "nr_x 1\npglazyfree 900\npglazyfreed 0\n")
    proc_tree.add(A, rss=1000)
    proc_tree.add(B, rss=900)
    for pid in (A, B):
        roll_up(proc_tree, pid, given_kb)
    assert contenders(survey.machine(proc_tree.procfs("5.10", cpus=2))) == expected


def test_without_permission_all_that_was_given_may_be_of_the_first(proc_tree: ProcTree) -> None:
    proc_tree.write("vmstat", "nr_x 1\npglazyfree 200\npglazyfreed 0\n")
    proc_tree.add(A, rss=1000)
    proc_tree.add(B, rss=900)
    assert contenders(survey.machine(proc_tree.procfs("5.10", cpus=2))) == [A, B]


@pytest.mark.parametrize(
    ("waits_in", "expected"), [("0", [A, B]), ("rwsem_down_read_slowpath", [A, B]), ("kernel_clone", [A])]
)
def test_a_task_in_d_is_walked_only_while_it_waits_for_a_child_in_vfork(
    proc_tree: ProcTree, waits_in: str, expected: list[int]
) -> None:
    proc_tree.write("vmstat", "nr_x 1\npglazyfree 200\npglazyfreed 0\n")
    for pid, rss in ((A, 1000), (B, 900)):
        proc_tree.add(pid, rss=rss, state="D")
        proc_tree.write(f"{pid}/wchan", waits_in)
        roll_up(proc_tree, pid, 0)
    assert contenders(survey.machine(proc_tree.procfs("5.10", cpus=2))) == expected


def test_the_front_holds_everybody_whom_reclaim_can_bring_to_it(proc_tree: ProcTree) -> None:
    """Far behind by the kernel's score, and first when the mapped files are gone."""
    (proc_tree.root / "meminfo").write_text("MemTotal: 4000000 kB\nActive(file): 3000000 kB\n")
    proc_tree.add(A, rss=300_000, anon=1000, score=866)
    for number in range(20):
        proc_tree.add(20 + number, rss=100 + number, score=666)
    proc_tree.add(B, rss=100_000, score=733)
    found = survey.machine_front(proc_tree.procfs("6.18", cpus=2), 1)
    assert contenders(found) == [A, B]
    assert found.unread_candidates == 20


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("maps", b"ff-00 r--p 0 08:01 7 /x\n1000-f000000000000000 r--p 0 08:01 7 /x\n"),
        ("maps", b"f000000000000000-ffffffffffffffff r--p 0 08:01 7 /x\n"),
        ("maps", b"fffffffffffff000-ffffffffffffffff r--p 0 08:01 7 /x\n"),
        ("maps", b"\xff\n"),
        ("pagemap", b"odd"),
        ("pagemap", b"\xff" * 8),
    ],
)
def test_maps_and_pagemaps_that_no_kernel_writes_tell_nothing(proc_tree: ProcTree, name: str, content: bytes) -> None:
    proc_tree.add(A)
    proc_tree.write(f"{A}/maps", "0-1000 r--p 0 08:01 7 /x\n")
    proc_tree.write(f"{A}/pagemap", b"\0" * 8)
    proc_tree.write("kpagecgroup", b"\0" * 8)
    procfs = proc_tree.procfs(cpus=2)
    assert evictable_pages(procfs, procfs.task(A), frozenset({1})) == 0
    proc_tree.write(f"{A}/{name}", content)
    assert evictable_pages(procfs, procfs.task(A), frozenset({1})) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="the frames of pages are shown to root only")
def test_mapped_files_are_told_apart_by_the_cgroup_that_they_are_charged_to() -> None:
    if not Path("/proc/kpagecgroup").exists():
        assert evictable_pages(Procfs(), Procfs().task(os.getpid()), frozenset({1})) is None
        return
    procfs = Procfs()
    if Memcgs.of(procfs) is None:
        pytest.skip("no memory controller is mounted here")
    me = procfs.task(os.getpid())
    everywhere = frozenset(
        path.stat().st_ino for path in (Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").rglob("*/")) if path.is_dir()
    )
    in_all = evictable_pages(procfs, me, everywhere)
    assert in_all is not None
    assert 0 < in_all <= me.file_pages + me.shmem_pages + 500
    assert evictable_pages(procfs, me, frozenset()) == 0
