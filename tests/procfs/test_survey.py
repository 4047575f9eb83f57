from __future__ import annotations

import shutil
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oomctl.errors import ImpossibleHere
from oomctl.kernel.badness import badness, oom_score
from oomctl.kernel.invocation import out_of_memory
from oomctl.kernel.rules import rules_for
from oomctl.model.kernel import Constraint, Context, Round, Scenario
from oomctl.procfs import survey
from oomctl.procfs.reader import Procfs
from oomctl.procfs.reclaim import with_machine
from tests.proc_tree import ProcTree
from tests.tasks import task

# Above every PID that this machine can have: who shares memory is asked of the running kernel.
FIRST = 1 << 23
A, B, C, D = range(FIRST, FIRST + 4)


def pids(scenario: Scenario) -> list[int]:
    return [read.pid for read in scenario.tasks]


def killed(scenario: Scenario) -> list[int]:
    return [dead.pid for dead in out_of_memory(scenario).killed]


def add_scored(tree: ProcTree, pid: int, rss: int, adj: int = 0, anon: int | None = None) -> None:
    """Add a process with the score that the kernel would show."""
    own = badness(task(pid, rss=rss, pgtables=10, adj=adj), 1_000_000, rules_for("7.1")).badness
    score = 0 if adj == -1000 else oom_score(own, 1_000_000, rules_for("7.1"))
    tree.add(pid, rss=rss, adj=adj, score=score, vsize_kb=4 * rss + 4, ppid=1, anon=anon)


def test_a_machine_is_surveyed_with_its_settings(proc_tree: ProcTree) -> None:
    proc_tree.add(A)
    proc_tree.write("sys/vm/panic_on_oom", "2\n")
    proc_tree.write("sys/vm/oom_kill_allocating_task", "1\n")
    procfs = proc_tree.procfs("6.18.44", cpus=5)
    found = survey.machine(procfs)
    settings = Context(Constraint.NONE, 1_000_000, panic_on_oom=2, oom_kill_allocating_task=True, cpus=5)
    assert found.context == with_machine(settings, procfs)
    assert (found.kernel, found.page_size, found.hidden, pids(found)) == ("6.18.44", 4096, 0, [A])


