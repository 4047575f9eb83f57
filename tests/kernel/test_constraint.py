from __future__ import annotations

from typing import Any

import pytest

from oomctl.kernel.constraint import below, memcg_totalpages, nodes_totalpages
from oomctl.kernel.rules import rules_for
from oomctl.model.kernel import Constraint, MemcgLimits, Mempolicy, NodePages, Thread, Unkillable, WhySpared
from tests.tasks import chosen_pid, reason_spared, task

NODES = {0: NodePages(present=1000, spanned=1200), 1: NodePages(present=500, spanned=800)}
NODE_0, NODE_1 = frozenset({0}), frozenset({1})


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        pytest.param(MemcgLimits(2, 1000), 1000, id="v2: memory.max"),
        pytest.param(MemcgLimits(2, 1000, swap_pages=0, swap_total_pages=500), 1000, id="v2: swap.max 0"),
        pytest.param(MemcgLimits(2, 1000, swap_pages=200, swap_total_pages=500), 1200, id="v2: swap.max"),
        pytest.param(MemcgLimits(2, 1000, swap_pages=None, swap_total_pages=500), 1500, id="v2: swap.max max"),
        pytest.param(MemcgLimits(2, 1000, swap_pages=900, swap_total_pages=500), 1500, id="v2: no more swap than is"),
        pytest.param(MemcgLimits(2, 1000, swap_total_pages=500, swappiness=0), 1000, id="v2: swappiness 0"),
        pytest.param(MemcgLimits(2, None, swap_pages=200, swap_total_pages=500), None, id="v2: unlimited"),
        pytest.param(MemcgLimits(2, 0), 1, id="v2: 0 counts as 1"),
        pytest.param(MemcgLimits(1, 1000), 1000, id="v1: limit"),
        pytest.param(MemcgLimits(1, 1000, swap_total_pages=500), 1500, id="v1: and all swap"),
        pytest.param(MemcgLimits(1, 1000, memsw_pages=1200, swap_total_pages=500), 1200, id="v1: up to memsw"),
        pytest.param(MemcgLimits(1, 1000, memsw_pages=2000, swap_total_pages=500), 1500, id="v1: memsw out of reach"),
        pytest.param(
            MemcgLimits(1, 1000, memsw_pages=1200, swap_total_pages=500, swappiness=0), 1000, id="v1: swappiness 0"
        ),
        pytest.param(MemcgLimits(1, 1000, memsw_pages=1000, swap_total_pages=500), 1000, id="v1: memsw is the limit"),
        pytest.param(MemcgLimits(1, None), None, id="v1: unlimited"),
        pytest.param(MemcgLimits(1, 0), 1, id="v1: 0 counts as 1"),
    ],
)
def test_totalpages_of_a_cgroup_is_its_limit_and_the_swap_it_may_use(limits: MemcgLimits, expected: int | None) -> None:
    assert memcg_totalpages(limits) == expected


@pytest.mark.parametrize(
    ("allowed", "kernel", "expected"),
    [
        pytest.param({0}, "5.4", 1050, id="present pages since 5.4"),
        pytest.param({0}, "5.3", 1250, id="spanned pages before"),
        pytest.param({0, 1}, "7.1", 1550, id="of all allowed nodes"),
    ],
)
def test_totalpages_of_nodes_is_their_pages_and_all_swap(allowed: set[int], kernel: str, expected: int) -> None:
    assert nodes_totalpages(NODES, allowed, 50, rules_for(kernel)) == expected


@pytest.mark.parametrize(
    ("cgroup", "ancestor", "expected"),
    [
        ("/a", "/a", True),
        ("/a/b", "/a", True),
        ("/a/b/c", "/a", True),
        ("/ab", "/a", False),
        ("/", "/a", False),
        ("/a", "/", True),
        ("/", "/", True),
        ("/../x", "/", False),
        ("/..", "/", False),
        ("/..x", "/", True),
        ("/../../x", "/..", False),
        ("/../x", "/..", True),
    ],
)
def test_a_cgroup_is_below_another_by_whole_names(cgroup: str, ancestor: str, expected: bool) -> None:
    assert below(cgroup, ancestor) is expected


