"""A look is judged by the kernel's rules, as it is and with what is only thought of."""

from __future__ import annotations

from oomctl.live.standing import Standing, judged
from oomctl.model.kernel import Task
from oomctl.model.listing import Details
from oomctl.model.look import Look
from tests.tasks import scenario, task


def stand(*tasks: Task, what_if: dict[int, int] | None = None) -> Standing:
    details = {one.pid: Details(user=f"user{one.pid}") for one in tasks}
    return judged(Look(scenario(*tasks), details), what_if)


def ranks(standing: Standing) -> dict[int, int | None]:
    return {row.task.pid: row.rank for row in standing.rows}


def victims(standing: Standing) -> list[int | None]:
    return [result.victim.task.pid if result.victim else None for result in (standing.now, standing.then)]


def test_rows_stand_by_rank_with_their_details() -> None:
    standing = stand(task(10, rss=100), task(11, rss=300), task(12, rss=900, adj=-1000))
    assert ranks(standing) == {11: 1, 10: 2, 12: None}
    assert [row.details.user for row in standing.rows] == ["user11", "user10", "user12"]


def test_a_what_if_reorders_the_rows_and_keeps_what_is_true_now() -> None:
    standing = stand(task(10, rss=100), task(11, rss=300), what_if={10: 500})
    assert ranks(standing) == {10: 1, 11: 2}
    assert victims(standing) == [11, 10]


def test_a_what_if_about_a_process_that_is_gone_changes_nothing() -> None:
    standing = stand(task(10, rss=100), what_if={99: 1000})
    assert victims(standing) == [10, 10]


def test_who_shares_the_memory_takes_the_same_adj() -> None:
    standing = stand(task(10, rss=100, mm="a"), task(11, rss=100, mm="a"), task(12, rss=50), what_if={10: -1000})
    assert ranks(standing) == {12: 1, 10: None, 11: None}


def test_without_anybody_to_kill_there_are_still_rows() -> None:
    standing = stand(task(10, rss=900, adj=-1000))
    assert ranks(standing) == {10: None}
    assert victims(standing) == [None, None]