def test_a_machine_is_surveyed_with_its_cgroups(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.mount_v2()
    proc_tree.cgroup("/m", memory__oom__group="1\n")
    proc_tree.cgroup("/m/app", (A, B))
    proc_tree.cgroup("/other", memory__oom__group="1\n")
    for pid in (A, B):
        proc_tree.add(pid, cgroup="0::/m/app\n")
    found = survey.machine(procfs)
    assert [read.memcg for read in found.tasks] == ["/m/app", "/m/app"]
    assert found.context.oom_groups == {"/m"}
    assert killed(found) == [B, A]


def test_a_memcg_is_surveyed_with_its_members_in_walk_order(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.mount_v2()
    proc_tree.cgroup("/m", (B, A), memory__max=str(500 * 4096), memory__oom__group="1\n")
    proc_tree.cgroup("/m/deep", (C,))
    proc_tree.cgroup("/other", (D,))
    for pid in (A, B, C, D):
        proc_tree.add(pid)
    found, memcgs = survey.memcg(procfs, "m")
    assert pids(found) == [B, A, C]
    assert [read.memcg for read in found.tasks] == ["/m", "/m", "/m/deep"]
    assert (found.context.constraint, found.context.memcg) == (Constraint.MEMCG, "/m")
    assert (found.context.totalpages, found.context.oom_groups) == (500, frozenset({"/m"}))
    assert memcgs.version == 2


def test_in_a_memcg_members_that_ended_are_left_out(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.mount_v2()
    proc_tree.cgroup("/m", (A, B))
    proc_tree.add(B)
    assert pids(survey.memcg(procfs, "/m")[0]) == [B]


def test_a_memcg_without_limit_is_scaled_by_the_machine(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.mount_v2()
    proc_tree.cgroup("/m", memory__max="max\n")
    assert survey.memcg(procfs, "/m")[0].context.totalpages == procfs.totalpages


def test_a_cgroup_of_3_10_is_walked_newest_first(proc_tree: ProcTree) -> None:
    proc_tree.mount_v1()
    proc_tree.cgroup("/m", (A, B), memory__limit_in_bytes=str(500 * 4096))
    proc_tree.cgroup("/m/deep", (C,))
    for pid in (A, B, C):
        proc_tree.add(pid)
    assert pids(survey.memcg(proc_tree.procfs("3.10.108"), "/m")[0]) == [B, A, C]
    assert pids(survey.memcg(proc_tree.procfs("4.4.121"), "/m")[0]) == [A, B, C]


def test_in_v1_exited_leaders_come_last_and_others_as_they_started(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.mount_v1()
    proc_tree.cgroup("/m", (A, B, C), memory__limit_in_bytes=str(500 * 4096))
    proc_tree.add_zombie_leader(A, A + 100, rss=100)
    proc_tree.add(B, start=9)
    proc_tree.add(C, start=5)
    assert pids(survey.memcg(procfs, "/m")[0]) == [C, B, A]


def test_a_memcg_of_which_only_a_thread_is_a_member_has_nobody_to_kill(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.mount_v1()
    directory = proc_tree.cgroup("/m", (A,))
    (directory / "tasks").write_text(f"{A + 1}\n")
    proc_tree.add(A)
    assert killed(survey.memcg(procfs, "/m")[0]) == []


def test_without_memory_cgroups_there_is_none_to_ask_about(procfs: Procfs) -> None:
    with pytest.raises(ImpossibleHere, match="no memory controller"):
        survey.memcg(procfs, "/m")


def test_only_the_nearest_are_read_and_the_others_counted(proc_tree: ProcTree, procfs: Procfs) -> None:
    for number in range(10):
        add_scored(proc_tree, FIRST + number, rss=20_000 * (number + 1))
    add_scored(proc_tree, FIRST + 20, rss=900_000, adj=-1000)
    proc_tree.add_kthread(FIRST + 21)
    front = survey.machine_front(procfs, 2)
    assert pids(front) == [FIRST + 8, FIRST + 9]
    assert (front.unread_candidates, front.unread_unkillable, front.hidden) == (8, 2, 0)


def test_whoever_the_rounding_may_hide_is_read_too(proc_tree: ProcTree, procfs: Procfs) -> None:
    """666 and 667 are one page apart at the edge of a point."""
    add_scored(proc_tree, A, rss=990)
    add_scored(proc_tree, B, rss=989)
    assert {score.oom_score for score in procfs.scores().listed} == {666, 667}
    assert pids(survey.machine_front(procfs, 1)) == [A, B]


def test_before_5_9_everything_is_read(proc_tree: ProcTree) -> None:
    for pid in (A, B, C):
        proc_tree.add(pid)
    front = survey.machine_front(proc_tree.procfs("5.8"), 1)
    assert (len(front.tasks), front.unread_candidates) == (3, 0)


def test_where_scores_overflow_everything_is_read(proc_tree: ProcTree) -> None:
    """As Linux 5.10 for i386 showed them, with 1.5 GB of RAM and 9 GB of swap."""
    proc_tree.meminfo(1526144, swap_total_kb=9437180)
    proc_tree.write("meminfo", (proc_tree.root / "meminfo").read_text() + "VmallocTotal:     122880 kB\n")
    proc_tree.add(A, rss=10_875, pgtables_kb=124, adj=869, score=204)
    proc_tree.add(B, rss=5_283, pgtables_kb=80, adj=524, score=1016)
    proc_tree.add(C, rss=7_144, pgtables_kb=96, adj=-999, score=1046)
    procfs = proc_tree.procfs("5.10.0")
    assert killed(survey.machine_front(procfs, 1)) == [A]
    assert pids(survey.machine_front(procfs, 1)) == [A, B, C]


def test_who_dies_with_the_first_as_a_group_is_read(proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.mount_v2()
    proc_tree.cgroup("/g", memory__oom__group="1\n")
    proc_tree.cgroup("/g/app", (A, B))
    add_scored(proc_tree, A, rss=500_000)
    add_scored(proc_tree, B, rss=5)
    add_scored(proc_tree, C, rss=5)
    proc_tree.write(f"{A}/cgroup", "0::/g/app\n")
    front = survey.machine_front(procfs, 1)
    assert killed(front) == [A, B]
    assert (front.unread_candidates, front.unread_unkillable) == (1, 0)


class MadeUp(NamedTuple):
    """One process of a machine that is made up."""

    kind: str
    rss: int
    adj: int
    mapped_percent: int
    """Of RSS, mapped from files that can be reclaimed."""
    swap: int
    pgtables_kb: int
    address_space_gib: int


machines = st.lists(
    st.builds(
        MadeUp,
        st.sampled_from(["plain"] * 6 + ["threads", "kernel thread", "zombie", "zombie leader", "vfork", "reaped"]),
        st.integers(0, 3000) | st.integers(0, 300_000),
        st.sampled_from([0, 0, 0, -1000, -999, -998, -500, 1, 300]),
        st.sampled_from([0, 0, 10, 90, 100]),
        st.sampled_from([0, 0, 5, 40, 100_000]),
        st.sampled_from([12, 40, 400_000]),
        st.sampled_from([0, 1, 1000]),
    ),
    min_size=1,
    max_size=12,
)


def add_any(tree: ProcTree, pid: int, one: MadeUp) -> None:
    if one.kind == "kernel thread":
        tree.add_kthread(pid)
        return
    if one.kind == "zombie leader":
        tree.add_zombie_leader(pid, pid + 100, one.rss, adj=one.adj, swap=one.swap)
        points = one.rss + one.swap + 10 + one.adj * 1000
        tree.write(f"{pid}/oom_score", f"{0 if one.adj == -1000 else oom_score(points, 1_000_000, rules_for('7.1'))}\n")
        return
    tree.add(
        pid,
        rss=one.rss,
        adj=one.adj,
        score=0 if one.kind in ("zombie", "vfork", "reaped") else None,
        anon=one.rss - one.rss * one.mapped_percent // 100,
        swap=one.swap,
        pgtables_kb=one.pgtables_kb,
        vsize_kb=4 * one.rss + (one.address_space_gib << 20) + 4 * pid,
        threads=2 if one.kind == "threads" else 1,
        ppid=FIRST if one.kind == "vfork" else 1,
        has_memory=one.kind != "zombie",
        state="Z" if one.kind == "zombie" else "S",
    )
    if one.kind == "vfork" and pid != FIRST:
        shutil.copy(tree.root / f"{FIRST}/stat", tree.root / f"{pid}/stat")
        shutil.copy(tree.root / f"{FIRST}/status", tree.root / f"{pid}/status")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    machines,
    st.integers(1, 4),
    st.sampled_from(["6.1", "6.10", "6.18", "7.1"]),
    st.sampled_from([0, 500_000]),
    st.booleans(),
)
def test_reading_the_nearest_is_as_good_as_reading_everything(
    tmp_path_factory: pytest.TempPathFactory,
    processes: list[MadeUp],
    count: int,
    kernel: str,
    swap_kb: int,
    ahead: bool,
) -> None:
    tree = ProcTree(tmp_path_factory.mktemp("machine"))
    tree.meminfo(4_000_000 - swap_kb, swap_total_kb=swap_kb)
    tree.write("meminfo", (tree.root / "meminfo").read_text() + "Inactive(file): 3000000 kB\n")
    for number, one in enumerate(processes):
        add_any(tree, FIRST + number, one)
    procfs = tree.procfs(kernel)
    if ahead:
        listed, hidden = procfs.scores()
        procfs.scores_ahead = lambda: ([tuple(score) for score in listed], hidden)  # type: ignore[method-assign, misc]
    scenarios = both(procfs, count)
    everything, front = (out_of_memory(scenario) for scenario in scenarios)
    assert front.outcome is everything.outcome
    assert front.victim == everything.victim
    assert {task.pid for task in front.contenders} == {task.pid for task in everything.contenders}
    assert front.ranking[:count] == everything.ranking[:count]
    assert counted(scenarios[0], everything) == counted(scenarios[1], front)


def counted(scenario: Scenario, found: Round) -> tuple[int, int, int]:
    """How many can be chosen, cannot, and are hidden."""
    candidates = len(found.ranking) + scenario.unread_candidates
    return candidates, len(found.spared) + scenario.unread_unkillable, scenario.hidden


def both(procfs: Procfs, count: int) -> tuple[Scenario, Scenario]:
    return survey.machine(procfs), survey.machine_front(procfs, count)
