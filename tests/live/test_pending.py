"""Changes that are only thought of: marks, the question before a write, what is said after it."""

from __future__ import annotations

import pytest

from oomctl.live.pending import Mark, Marks, outcome, possible, question, report, stepped, summary
from oomctl.live.standing import judged
from oomctl.model.changes import Change, Status
from oomctl.model.look import Look
from tests.tasks import scenario, task

JAVA, DB, INIT = task(20, rss=900, comm="java"), task(10, rss=500, comm="db"), task(1, comm="init", init=True)
LOOK = Look(scenario(JAVA, DB, INIT), {})


def test_the_latest_mark_of_a_process_counts() -> None:
    marks = Marks().with_adj(JAVA, 100).with_adj(DB, 5).with_adj(JAVA, 200)
    assert marks.what_if == {10: 5, 20: 200}
    assert marks.without_last().what_if == {10: 5}


def test_the_value_it_really_has_is_no_mark() -> None:
    assert Marks().with_adj(JAVA, 100).with_adj(JAVA, 0) == Marks()


def test_marks_end_with_their_process_or_when_they_have_come_true() -> None:
    marks = Marks().with_adj(JAVA, 100).with_adj(DB, 5)
    reused = JAVA._replace(start_ticks=77)
    assert marks.still_true([reused, DB]) == (Marks((Mark(DB, 5),)), (Mark(JAVA, 100),))
    assert marks.still_true([JAVA._replace(adj=100), DB]) == (Marks((Mark(DB, 5),)), ())
    assert marks.still_true([]) == (Marks(), marks.marks)


def test_what_one_key_marked_is_taken_away_together() -> None:
    marks = Marks().with_adj(INIT, 7).with_all([Mark(JAVA, 100), Mark(DB, 5)])
    assert [mark.task for mark in marks.last()] == [JAVA, DB]
    assert marks.without_last().what_if == {1: 7}
    assert marks.without_last().without_last() == Marks()
    assert marks.with_adj(DB, 6).without_last().without_last().what_if == {1: 7}


def test_what_a_group_has_already_is_no_mark() -> None:
    assert Marks().with_all([Mark(JAVA, 0), Mark(DB, 5)]).what_if == {10: 5}


@pytest.mark.parametrize(
    ("adj", "step", "after"), [(0, 100, 100), (950, 100, 1000), (-1000, -10, -1000), (-995, -10, -1000), (0, -10, -10)]
)
def test_steps_stay_in_the_kernels_range(adj: int, step: int, after: int) -> None:
    assert stepped(adj, step) == after


def test_the_question_names_processes_values_ranks_and_the_next_victim() -> None:
    changes = [
        Change(20, "java", 0, -1000, Status.DRY_RUN),
        Change(1, "in\x1bit", None, None, Status.REFUSED, "PID 1: never"),
    ]
    asked = report(judged(LOOK, {20: -1000}), changes)
    assert question(asked) == [
        "Write oom_score_adj of 1 process?",
        "next victim: 20 (java) -> 10 (db)",
        "",
        r"1 (in\x1bit): refused: PID 1: never",
        "20 (java): oom_score_adj would go 0 -> -1000, rank 1 -> cannot be chosen",
    ]
    assert possible(asked.changes) == [asked.changes[0]]


def test_the_question_says_what_could_be_lost() -> None:
    changes = [Change(pid, "java", 0, 1000, Status.DRY_RUN) for pid in range(100, 121)]
    asked = report(judged(LOOK), changes)
    assert question(asked, risks=["careful: 9 (sshd): sshd"])[:5] == [
        "Write oom_score_adj of 21 processes?",
        "next victim: 20 (java), as before",
        "careful: 21 processes would be raised at once",
        "careful: 9 (sshd): sshd",
        "",
    ]
    assert "careful" not in " ".join(question(asked._replace(changes=asked.changes[:20])))


def test_the_question_is_about_putting_back_where_that_is_meant() -> None:
    asked = report(judged(LOOK), [Change(20, "java", 1000, 0, Status.DRY_RUN)])
    assert question(asked, "Put back")[0] == "Put back oom_score_adj of 1 process?"


def test_of_many_written_values_one_line_says_how_many() -> None:
    changes = [Change(pid, "java", 0, 5, Status.CHANGED) for pid in range(100, 130)]
    assert summary(report(judged(LOOK), changes)) == ("30 processes changed; next victim: 20 (java), as before")
    assert summary(report(judged(LOOK), changes[:1])).startswith("100 (java): oom_score_adj 0 -> 5, ")


def test_without_anything_to_write_there_is_no_question() -> None:
    asked = report(judged(LOOK), [Change(1, "init", None, None, Status.REFUSED, "PID 1: never")])
    assert question(asked) == ["Nothing can be written.", "", "1 (init): refused: PID 1: never"]


def test_the_outcome_says_what_became_of_each() -> None:
    done = [
        Change(20, "java", 0, 300, Status.CHANGED),
        Change(10, "db", 0, 0, Status.DENIED, "that takes a capability"),
    ]
    assert outcome(report(judged(LOOK, {20: 300}), done)) == [
        "10 (db): denied: that takes a capability",
        "20 (java): oom_score_adj 0 -> 300, rank 1 -> rank 1",
        "next victim: 20 (java), as before",
    ]
