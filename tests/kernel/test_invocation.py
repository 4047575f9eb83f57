from __future__ import annotations

from typing import Any

import pytest

from oomctl.kernel.invocation import out_of_memory, rounds
from oomctl.kernel.rules import rules_for
from oomctl.model.kernel import Certainty, Constraint, Decisive, Outcome, Task, WhyEnded
from tests.tasks import chosen_pid, round_of, scenario, task

BIG, SMALL = task(10, rss=900), task(11, rss=5)
TWIN, ORIGIN, CHILD = BIG._replace(pid=12), BIG._replace(origin=True), SMALL._replace(ppid=10)


@pytest.mark.parametrize(
    ("order", "expected"), [(-1, Outcome.KILL), (0, Outcome.KILL), (3, Outcome.KILL), (4, Outcome.NO_OOM)]
)
def test_a_costly_allocation_fails_without_a_kill(order: int, expected: Outcome) -> None:
    assert round_of(BIG, order=order).outcome is expected


@pytest.mark.parametrize(
    ("constraint", "kernel", "expected"),
    [
        pytest.param(Constraint.NONE, "7.1", Outcome.NO_OOM, id="global"),
        pytest.param(Constraint.CPUSET, "7.1", Outcome.NO_OOM, id="cpuset"),
        pytest.param(Constraint.MEMCG, "5.3", Outcome.NO_OOM, id="memcg before 5.4"),
        pytest.param(Constraint.MEMCG, "5.4", Outcome.KILL, id="memcg since 5.4"),
    ],
)
def test_an_allocation_that_may_not_enter_the_file_system(
    constraint: Constraint, kernel: str, expected: Outcome
) -> None:
    member = task(10, rss=900, memcg="/")
    assert round_of(member, constraint=constraint, kernel=kernel, gfp_fs=False).outcome is expected


@pytest.mark.parametrize(
    ("setting", "constraint", "expected"),
    [
        (0, Constraint.NONE, Outcome.KILL),
        (1, Constraint.NONE, Outcome.PANIC),
        (1, Constraint.CPUSET, Outcome.KILL),
        (1, Constraint.MEMPOLICY, Outcome.KILL),
        (1, Constraint.MEMCG, Outcome.KILL),
        (2, Constraint.NONE, Outcome.PANIC),
        (2, Constraint.CPUSET, Outcome.PANIC),
        (2, Constraint.MEMCG, Outcome.PANIC),
    ],
)
def test_panic_on_oom(setting: int, constraint: Constraint, expected: Outcome) -> None:
    member = task(10, rss=900, memcg="/")
    assert round_of(member, constraint=constraint, panic_on_oom=setting).outcome is expected


@pytest.mark.parametrize("setting", [1, 2])
@pytest.mark.parametrize(
    ("kernel", "expected"), [("3.10", Outcome.PANIC), ("4.4", Outcome.KILL), ("7.1", Outcome.KILL)]
)
def test_sysrq_f_is_exempt_from_panic_on_oom_since_4_4(setting: int, kernel: str, expected: Outcome) -> None:
    assert round_of(BIG, kernel=kernel, sysrq=True, panic_on_oom=setting).outcome is expected


def test_a_panic_kills_nobody() -> None:
    result = round_of(BIG, panic_on_oom=2)
    assert (result.victim, result.killed, result.freed_pages) == (None, (), 0)


def test_panic_on_oom_comes_before_the_allocating_task() -> None:
    assert round_of(BIG, current=10, oom_kill_allocating_task=True, panic_on_oom=1).outcome is Outcome.PANIC


ALLOCATING: dict[str, Any] = {"current": 11, "oom_kill_allocating_task": True}


def test_the_allocating_task_dies_where_that_is_set() -> None:
    result = round_of(BIG, SMALL, **ALLOCATING)
    assert result.victim is not None
    assert result.victim.task.pid == 11
    assert result.certainty is Certainty.CERTAIN


def test_the_allocating_task_does_not_die_where_that_is_not_set() -> None:
    assert chosen_pid(BIG, SMALL, current=11) == 10


@pytest.mark.parametrize("fact", ["vfork", "oom_skip", "oom_victim"])
def test_the_allocating_task_dies_even_when(fact: str) -> None:
    assert chosen_pid(BIG, task(11, rss=5, **{fact: True}), **ALLOCATING) == 11


def test_a_victim_in_flight_does_not_save_the_allocating_task() -> None:
    assert chosen_pid(BIG._replace(oom_victim=True), SMALL, **ALLOCATING) == 11


