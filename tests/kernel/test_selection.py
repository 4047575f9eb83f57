from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from oomctl.kernel.rules import rules_for
from oomctl.kernel.selection import memcg_order
from oomctl.model.kernel import Constraint, Decisive, Outcome, Task, Thread, Unkillable, WhyEnded, WhySpared
from tests.tasks import chosen_pid, ranked_pids, reason_spared, round_of, task

FIRST_WINS = ["3.10", "4.4", "4.9", "4.19", "5.2", "rhel8.1"]
LAST_WINS = ["5.3", "5.4", "5.10", "6.18", "7.1", "rhel8.3", "rhel9"]


def test_the_highest_badness_is_chosen() -> None:
    tasks = [task(10, rss=100), task(11, rss=300), task(12, rss=200)]
    assert {chosen_pid(*order) for order in permutations(tasks)} == {11}


@pytest.mark.parametrize("kernel", LAST_WINS)
def test_on_equal_badness_the_later_task_dies(kernel: str) -> None:
    assert chosen_pid(task(10, rss=500), task(11, rss=500), kernel=kernel) == 11


@pytest.mark.parametrize("kernel", FIRST_WINS)
def test_before_5_3_on_equal_badness_the_earlier_task_dies(kernel: str) -> None:
    assert chosen_pid(task(10, rss=500), task(11, rss=500), kernel=kernel) == 10


@pytest.mark.parametrize(("kernel", "order"), [("3.10", [12, 11]), ("rhel7", [12, 11]), ("4.4", [11, 12])])
def test_the_newest_of_a_cgroup_comes_first_before_4_4(kernel: str, order: list[int]) -> None:
    members = task(11, rss=500), task(12, rss=500)
    in_order = memcg_order(members, rules_for(kernel))
    assert [member.pid for member in in_order] == order
    assert chosen_pid(*(member._replace(memcg="/m") for member in in_order), memcg="/m", kernel=kernel) == order[0]


def test_later_is_by_scan_order_not_by_pid() -> None:
    assert chosen_pid(task(30000, rss=500), task(11, rss=500)) == 11


@pytest.mark.parametrize(
    ("kernel", "expected"), [("7.1", [12, 11, 10, 13]), pytest.param("5.2", [10, 11, 12, 13], id="5.2")]
)
def test_equals_are_ranked_in_the_order_in_which_they_would_win(kernel: str, expected: list[int]) -> None:
    equals = [task(10, rss=500), task(11, rss=500), task(12, rss=500), task(13, rss=400)]
    assert ranked_pids(*equals, kernel=kernel) == expected


def test_badness_below_zero_keeps_its_order() -> None:
    assert chosen_pid(task(10, rss=500, adj=-500), task(11, rss=5, adj=-900)) == 10


def test_before_5_9_all_below_1_tie() -> None:
    assert chosen_pid(task(10, rss=500, adj=-500), task(11, rss=5, adj=-900), kernel="5.8") == 11


@pytest.mark.parametrize("kernel", ["3.10", "4.4", "5.4", "7.1"])
def test_minus_1000_is_never_chosen_however_small_the_domain(kernel: str) -> None:
    protected = task(10, rss=900, adj=-1000)
    assert chosen_pid(protected, task(11, rss=1), totalpages=999, kernel=kernel) == 11
    assert reason_spared(protected, kernel=kernel) == WhySpared(Unkillable.ADJ_MIN)


def test_minus_999_is_a_candidate() -> None:
    assert chosen_pid(task(10, rss=1, adj=-999)) == 10


@pytest.mark.parametrize("kernel", ["3.10", "4.4", "5.4", "7.1"])
@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        pytest.param({"init": True}, Unkillable.GLOBAL_INIT, id="global init"),
        pytest.param({"kthread": True}, Unkillable.KTHREAD, id="kernel thread with a borrowed memory map"),
        pytest.param({"zombie": True}, Unkillable.ZOMBIE, id="zombie"),
    ],
)
def test_never_chosen(facts: dict[str, Any], kind: Unkillable, kernel: str) -> None:
    immune = task(10, rss=900, adj=1000, **facts)
    assert chosen_pid(immune, task(11, rss=1), kernel=kernel) == 11
    assert reason_spared(immune, kernel=kernel) == WhySpared(kind)


