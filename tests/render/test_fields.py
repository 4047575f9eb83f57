"""Columns: their names, their values, their order."""

from __future__ import annotations

from typing import Any

import pytest

from oomctl.errors import BadInput
from oomctl.model.kernel import Candidate
from oomctl.model.listing import Details, Row
from oomctl.render.fields import DEFAULT, FIELDS, find, find_all, process_document, sort_rows
from tests.tasks import task

PAGE = 4096


def row(pid: int, badness: int | None = None, **facts: Any) -> Row:
    subject = task(pid, **facts)
    return Row(subject, candidate=None if badness is None else Candidate(subject, badness, 0))


def test_no_two_fields_share_a_name() -> None:
    names = [name for field in FIELDS for name in (field.name, *field.aliases)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", [name for field in FIELDS for name in (field.name, *field.aliases)])
def test_every_name_and_alias_is_found(name: str) -> None:
    field = find(name)
    assert name in (field.name, *field.aliases)
    assert find(f" {name.upper()} ") is field


@pytest.mark.parametrize(
    ("ps_name", "name"),
    [("oom", "oom_score"), ("oomadj", "oom_score_adj"), ("rss", "rss_bytes"), ("args", "cmdline"), ("comm", "comm")],
)
def test_the_names_of_ps_are_understood(ps_name: str, name: str) -> None:
    assert find(ps_name).name == name


def test_a_list_keeps_its_order_and_may_repeat() -> None:
    assert [field.name for field in find_all("pid,comm,pid")] == ["pid", "comm", "pid"]
    assert len(find_all(",".join(DEFAULT))) == len(DEFAULT)


@pytest.mark.parametrize("names", ["", "pid,", ",pid", "pid,nosuch", "pid comm"])
def test_an_unknown_name_is_refused_with_the_valid_ones(names: str) -> None:
    with pytest.raises(BadInput, match=r"unknown field .*; valid are rank, pid, .*, cmdline$"):
        find_all(names)


@pytest.mark.parametrize(
    ("name", "text", "raw"),
    [
        ("rank", "-", ""),
        ("pid", "10", "10"),
        ("rss", "4.0MiB", "4194304"),
        ("swap", "0", "0"),
        ("badness", "-1.0MiB", "-1048576"),
        ("points", "-256", "-256"),
        ("killable", "yes", "true"),
        ("reason", "-", ""),
        ("comm", "a\\tb", "a\\tb"),
        ("cgroup", "-", ""),
    ],
)
def test_a_value_for_people_and_one_for_awk(name: str, text: str, raw: str) -> None:
    subject = row(10, badness=-256, rss=1024, comm="a\tb")
    assert (find(name).text(subject, PAGE), find(name).raw(subject, PAGE)) == (text, raw)


def test_the_process_of_a_what_if_has_no_pid() -> None:
    assert process_document(row(-1), PAGE)["pid"] is None


def test_a_unit_is_shown_before_its_cgroup() -> None:
    both = Row(task(10), Details(cgroup="/a", unit="a.service"))
    assert find("group").text(both, PAGE) == "a.service"
    assert find("group").text(Row(task(10), Details(cgroup="/a")), PAGE) == "/a"


def test_sorting_puts_what_has_no_value_last_and_keeps_ties() -> None:
    rows = [row(1, badness=5), row(2), row(3, badness=9), row(4, badness=5), row(5)]
    assert [row.task.pid for row in sort_rows(rows, find("points"), PAGE)] == [3, 1, 4, 2, 5]
    assert [row.task.pid for row in sort_rows(rows, find("pid"), PAGE)] == [1, 2, 3, 4, 5]
