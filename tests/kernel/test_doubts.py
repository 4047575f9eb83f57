from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from oomctl.kernel.invocation import out_of_memory, rounds
from oomctl.model.kernel import Certainty, Constraint, Doubt, Doubtful, Outcome, Scenario, Task
from tests.tasks import round_of, scenario, task

PAIR = task(10, rss=1000), task(11, rss=10)
GUESSED = Doubt(Doubtful.GUESSED_RULES, detail="3.10.0-vz7")
UNSEEN = Doubt(Doubtful.UNSEEN_MEMBERS)


def doubted(asked: Scenario, *doubts: Doubt, hidden: int = 0) -> Scenario:
    return asked._replace(doubts=doubts, hidden=hidden)


@pytest.mark.parametrize(
    ("asked", "doubt"),
    [
        (doubted(scenario(*PAIR), hidden=3), Doubt(Doubtful.HIDDEN_PROCESSES, 3)),
        (doubted(scenario(*PAIR), UNSEEN), UNSEEN),
        (doubted(scenario(*PAIR), GUESSED), GUESSED),
        (scenario(*PAIR, oom_kill_allocating_task=True), Doubt(Doubtful.ALLOCATING_TASK)),
    ],
    ids=["hidden", "unseen members", "guessed rules", "allocating task"],
)
def test_in_doubt_nothing_is_certain_however_far_the_first_leads(asked: Scenario, doubt: Doubt) -> None:
    result = out_of_memory(asked._replace(context=asked.context._replace(left_pages=0)))
    assert (result.outcome, result.certainty, result.doubts) == (Outcome.KILL, Certainty.CLOSE, (doubt,))
    assert not result.settled


def test_where_the_asker_decides_and_is_unknown_everybody_may_die() -> None:
    result = round_of(*PAIR, oom_kill_allocating_task=True)
    assert [contender.pid for contender in result.contenders] == [10, 11]


@pytest.mark.parametrize(
    "situation", [{"sysrq": True}, {"memcg": "/", "constraint": Constraint.MEMCG}, {"current": 11}]
)
def test_the_asker_does_not_decide_or_is_known(situation: dict[str, object]) -> None:
    result = round_of(*PAIR, oom_kill_allocating_task=True, **situation)
    assert (result.certainty, result.doubts) == (Certainty.CERTAIN, ())


def test_a_known_asker_dies_whoever_is_hidden() -> None:
    asked = scenario(*PAIR, oom_kill_allocating_task=True, current=11)
    assert out_of_memory(doubted(asked, hidden=3)).certainty is Certainty.CERTAIN
    assert out_of_memory(doubted(asked, GUESSED)).certainty is Certainty.CLOSE


@pytest.mark.parametrize("unseen", [doubted(scenario(), hidden=3), doubted(scenario(memcg="/a"), UNSEEN)])
def test_where_nobody_is_visible_and_some_are_hidden_the_outcome_is_unknown(unseen: Scenario) -> None:
    result = out_of_memory(unseen)
    assert (result.outcome, result.certainty) == (Outcome.UNKNOWN, Certainty.CLOSE)
    assert result.doubts


def test_a_sacrificed_child_is_in_doubt_with_its_parent() -> None:
    asked = scenario(task(10, rss=1000), task(11, rss=10, ppid=10), kernel="4.14")
    assert out_of_memory(asked).certainty is Certainty.CERTAIN
    result = out_of_memory(doubted(asked, hidden=1))
    assert (result.victim and result.victim.task.pid, result.certainty) == (11, Certainty.CLOSE)


COUNTED_TWICE = task(10, rss=10016, rss_exact_pages=10000), task(11, rss=9984, rss_exact_pages=10030)


def test_the_numbers_of_one_kernel_are_not_certain_for_another_that_counts_differently() -> None:
    asked = scenario(*PAIR, kernel="7.0")._replace(read_from="6.12.117")
    result = out_of_memory(asked)
    assert (result.certainty, result.doubts) == (Certainty.CLOSE, (Doubt(Doubtful.OTHER_COUNTERS, detail="6.12.117"),))