def test_pid_1_of_a_container_is_an_ordinary_candidate() -> None:
    assert chosen_pid(task(7000, rss=900), task(11, rss=1)) == 7000


def test_a_zombie_leader_with_live_threads_is_a_candidate() -> None:
    undead = task(10, rss=900, zombie_leader=True, threads=(Thread(12, "worker"),))
    assert chosen_pid(undead, task(11, rss=1)) == 10


@pytest.mark.parametrize("fact", ["vfork", "oom_skip"])
@pytest.mark.parametrize(("kernel", "victim"), [("4.4", 10), ("4.9", 11), ("7.1", 11)])
def test_vfork_and_reaped_memory_are_skipped_since_4_9(fact: str, kernel: str, victim: int) -> None:
    marked = task(10, rss=900, **{fact: True})
    assert chosen_pid(marked, task(11, rss=1), kernel=kernel) == victim


ORIGIN = task(10, rss=1, adj=-1000, origin=True)


@pytest.mark.parametrize("kernel", ["3.10", "4.4", "5.4", "7.1"])
def test_an_oom_origin_is_taken_first_even_at_minus_1000(kernel: str) -> None:
    assert chosen_pid(ORIGIN, task(11, rss=900, adj=1000), kernel=kernel) == 10


@pytest.mark.parametrize("kernel", ["4.4", "7.1"])
def test_of_several_origins_the_last_is_taken(kernel: str) -> None:
    assert chosen_pid(ORIGIN._replace(rss_pages=900), ORIGIN._replace(pid=11), task(12), kernel=kernel) == 11


def test_an_origin_in_vfork_or_reaped_is_taken_nevertheless() -> None:
    assert chosen_pid(ORIGIN._replace(vfork=True, oom_skip=True), task(11, rss=900)) == 10


@pytest.mark.parametrize(("kernel", "victim"), [("3.10", 11), ("4.4", 11), ("4.9", 10), ("7.1", 10)])
def test_an_origin_without_memory_was_passed_over_before_4_9(kernel: str, victim: int) -> None:
    assert chosen_pid(ORIGIN._replace(zombie=True), task(11, rss=900), kernel=kernel) == victim


def test_an_origin_without_memory_is_chosen_and_nobody_dies() -> None:
    gone = ORIGIN._replace(zombie=True)
    result = round_of(gone, task(11, rss=900), kernel="5.10")
    assert (result.outcome, result.killed, result.freed_pages) == (Outcome.SILENT_MARK, (), 0)
    assert result.reason == WhyEnded(Decisive.CHOSEN_IS_GONE, gone)


@pytest.mark.parametrize("kernel", ["3.10", "4.4", "4.9", "7.1"])
def test_an_exiting_origin_is_chosen_and_not_waited_for(kernel: str) -> None:
    result = round_of(ORIGIN._replace(exiting=True), task(11, rss=900), kernel=kernel)
    assert result.victim is not None
    assert (result.outcome, result.victim.task.pid, result.killed) == (Outcome.SILENT_MARK, 10, ())


@pytest.mark.parametrize("kernel", ["3.10", "4.4"])
def test_beside_an_origin_another_exiting_task_still_aborts(kernel: str) -> None:
    assert round_of(ORIGIN, task(11, exiting=True), kernel=kernel).outcome is Outcome.ABORT


@pytest.mark.parametrize(
    ("facts", "situation"),
    [
        pytest.param({"init": True}, {}, id="init"),
        pytest.param({"kthread": True}, {}, id="kernel thread"),
        pytest.param({"memcg": "/other"}, {"memcg": "/m"}, id="in another cgroup"),
        pytest.param({"mems": frozenset({1})}, {"current_mems": frozenset({0})}, id="on other nodes"),
    ],
)
def test_an_origin_must_still_be_within_reach(facts: dict[str, Any], situation: dict[str, Any]) -> None:
    origin = ORIGIN._replace(**facts)
    assert chosen_pid(origin, task(11, rss=900, memcg="/m"), **situation) == 11


IN_FLIGHT = task(10, rss=1, oom_victim=True)
BYSTANDERS = (task(11, rss=900), task(12, rss=5))


