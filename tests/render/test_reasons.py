"""Every reason has its sentence."""

from __future__ import annotations

from typing import Any

import pytest

from oomctl.model.changes import Doubt, Follower, Refusal, Risk, WhyLeftAlone
from oomctl.model.kernel import Decisive, Probed, Task, Unkillable, WhyEnded, WhySpared
from oomctl.render import reasons, refusals
from tests.tasks import round_of, task

ANN, BOB = task(10, comm="ann"), task(11, comm="{bob}")


@pytest.mark.parametrize("kind", Unkillable)
def test_what_keeps_a_task_from_being_chosen_has_a_sentence(kind: Unkillable) -> None:
    assert "None" not in reasons.spared(WhySpared(kind, "/m", frozenset({1})))


@pytest.mark.parametrize("seen", Probed)
def test_what_a_kernel_was_seen_to_do_has_a_sentence(seen: Probed) -> None:
    assert " " in reasons.probed(seen)


def test_a_sentence_names_the_cgroup_and_the_nodes() -> None:
    assert reasons.spared(WhySpared(Unkillable.OTHER_MEMCG, memcg="/m{0}")) == "not in the cgroup /m{0}"
    nodes = frozenset({3, 0, 2})
    assert reasons.spared(WhySpared(Unkillable.OTHER_NODES, nodes=nodes)) == "its NUMA nodes are all outside 0,2,3"


@pytest.mark.parametrize("kind", Decisive)
def test_what_decides_a_round_has_a_sentence(kind: Decisive) -> None:
    assert "None" not in reasons.ended(WhyEnded(kind, ANN, BOB, 1, 2, "/m"))


@pytest.mark.parametrize(
    ("why", "sentence"),
    [
        (
            WhyEnded(Decisive.HIGHEST_BADNESS, ANN, BOB, 7),
            "10 (ann) has the highest badness, 7 pages ahead of 11 ({bob})",
        ),
        (
            WhyEnded(Decisive.LAST_OF_EQUALS, ANN, BOB),
            "10 (ann) and 11 ({bob}) have equal badness; the last scanned is taken",
        ),
        (WhyEnded(Decisive.CHILD_SACRIFICED, ANN, BOB), "10 (ann) is chosen, its child 11 ({bob}) dies in its place"),
        (WhyEnded(Decisive.ONLY_CANDIDATE, task(-1, comm="added")), "the added process (added) is the only candidate"),
        (WhyEnded(Decisive.COSTLY_ORDER, order=4), "an allocation of order 4 fails without an OOM kill"),
        (WhyEnded(Decisive.UNLIMITED, memcg="/m"), "the cgroup /m has no limit that it could hit"),
    ],
)
def test_a_sentence_names_whom_and_what_it_is_about(why: WhyEnded, sentence: str) -> None:
    assert reasons.ended(why) == sentence


def test_only_the_unit_of_a_margin_depends_on_where_it_was_read() -> None:
    ahead = task(12, comm=" pages ahead")
    why = WhyEnded(Decisive.HIGHEST_BADNESS, ahead, ANN, 7)
    assert reasons.ended(why, "permille") == "12 ( pages ahead) has the highest badness, 7 permille ahead of 10 (ann)"


@pytest.mark.parametrize(
    ("tasks", "situation", "sentence"),
    [
        ((), {}, "no killable process: the kernel panics, the system is deadlocked on memory"),
        ((), {"sysrq": True}, "no killable process: the request is only logged"),
        ((), {"memcg": "/m"}, "no killable process: the allocation fails or is forced through"),
    ],
)
def test_what_follows_when_nobody_can_be_killed(
    tasks: tuple[Task, ...], situation: dict[str, Any], sentence: str
) -> None:
    assert reasons.ended(round_of(*tasks, **situation).reason) == sentence


@pytest.mark.parametrize("kind", [*Doubt, *Follower, *Refusal, *Risk])
def test_why_a_process_is_left_alone_has_a_sentence(kind: Doubt | Follower | Refusal | Risk) -> None:
    assert "None" not in refusals.left_alone(WhyLeftAlone(kind, "bob", "/bin/x", "x.service"))


@pytest.mark.parametrize(
    ("kind", "option", "key"),
    [
        (Doubt.UNSEEN, " (--any-user takes it)", " (force = true takes it)"),
        (Follower.CHILD, " (--all takes it)", ' (scope = "all" takes it)'),
        (Refusal.KTHREAD, " (--force overrides)", " (force = true overrides)"),
        (Risk.SSHD, " (--force overrides)", " (force = true overrides)"),
        (Refusal.ZOMBIE, "reaped", "reaped"),
    ],
)
def test_what_lifts_it_is_an_option_or_a_key_of_the_rule(
    kind: Doubt | Follower | Refusal | Risk, option: str, key: str
) -> None:
    assert refusals.left_alone(WhyLeftAlone(kind)).endswith(option)
    assert refusals.left_alone(WhyLeftAlone(kind, by_rule=True)).endswith(key)


def test_a_path_that_sounds_like_an_option_stays_as_it_is() -> None:
    why = WhyLeftAlone(Doubt.CHANGEABLE, path="/srv/(--all takes it)", by_rule=True)
    said = "its executable /srv/(--all takes it) can be changed by others than root (force = true takes it)"
    assert refusals.left_alone(why) == said
