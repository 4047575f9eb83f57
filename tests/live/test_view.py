"""Filter, order and groups of a live ranking."""

from __future__ import annotations

from typing import Any

from oomctl.live.standing import judged
from oomctl.live.view import View, grouped, shown
from oomctl.model.listing import Details, Row
from oomctl.model.look import Look
from oomctl.render import fields
from tests.tasks import scenario, task

TASKS = (
    task(10, rss=100, comm="postgres", swap=7),
    task(11, rss=300, comm="java"),
    task(12, rss=200, comm="postgres"),
    task(13, rss=900, comm="sshd", adj=-1000),
)
DETAILS = {
    10: Details("db", unit="pg.service", cgroup="/db/main"),
    11: Details("app", unit="web.service", cgroup="/web"),
    12: Details("db", unit="pg.service", cgroup="/db/spare"),
    13: Details("root"),
}
ROWS = judged(Look(scenario(*TASKS), DETAILS)).rows


def pids(**view: Any) -> list[int]:
    return [row.task.pid for row in shown(ROWS, View(**view), 4096)]


def test_by_rank_unless_asked_otherwise() -> None:
    assert pids() == [11, 12, 10, 13]


def test_sorted_by_any_column_and_turned_round() -> None:
    assert pids(sort=fields.find("rss")) == [13, 11, 12, 10]
    assert pids(sort=fields.find("comm")) == [11, 12, 10, 13]
    assert pids(sort=fields.find("pid"), reverse=True) == [13, 12, 11, 10]
    assert pids(reverse=True) == [10, 12, 11, 13]


def test_what_has_no_value_stays_last_the_other_way_round() -> None:
    assert pids(sort=fields.find("badness"), reverse=True) == [10, 12, 11, 13]
    assert pids(sort=fields.find("unit"), reverse=True) == [11, 12, 10, 13]


def test_the_filter_looks_at_pid_name_user_unit_and_cgroup_in_any_case() -> None:
    assert pids(words="JAVA") == [11]
    assert pids(words="13") == [13]
    assert pids(words="db") == [12, 10]
    assert pids(words="pg.service") == [12, 10]
    assert pids(words="/web") == [11]


def test_every_word_of_the_filter_must_occur() -> None:
    assert pids(words="db spare") == [12]
    assert pids(words="db java") == []


def test_ranks_stay_those_among_all() -> None:
    assert [row.rank for row in shown(ROWS, View(words="postgres"), 4096)] == [2, 3]


def test_only_some_processes_are_asked_about() -> None:
    assert [row.task.pid for row in shown(ROWS, View(), 4096, only={10, 13})] == [10, 13]


def test_a_group_sums_up_and_names_the_member_that_would_die() -> None:
    web, db, none = grouped(ROWS, "unit")
    assert (web.name, web.processes, web.first.task.pid) == ("web.service", 1, 11)
    assert (db.name, db.processes, db.rss_pages, db.swap_pages, db.first.task.pid) == ("pg.service", 2, 300, 7, 12)
    assert (none.name, none.first.rank) == ("-", None)


def test_where_there_are_no_units_the_cgroup_makes_the_group() -> None:
    rows = [row._replace(details=row.details._replace(unit=None)) for row in ROWS]
    assert [group.name for group in grouped(rows, "unit")] == ["/web", "/db/spare", "/db/main", "-"]
    at_the_root = [row._replace(details=Details(cgroup="/")) for row in ROWS]
    assert [group.name for group in grouped(at_the_root, "unit")] == ["-"]


def test_groups_by_user_and_by_cgroup() -> None:
    assert [group.name for group in grouped(ROWS, "user")] == ["app", "db", "root"]
    assert [group.name for group in grouped(ROWS, "cgroup")] == ["/web", "/db/spare", "/db/main", "-"]


def test_a_group_of_unkillable_ones_still_names_a_member() -> None:
    rows: list[Row] = [row for row in ROWS if row.rank is None]
    assert [group.first.task.pid for group in grouped(rows, "user")] == [13]