def test_with_the_exact_numbers_beside_them_they_are() -> None:
    result = out_of_memory(scenario(*COUNTED_TWICE, kernel="7.0")._replace(read_from="6.12.117"))
    assert (result.victim and result.victim.task.pid, result.doubts) == (11, ())


@pytest.mark.parametrize("facts", [{"zombie": True}, {"kthread": True}])
def test_who_has_no_memory_needs_no_exact_number(facts: dict[str, bool]) -> None:
    asked = scenario(*COUNTED_TWICE, task(12, **facts), kernel="7.0")._replace(read_from="6.12.117")
    assert out_of_memory(asked).doubts == ()
    assert out_of_memory(asked._replace(tasks=(*COUNTED_TWICE, task(12)))).doubts != ()


def test_a_kernel_that_is_not_asked_about_by_another_ones_numbers_has_no_doubt() -> None:
    assert round_of(*PAIR, kernel="7.0").doubts == ()


def test_what_a_kill_frees_is_left_for_the_next_round() -> None:
    lefts = task(10, rss=1000), task(11, rss=600), task(12, rss=10)
    first, second = rounds(scenario(*lefts, cpus=2, left_pages=100), 2)
    assert (first.settled, second.settled) == (True, False)


UNASKED = Doubt(Doubtful.UNSEEN_SHARERS)


def sized(pid: int, **facts: Any) -> Task:
    return task(pid, **{"rss": 1000, "vsize_bytes": 8_000_000, "start_stack": 7, **facts})


def test_where_nobody_could_be_asked_who_shares_memory_one_of_the_same_size_may_die_as_well() -> None:
    asked = doubted(scenario(sized(10), sized(11, adj=-1), left_pages=0), UNASKED)
    result = out_of_memory(asked)
    assert (result.certainty, result.doubts) == (Certainty.CLOSE, (Doubt(Doubtful.UNSEEN_SHARERS, 1),))
    assert (result.victim and result.victim.task.pid, result.settled) == (10, False)
    assert [contender.pid for contender in result.contenders] == [10]


def test_a_stack_that_is_not_known_may_be_the_same() -> None:
    asked = doubted(scenario(sized(10), sized(11, adj=-1, start_stack=0)), UNASKED)
    assert out_of_memory(asked).certainty is Certainty.CLOSE


def test_where_some_could_be_asked_only_one_whose_stack_is_not_known_may_die_as_well() -> None:
    some_asked = UNASKED._replace(number=3)
    assert out_of_memory(doubted(scenario(sized(10), sized(11, adj=-1)), some_asked)).doubts == ()
    for pair in permutations((7, 0)):
        ten, eleven = (sized(pid, start_stack=stack) for pid, stack in zip((10, 11), pair))
        asked = doubted(scenario(ten, eleven._replace(adj=-1)), some_asked)
        assert out_of_memory(asked).doubts == (UNASKED._replace(number=1),)


@pytest.mark.parametrize(
    "other",
    [
        sized(11, rss=999),
        sized(11, adj=-1, vsize_bytes=8_004_096),
        sized(11, adj=-1, start_stack=8),
        sized(11, kthread=True),
    ],
    ids=["other RSS", "other size", "other stack", "kernel thread"],
)
def test_who_cannot_share_the_victims_memory_is_no_doubt(other: Task) -> None:
    result = out_of_memory(doubted(scenario(sized(10), other), UNASKED))
    assert (result.certainty, result.doubts) == (Certainty.CERTAIN, ())


def test_who_is_known_not_to_share_is_no_doubt() -> None:
    assert out_of_memory(scenario(sized(10), sized(11, adj=-1))).doubts == ()


def test_who_dies_in_any_case_with_its_cgroup_is_no_doubt() -> None:
    pair = sized(10, memcg="/a"), sized(11, adj=-1, memcg="/a")
    asked = scenario(*pair, memcg="/a", constraint=Constraint.MEMCG, oom_groups=frozenset({"/a"}))
    assert out_of_memory(doubted(asked, UNASKED)).certainty is Certainty.CERTAIN