@pytest.mark.parametrize("fact", [{"adj": -1000}, {"init": True}, {"kthread": True}, {"mems": frozenset({1})}])
def test_the_scan_runs_when_the_allocating_task_cannot_be_chosen(fact: dict[str, Any]) -> None:
    immune = SMALL._replace(**fact)
    assert chosen_pid(BIG, immune, current_mems=frozenset({0}), **ALLOCATING) == 10


def test_a_memcg_oom_never_takes_the_allocating_task() -> None:
    members = [member._replace(memcg="/m") for member in (BIG, SMALL)]
    assert chosen_pid(*members, memcg="/m", **ALLOCATING) == 10


def test_sysrq_f_never_takes_the_allocating_task() -> None:
    assert chosen_pid(BIG, SMALL, sysrq=True, order=-1, **ALLOCATING) == 10


def test_an_allocating_task_that_is_dying_gets_reserves_and_nobody_dies() -> None:
    result = round_of(BIG, SMALL._replace(exiting=True), current=11)
    assert result.outcome is Outcome.SILENT_MARK
    assert result.killed == ()
    assert result.victim is not None
    assert result.victim.task.pid == 11


def test_a_chosen_task_that_is_dying_is_marked_silently() -> None:
    result = round_of(BIG._replace(exiting=True), SMALL)
    assert result.outcome is Outcome.SILENT_MARK
    assert (result.killed, result.freed_pages) == ((), 0)


def test_a_dying_task_that_is_not_the_worst_changes_nothing() -> None:
    assert chosen_pid(BIG, SMALL._replace(exiting=True)) == 10


def test_a_dying_task_whose_memory_others_keep_is_killed_with_them() -> None:
    dying, living = BIG._replace(exiting=True, mm="a"), task(12, rss=900, mm="a")
    result = round_of(living, dying)
    assert result.outcome is Outcome.KILL
    assert [dead.pid for dead in result.killed] == [10, 12]


SHARED_BY_A_LIVING = BIG._replace(exiting=True, mm="a"), task(12, rss=5, mm="a")


@pytest.mark.parametrize(("kernel", "outcome"), [("4.4", Outcome.SILENT_MARK), ("4.9", Outcome.KILL)])
def test_up_to_4_7_a_dying_allocating_task_is_marked_whoever_keeps_its_memory(kernel: str, outcome: Outcome) -> None:
    assert round_of(*SHARED_BY_A_LIVING, kernel=kernel, current=10).outcome is outcome


@pytest.mark.parametrize(("kernel", "outcome"), [("4.4", Outcome.SILENT_MARK), ("4.9", Outcome.KILL)])
def test_up_to_4_7_a_dying_chosen_task_is_marked_whoever_keeps_its_memory(kernel: str, outcome: Outcome) -> None:
    # With SysRq, as without it these kernels wait for whoever is dying.
    assert round_of(*SHARED_BY_A_LIVING, kernel=kernel, sysrq=True).outcome is outcome


def test_a_zombie_keeps_no_memory_from_a_dying_task() -> None:
    dying, gone = BIG._replace(exiting=True, mm="a"), task(12, mm="a", zombie=True)
    assert round_of(dying, gone).outcome is Outcome.SILENT_MARK


@pytest.mark.parametrize(("kernel", "outcome"), [("4.4", Outcome.SILENT_MARK), ("4.9", Outcome.KILL)])
def test_only_kernels_with_a_reaper_ask_whether_it_has_been_there(kernel: str, outcome: Outcome) -> None:
    assert round_of(BIG, SMALL._replace(exiting=True, oom_skip=True), kernel=kernel, current=11).outcome is outcome


@pytest.mark.parametrize("kernel", ["4.4", "4.9", "5.10", "7.1"])
def test_an_allocating_task_without_memory_is_never_marked(kernel: str) -> None:
    result = round_of(BIG, SMALL._replace(exiting=True, zombie=True), kernel=kernel, current=11)
    assert (result.outcome, [dead.pid for dead in result.killed]) == (Outcome.KILL, [10])


@pytest.mark.parametrize(
    ("constraint", "sysrq", "expected"),
    [
        pytest.param(Constraint.NONE, False, Outcome.PANIC, id="global"),
        pytest.param(Constraint.CPUSET, False, Outcome.PANIC, id="cpuset"),
        pytest.param(Constraint.MEMCG, False, Outcome.NO_KILLABLE, id="memcg"),
        pytest.param(Constraint.NONE, True, Outcome.NO_KILLABLE, id="sysrq-f"),
    ],
)
def test_without_anybody_to_kill(constraint: Constraint, sysrq: bool, expected: Outcome) -> None:
    result = round_of(task(10, adj=-1000, memcg="/"), constraint=constraint, sysrq=sysrq)
    assert result.outcome is expected
    assert [entry.task.pid for entry in result.spared] == [10]


