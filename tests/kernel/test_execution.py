from __future__ import annotations

from typing import Any

import pytest

from tests.tasks import chosen_pid, contender_pids, killed_pids, round_of, task

WITH_SACRIFICE = ["3.10", "rhel7.7", "4.4", "4.14", "4.19", "5.0"]
WITHOUT_SACRIFICE = ["rhel8.1", "5.1", "5.10", "7.1"]
PARENT = task(10, rss=900)
CHILD = task(11, rss=5, ppid=10)


def test_the_victim_alone_is_killed() -> None:
    assert killed_pids(task(10, rss=5), task(11, rss=900)) == [11]


def test_everyone_on_the_victims_memory_is_killed() -> None:
    sharers = [task(pid, rss=900, mm="a") for pid in (10, 12)]
    assert killed_pids(*sharers, task(11, rss=5, mm="b"), task(13, rss=5)) == [12, 10]


def test_init_and_kernel_threads_on_the_victims_memory_live() -> None:
    sharers = [task(1, mm="a", init=True), task(9, mm="a", kthread=True)]
    assert killed_pids(*sharers, task(10, rss=900, mm="a")) == [10]


def test_a_zombie_has_left_the_victims_memory() -> None:
    result = round_of(task(10, rss=900, mm="a"), task(11, mm="a", zombie=True))
    assert ([dead.pid for dead in result.killed], result.freed_pages) == ([10], 900)


@pytest.mark.parametrize(("kernel", "killed"), [("4.4", [10]), ("4.9", [10, 11]), ("7.1", [10, 11])])
def test_a_sharer_at_minus_1000_was_spared_before_4_9(kernel: str, killed: list[int]) -> None:
    assert killed_pids(task(10, rss=900, mm="a"), task(11, rss=900, mm="a", adj=-1000), kernel=kernel) == killed


def test_a_vfork_child_dies_with_its_parent() -> None:
    parent, child = task(10, rss=900, mm="a"), task(11, rss=900, mm="a", ppid=10, vfork=True)
    assert killed_pids(parent, child) == [10, 11]


@pytest.mark.parametrize("kernel", WITH_SACRIFICE)
def test_before_5_1_a_child_dies_instead_of_its_parent(kernel: str) -> None:
    result = round_of(PARENT, CHILD, kernel=kernel)
    assert result.selected == PARENT
    assert [dead.pid for dead in result.killed] == [11]


@pytest.mark.parametrize("kernel", WITHOUT_SACRIFICE)
def test_since_5_1_the_parent_dies_itself(kernel: str) -> None:
    result = round_of(PARENT, CHILD, kernel=kernel)
    assert result.selected is None
    assert [dead.pid for dead in result.killed] == [10]


def test_the_worst_child_is_sacrificed() -> None:
    assert chosen_pid(PARENT, CHILD, task(12, rss=50, ppid=10), task(13, rss=9, ppid=10), kernel="4.19") == 12


def test_of_equal_children_the_oldest_is_sacrificed() -> None:
    assert chosen_pid(PARENT, task(30, rss=5, ppid=10), task(12, rss=5, ppid=10), kernel="4.19") == 30


def test_a_child_whose_badness_is_clamped_is_enough() -> None:
    assert chosen_pid(PARENT, task(11, rss=5, ppid=10, adj=-900), kernel="4.19") == 11


def test_a_grandchild_is_not_sacrificed() -> None:
    protected = task(11, rss=5, ppid=10, adj=-1000)
    assert chosen_pid(PARENT, protected, task(12, rss=5, ppid=11), kernel="4.19") == 10


def test_a_child_on_the_parents_memory_is_not_sacrificed() -> None:
    parent, child = PARENT._replace(mm="a"), CHILD._replace(mm="a")
    assert chosen_pid(parent, child, kernel="4.19") == 10


def test_a_child_outside_the_domain_is_not_sacrificed() -> None:
    parent, child = PARENT._replace(memcg="/m"), CHILD._replace(memcg="/other")
    assert chosen_pid(parent, child, memcg="/m", kernel="4.19") == 10


def test_the_allocating_task_too_sacrifices_a_child() -> None:
    situation: dict[str, Any] = {"current": 10, "oom_kill_allocating_task": True, "kernel": "4.19"}
    assert chosen_pid(PARENT, CHILD, task(12, rss=9000), **situation) == 11