def test_a_memcg_oom_takes_members_only() -> None:
    outsider, member = task(10, rss=900, memcg="/other"), task(11, rss=5, memcg="/m/deep")
    assert chosen_pid(outsider, member, memcg="/m") == 11


def test_who_is_outside_is_told_the_cgroup() -> None:
    assert reason_spared(task(10, memcg="/mm"), memcg="/m") == WhySpared(Unkillable.OTHER_MEMCG, memcg="/m")


def test_a_task_of_unknown_cgroup_is_in_the_root_cgroup() -> None:
    assert chosen_pid(task(10, rss=5), memcg="/") == 10
    assert chosen_pid(task(10, rss=5), memcg="/m") is None


@pytest.mark.parametrize(
    ("kernel", "victim"),
    [pytest.param("5.2", 10, id="every thread is visited"), pytest.param("5.3", None, id="only leaders are")],
)
def test_a_process_of_which_only_a_thread_is_a_member(kernel: str, victim: int | None) -> None:
    split = task(10, rss=5, memcg="/elsewhere", threads=(Thread(20, "worker", memcg="/m"),))
    assert chosen_pid(split, memcg="/m", kernel=kernel) == victim


@pytest.mark.parametrize("constraint", [Constraint.NONE, Constraint.CPUSET])
def test_a_task_on_other_nodes_is_skipped(constraint: Constraint) -> None:
    far, near, anywhere = task(10, rss=900, mems=NODE_1), task(11, rss=5, mems=NODE_0), task(12, rss=1)
    assert chosen_pid(far, near, anywhere, constraint=constraint, current_mems=NODE_0) == 11
    spared = reason_spared(far, constraint=constraint, current_mems=NODE_0)
    assert spared == WhySpared(Unkillable.OTHER_NODES, nodes=NODE_0)


def test_one_thread_on_an_allowed_node_is_enough() -> None:
    reaches = task(10, rss=900, mems=NODE_1, threads=(Thread(20, "worker", mems=NODE_0),))
    assert chosen_pid(reaches, task(11, rss=5), current_mems=NODE_0) == 10


@pytest.mark.parametrize(
    ("kernel", "victim"), [pytest.param("5.2", 11, id="tested"), pytest.param("5.3", 10, id="not tested any more")]
)
def test_nodes_in_a_memcg_oom(kernel: str, victim: int) -> None:
    far, near = task(10, rss=900, memcg="/m", mems=NODE_1), task(11, rss=5, memcg="/m", mems=NODE_0)
    assert chosen_pid(far, near, memcg="/m", current_mems=NODE_0, kernel=kernel) == victim


@pytest.mark.parametrize(
    ("mode", "kernel", "victim"),
    [
        pytest.param("bind", "7.1", 11, id="bind elsewhere spares"),
        pytest.param("bind", "5.10", 11, id="bind elsewhere always spared"),
        pytest.param("interleave", "5.14", 10, id="interleave elsewhere does not"),
        pytest.param("interleave", "5.10", 11, id="interleave elsewhere did before 5.14"),
        pytest.param("preferred", "5.10", 10, id="preferred never did"),
    ],
)
def test_a_task_whose_policy_excludes_the_nodes(mode: str, kernel: str, victim: int) -> None:
    far, near = task(10, rss=900, mempolicy=Mempolicy(mode, NODE_1)), task(11, rss=5)
    situation: dict[str, Any] = {"constraint": Constraint.MEMPOLICY, "nodemask": NODE_0, "kernel": kernel}
    assert chosen_pid(far, near, **situation) == victim


def test_a_mempolicy_oom_ignores_cpusets() -> None:
    far = task(10, rss=900, mems=NODE_1)
    assert chosen_pid(far, constraint=Constraint.MEMPOLICY, nodemask=NODE_0, current_mems=NODE_0) == 10


def test_one_thread_without_the_policy_is_enough() -> None:
    bound = task(10, rss=900, mempolicy=Mempolicy("bind", NODE_1), threads=(Thread(20, "worker"),))
    assert chosen_pid(bound, task(11, rss=5), constraint=Constraint.MEMPOLICY, nodemask=NODE_0) == 10
