"""simulate --format tsv: every candidate on a line, in the order in which they would be killed."""

from __future__ import annotations

import json

import pytest

from tests.commands.invoke import ask
from tests.documents import PROCESS
from tests.proc_tree import ProcTree

FIELDS = ["round", "rank", "certainty", "contender", *PROCESS]


def rows(proc_tree: ProcTree, *argv: str, status: int = 0, stdin: str | None = None) -> list[dict[str, str]]:
    """Return the lines below the header by its names."""
    ran = ask(proc_tree, "simulate", "--format", "tsv", *argv, stdin=stdin)
    assert ran.status == status
    header, *lines = [line.split("\t") for line in ran.stdout.removesuffix("\n").split("\n")]
    assert header == FIELDS
    assert {len(line) for line in lines} <= {len(FIELDS)}
    return [dict(zip(header, line)) for line in lines]


def picked(found: list[dict[str, str]], *names: str) -> list[tuple[str, ...]]:
    return [tuple(row[name] for name in names) for row in found]


def test_the_victim_comes_first_and_the_others_by_their_rank(server: ProcTree) -> None:
    assert picked(rows(server), "round", "rank", "certainty", "contender", "pid", "comm") == [
        ("1", "1", "certain", "true", "20", "java"),
        ("", "2", "", "false", "11", "postgres"),
        ("", "3", "", "false", "10", "postgres"),
    ]


def test_a_line_has_the_values_of_the_json_and_nothing_for_null(server: ProcTree) -> None:
    victim = json.loads(ask(server, "simulate", "--json").stdout)["victim"]
    del victim["pod"]  # no value, but several; the path in ``cgroup`` has them
    line = rows(server)[0]
    told = {True: "true", False: "false", None: ""}
    assert {name: line[name] for name in PROCESS} == {
        name: told[value] if value is None or isinstance(value, bool) else str(value) for name, value in victim.items()
    }


def test_each_round_has_its_number_and_who_lives_has_none(server: ProcTree) -> None:
    found = rows(server, "--rounds", "2")
    assert picked(found, "round", "rank", "certainty", "pid") == [
        ("1", "1", "certain", "20"),
        ("2", "2", "certain", "11"),
        ("", "3", "", "10"),
    ]


def test_whoever_dies_with_the_victim_is_of_its_round(server: ProcTree) -> None:
    server.mount_v2()
    for pid, rss in ((21, 50), (22, 60)):
        server.add(pid, "worker", rss, uid=54321, cgroup="0::/app\n")
    server.write("20/cgroup", "0::/app\n")
    server.cgroup("/app", (20, 21, 22), memory__oom__group="1\n", memory__max="max")
    assert picked(rows(server), "round", "rank", "pid")[:4] == [
        ("1", "1", "20"),
        ("1", "4", "21"),
        ("1", "3", "22"),
        ("", "2", "11"),
    ]


def test_a_child_that_dies_for_its_parent_comes_first_all_the_same(server: ProcTree) -> None:
    server.add(21, "worker", 50, uid=54321, ppid=20)
    assert picked(rows(server, "--kernel", "4.14"), "round", "rank", "pid")[:2] == [("1", "3", "21"), ("", "1", "20")]


def test_all_who_may_be_first_are_contenders(proc_tree: ProcTree) -> None:
    for pid, rss in ((20, 50_000), (21, 50_001), (22, 10_000)):
        proc_tree.add(pid, "worker", rss)
    assert picked(rows(proc_tree), "certainty", "contender", "pid") == [
        ("close", "true", "21"),
        ("", "true", "20"),
        ("", "false", "22"),
    ]


def test_a_process_that_does_not_exist_has_no_pid(server: ProcTree) -> None:
    assert picked(rows(server, "--add", "8G"), "round", "pid")[:2] == [("1", ""), ("", "20")]


def test_a_name_can_end_neither_its_cell_nor_its_line(server: ProcTree) -> None:
    server.add(50, b"a\tb\nc\x1b[2J", 10, uid=54321)
    server.write("50/cmdline", b"a\tb\0c\nd\0")
    line = next(row for row in rows(server) if row["pid"] == "50")
    assert (line["comm"], line["cmdline"]) == (r"a\tb\nc\x1b[2J", r"a\tb c\nd")


def test_where_nobody_would_be_killed_the_reason_is_on_stderr(server: ProcTree) -> None:
    server.write("sys/vm/panic_on_oom", "1\n")
    assert {row["round"] for row in rows(server, status=1)} == {""}
    ran = ask(server, "simulate", "--format", "tsv")
    assert (
        ran.stderr
        == "oomctl: simulate: panic: vm.panic_on_oom is 1: the kernel panics when the whole machine is out of memory\n"
    )


def test_a_document_is_asked_in_the_same_way(server: ProcTree) -> None:
    snapshot = ask(server, "snapshot").stdout
    assert picked(rows(server, "--from", "-", stdin=snapshot), "round", "rank", "pid") == [
        ("1", "1", "20"),
        ("", "2", "11"),
        ("", "3", "10"),
    ]


def test_more_than_the_nearest_are_listed(proc_tree: ProcTree) -> None:
    for pid in range(100, 160):
        proc_tree.add(pid, "worker", 1000 + pid)
    assert [row["pid"] for row in rows(proc_tree)] == [str(pid) for pid in range(159, 99, -1)]


@pytest.mark.parametrize("argv", ["--format tsv --json", "--json --format tsv"])
def test_there_is_one_format(server: ProcTree, argv: str) -> None:
    ran = ask(server, "simulate", *argv.split())
    assert (ran.status, ran.stderr) == (2, "oomctl: --json and --format tsv contradict each other\n")


def test_json_has_two_names(server: ProcTree) -> None:
    assert ask(server, "simulate", "--format", "json") == ask(server, "simulate", "--json")
