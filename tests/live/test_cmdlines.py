"""Command lines of those who are on the screen."""

from __future__ import annotations

from oomctl.live.cmdlines import CommandLines
from oomctl.model.listing import Details, Row
from tests.proc_tree import ProcTree


def row(proc_tree: ProcTree, pid: int) -> Row:
    return Row(proc_tree.procfs().task(pid), Details("db", unit="pg.service"))


def test_who_was_read_has_one_and_others_stay_as_they_were(proc_tree: ProcTree) -> None:
    for pid in (10, 11):
        proc_tree.add(pid, "postgres")
        proc_tree.write(f"{pid}/cmdline", b"postgres: walwriter\0")
    first, second = row(proc_tree, 10), row(proc_tree, 11)
    lines = CommandLines()
    lines.read([first.task], proc_tree.procfs())
    assert lines.added(first).details == Details("db", unit="pg.service", cmdline="postgres: walwriter")
    assert lines.added(second) is second


def test_it_is_of_now_when_it_is_read_again(proc_tree: ProcTree) -> None:
    proc_tree.add(10, "postgres")
    lines = CommandLines()
    for title in ("postgres: app idle", "postgres: app SELECT"):
        proc_tree.write("10/cmdline", title)
        lines.read([row(proc_tree, 10).task], proc_tree.procfs())
        assert lines.added(row(proc_tree, 10)).details.cmdline == title


def test_a_process_that_has_the_pid_of_one_that_ended_has_not_its_command_line(proc_tree: ProcTree) -> None:
    proc_tree.add(10, "old", start=5)
    proc_tree.write("10/cmdline", "old\0")
    lines = CommandLines()
    old = row(proc_tree, 10)
    lines.read([old.task], proc_tree.procfs())
    proc_tree.add(10, "new", start=9)
    assert lines.added(row(proc_tree, 10)).details.cmdline is None
    lines.read([old.task], proc_tree.procfs())
    assert lines.added(old).details.cmdline is None


def test_one_that_is_gone_or_waits_for_memory_has_none(proc_tree: ProcTree) -> None:
    proc_tree.add(10, "stuck", state="D")
    proc_tree.write("10/cmdline", "stuck\0")
    stuck = row(proc_tree, 10)
    lines = CommandLines()
    lines.read([stuck.task, stuck.task._replace(pid=99)], proc_tree.procfs())
    assert lines.added(stuck) is stuck