def test_the_children_of_every_contender_are_contenders() -> None:
    rival, heir = task(20, rss=890), task(21, rss=5, ppid=20)
    assert contender_pids(PARENT, CHILD, rival, heir, kernel="4.19", cpus=2) == {11, 21}
    assert contender_pids(PARENT, CHILD, rival, heir, kernel="4.19") == {11}


GROUP = (
    task(10, rss=900, memcg="/m/app"),
    task(11, rss=5, memcg="/m/app/deep"),
    task(12, rss=5, memcg="/m/app", adj=-1000),
    task(13, rss=5, memcg="/m/application"),
    task(14, rss=5, memcg="/m"),
)


def groups(*paths: str) -> dict[str, Any]:
    return {"oom_groups": frozenset(paths)}


def test_a_group_dies_with_its_member_except_at_minus_1000() -> None:
    assert killed_pids(*GROUP, **groups("/m/app")) == [10, 11]


def test_a_group_dies_in_a_memcg_oom_too() -> None:
    assert killed_pids(*GROUP, memcg="/m", **groups("/m/app")) == [10, 11]


def test_the_highest_group_up_to_the_domain_dies() -> None:
    assert killed_pids(*GROUP, **groups("/m/app", "/m")) == [10, 11, 13, 14]


def test_a_group_above_the_domain_does_not_die() -> None:
    assert killed_pids(*GROUP, memcg="/m/app", **groups("/m")) == [10]


def test_the_domain_itself_may_be_the_group() -> None:
    assert killed_pids(*GROUP, memcg="/m/app", **groups("/m/app")) == [10, 11]


def test_another_cgroups_group_lives() -> None:
    assert killed_pids(*GROUP, **groups("/m/application", "/m/app/deep")) == [10]


def test_the_root_is_never_a_group() -> None:
    assert killed_pids(task(10, rss=900, memcg="/"), task(11, memcg="/"), **groups("/")) == [10]


def test_init_kernel_threads_and_zombies_in_a_group_live() -> None:
    members = [task(20, memcg="/g", init=True), task(21, memcg="/g", kthread=True), task(22, memcg="/g", zombie=True)]
    assert killed_pids(task(10, rss=900, memcg="/g"), *members, **groups("/g")) == [10]


def test_who_shares_memory_with_a_member_of_the_group_dies() -> None:
    member, sharer = task(11, memcg="/g", mm="a"), task(12, memcg="/elsewhere", mm="a")
    assert killed_pids(task(10, rss=900, memcg="/g"), member, sharer, **groups("/g")) == [10, 11, 12]


def test_init_kernel_threads_and_zombies_on_a_members_memory_live() -> None:
    member = task(11, memcg="/g", mm="a")
    others = [task(1, mm="a", init=True), task(21, mm="a", kthread=True), task(22, mm="a", zombie=True)]
    assert killed_pids(task(10, rss=900, memcg="/g"), member, *others, **groups("/g")) == [10, 11]


def test_a_members_sharer_at_minus_1000_dies() -> None:
    member, sharer = task(11, memcg="/g", mm="a"), task(12, memcg="/g", mm="a", adj=-1000)
    assert killed_pids(task(10, rss=900, memcg="/g"), member, sharer, **groups("/g")) == [10, 11, 12]


def test_before_4_19_there_are_no_groups() -> None:
    assert killed_pids(*GROUP, kernel="4.14", **groups("/m/app")) == [10]


def test_a_kill_frees_private_memory_swap_and_page_tables() -> None:
    assert round_of(task(10, rss=900, anon=700, swap=50, pgtables=3)).freed_pages == 753


def test_without_the_private_part_all_rss_counts_as_freed() -> None:
    assert round_of(task(10, rss=900)).freed_pages == 900


def test_shared_memory_is_freed_once() -> None:
    assert round_of(task(10, rss=900, mm="a"), task(11, rss=900, mm="a")).freed_pages == 900


def test_memory_that_a_survivor_uses_is_not_freed() -> None:
    assert round_of(task(1, mm="a", init=True), task(10, rss=900, mm="a")).freed_pages == 0


def test_everyone_killed_counts_as_freed() -> None:
    assert round_of(*GROUP, **groups("/m/app")).freed_pages == 905