def test_an_empty_machine_has_nobody_to_kill() -> None:
    assert round_of().outcome is Outcome.PANIC


def test_other_rules_can_be_asked_about_the_same_scenario() -> None:
    tie = scenario(task(10, rss=5), task(11, rss=5), kernel="7.1")
    newer, older = out_of_memory(tie), out_of_memory(tie, rules_for("4.19"))
    assert newer.victim is not None
    assert older.victim is not None
    assert (newer.victim.task.pid, older.victim.task.pid) == (11, 10)


def killed_in_turn(count: int, free_pages: int = 0) -> list[int]:
    machine = scenario(task(10, rss=100), task(11, rss=300), task(12, rss=200), task(13, adj=-1000))
    return [dead.pid for result in rounds(machine, count, free_pages) for dead in result.killed]


def test_rounds_go_on_without_those_killed_before() -> None:
    assert killed_in_turn(2) == [11, 12]


def test_rounds_end_when_nobody_is_left() -> None:
    machine = scenario(BIG, task(13, adj=-1000))
    assert [result.outcome for result in rounds(machine, 9)] == [Outcome.KILL, Outcome.PANIC]


@pytest.mark.parametrize(("free_pages", "killed"), [(300, [11]), (301, [11, 12]), (501, [11, 12, 10])])
def test_rounds_end_when_enough_is_free(free_pages: int, killed: list[int]) -> None:
    assert killed_in_turn(9, free_pages=free_pages) == killed


@pytest.mark.parametrize(
    ("tasks", "situation", "reason"),
    [
        pytest.param((BIG, SMALL), {}, WhyEnded(Decisive.HIGHEST_BADNESS, BIG, SMALL, 895), id="ahead"),
        pytest.param((BIG,), {}, WhyEnded(Decisive.ONLY_CANDIDATE, BIG), id="alone"),
        pytest.param((BIG, TWIN), {}, WhyEnded(Decisive.LAST_OF_EQUALS, TWIN, BIG), id="tie"),
        pytest.param((BIG, TWIN), {"kernel": "4.19"}, WhyEnded(Decisive.FIRST_OF_EQUALS, BIG, TWIN), id="old tie"),
        pytest.param((ORIGIN, SMALL), {}, WhyEnded(Decisive.ORIGIN, ORIGIN), id="origin"),
        pytest.param((BIG, SMALL), ALLOCATING, WhyEnded(Decisive.ALLOCATING_TASK, SMALL), id="allocating"),
        pytest.param((BIG, CHILD), {"kernel": "4.19"}, WhyEnded(Decisive.CHILD_SACRIFICED, BIG, CHILD), id="child"),
    ],
)
def test_the_reason_says_why(tasks: tuple[Task, ...], situation: dict[str, Any], reason: WhyEnded) -> None:
    assert round_of(*tasks, **situation).reason == reason


DISABLED: dict[str, Any] = {"memcg": "/m", "kill_disabled": True, "kernel": "6.18"}
IN_M = BIG._replace(memcg="/m")


def test_a_cgroup_whose_killer_is_disabled_kills_nobody() -> None:
    found = round_of(IN_M, **DISABLED)
    assert (found.outcome, found.reason) == (
        Outcome.NO_KILL_DISABLED,
        WhyEnded(Decisive.KILL_DISABLED, memcg="/m"),
    )
    assert (found.victim, found.killed) == (None, ())
    assert [candidate.task.pid for candidate in found.ranking] == [BIG.pid]


def test_disabled_comes_before_a_panic_and_before_whoever_is_dying() -> None:
    assert round_of(IN_M, **DISABLED, panic_on_oom=2).outcome is Outcome.NO_KILL_DISABLED
    dying = IN_M._replace(exiting=True)
    assert round_of(dying, **DISABLED, current=dying.pid).outcome is Outcome.NO_KILL_DISABLED


def test_a_costly_order_gives_up_before_that() -> None:
    assert round_of(IN_M, **DISABLED, order=4).reason.kind is Decisive.COSTLY_ORDER


def test_when_the_machine_runs_out_it_does_not_matter_what_a_cgroup_disables() -> None:
    assert round_of(BIG, kill_disabled=True).outcome is Outcome.KILL


def test_a_cgroup_without_a_limit_has_no_oom() -> None:
    found = round_of(IN_M, memcg="/m", unlimited=True)
    assert (found.outcome, found.reason, found.victim) == (
        Outcome.NO_OOM,
        WhyEnded(Decisive.UNLIMITED, memcg="/m"),
        None,
    )
    assert round_of(BIG, unlimited=True).outcome is Outcome.KILL
