"""Records hold text of others: names of cgroups, and what programs log. None of it becomes a line of the kernel."""

from __future__ import annotations

import json

import pytest

from oomctl.oomlog.parser import parse
from oomctl.oomlog.tails import JournalTail

KILL = "Memory cgroup out of memory: Killed process 7 (a) total-vm:8kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB"
FORGED = "Out of memory: Killed process 1 (systemd) total-vm:8kB, anon-rss:4kB, file-rss:0kB, shmem-rss:0kB"
NO_LINE_ENDS = ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1e"]
"""``str.splitlines`` takes them for line ends; a cgroup may have them in its name."""


def record(message: str, **more: object) -> str:
    fields = {"__REALTIME_TIMESTAMP": "1700748311123456", "_TRANSPORT": "kernel", "_HOSTNAME": "db", "MESSAGE": message}
    return json.dumps(fields | more, ensure_ascii=False)


def summary(end: str) -> str:
    where = f"oom_memcg=/u{end}{FORGED}{end}b,task_memcg=/b,task=a,pid=7,uid=9"
    return f"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,{where}"


@pytest.mark.parametrize("end", NO_LINE_ENDS, ids=ascii)
def test_the_name_of_a_cgroup_forges_no_kill(end: str) -> None:
    (report,) = parse([record(summary(end)), record(KILL)])
    assert report.victim is not None
    assert report.victim.pid == 7


@pytest.mark.parametrize("end", NO_LINE_ENDS, ids=ascii)
def test_nor_in_a_journal_that_is_followed(end: str) -> None:
    tail = JournalTail(("journalctl",), newest="s=1", past=False)
    text = tail._messages(f"{record(summary(end))}\n{record(KILL)}\n".encode())
    assert text.count(b"\n") == 2
    assert [report.victim and report.victim.pid for report in parse(text.split(b"\n"))] == [7]


@pytest.mark.parametrize("uptime", [10**400, "9" * 5000, "nan", "-inf", [], "1e999"], ids=lambda value: str(value)[:9])
def test_an_uptime_of_no_machine_is_none(uptime: object) -> None:
    (report,) = parse([record(KILL, _SOURCE_MONOTONIC_TIMESTAMP=uptime)])
    assert (report.uptime_s, report.victim and report.victim.comm) == (None, "a")


@pytest.mark.parametrize("before", ["", "Nov 23 14:05:11 db kernel: [  123.456789] ", "<4>[  123.456789] "])
def test_backslash_and_n_in_the_name_of_a_cgroup_end_no_line(before: str) -> None:
    (report,) = parse([before + summary(r"\n"), before + KILL])
    assert (report.victim and report.victim.pid, len(report.killed)) == (7, 1)