@pytest.mark.parametrize("kernel", ["3.10", "4.4", "4.9", "7.1"])
def test_a_victim_in_flight_aborts_the_scan_wherever_it_stands(kernel: str) -> None:
    for order in permutations((IN_FLIGHT, *BYSTANDERS)):
        assert round_of(*order, kernel=kernel).outcome is Outcome.ABORT


def test_an_abort_names_who_is_waited_for() -> None:
    assert round_of(IN_FLIGHT, *BYSTANDERS).reason == WhyEnded(Decisive.VICTIM_IS_DYING, IN_FLIGHT)


def test_a_victim_in_flight_aborts_even_before_an_origin() -> None:
    assert round_of(ORIGIN._replace(pid=20), IN_FLIGHT).outcome is Outcome.ABORT


def test_an_origin_in_flight_aborts_too() -> None:
    assert round_of(ORIGIN._replace(oom_victim=True), *BYSTANDERS).outcome is Outcome.ABORT


def test_a_victim_outside_the_domain_does_not_abort() -> None:
    outside = IN_FLIGHT._replace(memcg="/other")
    assert chosen_pid(outside, task(11, rss=5, memcg="/m"), memcg="/m") == 11


@pytest.mark.parametrize("kernel", ["3.10", "4.4", "4.9", "7.1"])
def test_sysrq_f_does_not_wait_for_victims_in_flight(kernel: str) -> None:
    assert chosen_pid(IN_FLIGHT, *BYSTANDERS, kernel=kernel, sysrq=True) == 11


def test_sysrq_f_may_take_a_victim_in_flight_again() -> None:
    assert chosen_pid(IN_FLIGHT._replace(rss_pages=9000), *BYSTANDERS, sysrq=True) == 10


@pytest.mark.parametrize("sysrq", [False, True])
def test_a_reaped_victim_is_skipped(sysrq: bool) -> None:
    reaped = IN_FLIGHT._replace(oom_skip=True, rss_pages=9000)
    assert chosen_pid(reaped, *BYSTANDERS, sysrq=sysrq) == 11
    assert reason_spared(reaped, sysrq=sysrq) == WhySpared(Unkillable.REAPED)


@pytest.mark.parametrize(
    ("kernel", "outcome"),
    [("3.10", Outcome.ABORT), ("4.4", Outcome.ABORT), ("4.9", Outcome.KILL), ("7.1", Outcome.KILL)],
)
def test_a_merely_exiting_task_aborted_before_the_reaper_came(kernel: str, outcome: Outcome) -> None:
    assert round_of(task(10, rss=1, exiting=True), *BYSTANDERS, kernel=kernel).outcome is outcome


@pytest.mark.parametrize("kernel", ["3.10", "4.4"])
def test_an_exiting_task_without_memory_does_not_abort(kernel: str) -> None:
    assert chosen_pid(task(10, exiting=True, zombie=True), *BYSTANDERS, kernel=kernel) == 11


@pytest.mark.parametrize(("kernel", "outcome"), [("3.10", Outcome.KILL), ("4.4", Outcome.ABORT)])
def test_in_3_10_a_traced_exit_does_not_abort(kernel: str, outcome: Outcome) -> None:
    traced = task(10, rss=1, exiting=True, ptraced_exit=True)
    assert round_of(traced, *BYSTANDERS, kernel=kernel).outcome is outcome


@pytest.mark.parametrize("kernel", ["3.10", "4.4"])
def test_sysrq_f_does_not_wait_for_exiting_tasks(kernel: str) -> None:
    assert chosen_pid(task(10, rss=1, exiting=True), *BYSTANDERS, kernel=kernel, sysrq=True) == 11


def test_everyone_is_either_ranked_or_spared() -> None:
    tasks: list[Task] = [task(10, rss=5), task(11, init=True), task(12, adj=-1000), task(13, zombie=True), task(14)]
    result = round_of(*tasks)
    ranked = {candidate.task.pid for candidate in result.ranking}
    spared = {entry.task.pid for entry in result.spared}
    assert ranked == {10, 14}
    assert spared == {11, 12, 13}


def test_a_cpuset_oom_is_selected_like_a_global_one() -> None:
    assert chosen_pid(task(10, rss=5), task(11, rss=9), constraint=Constraint.CPUSET) == 11
