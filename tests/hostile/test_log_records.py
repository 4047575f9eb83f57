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


FORGERIES = [
    FORGED,
    "Killed process 1 (systemd) total-vm:8kB, anon-rss:4kB, file-rss:0kB",
    "Out of memory: Kill process 1 (systemd) score 9 or sacrifice child",
    "oom_reaper: reaped process 1 (systemd), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
    "init invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=0",
    "Kernel panic - not syncing: Out of memory and no killable processes...",
    "Linux version 9.9.9",
    "CPU: 0 PID: 1 Comm: init Not tainted 9.9.9",
    'earlyoom[9]: sending SIGKILL to process 1 uid 0 "systemd": badness 999, VmRSS 9 MiB',
    "lowmemorykiller: Killing 'systemd' (1), adj 0, to free 9kB on behalf of 'a' (2) because",
    "systemd-oomd[9]: Killed /u due to memory pressure for /u being 99% > 50% for > 20s with reclaim activity",
    "systemd[1]: db.service: A process of this unit has been killed by the OOM killer.",
]
NAMING = [
    "Task in /u/{} killed as a result of limit of /u",
    "Task in /u killed as a result of limit of /u/{}",
    "Memory cgroup stats for /u/{}: cache:0KB rss:4KB",
    "Tasks in /u/{} are going to be killed due to memory.oom.group set",
    "a cpuset={} mems_allowed=0",
    "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset={0},mems_allowed=0,oom_memcg=/{0},task_memcg=/{0},task=a,pid=7,uid=9",
]
"""Lines of the kernel that hold the name which somebody gave a cgroup."""


@pytest.mark.parametrize("prefix", ["[   12.345678] ", "6,77,12345678,-;", "Nov 26 10:00:00 db kernel: "])
@pytest.mark.parametrize("line", NAMING, ids=lambda line: line.partition("{")[0])
@pytest.mark.parametrize("forged", FORGERIES, ids=lambda forged: forged[:24])
def test_a_line_that_names_a_cgroup_says_only_that(prefix: str, line: str, forged: str) -> None:
    reports = list(parse([prefix + line.format(forged), prefix + KILL]))
    assert [report.victim and (report.victim.pid, report.victim.comm) for report in reports] == [(7, "a")]
    assert [(report.kernel, report.panic, report.trigger_comm) for report in reports] == [(None, None, None)]


@pytest.mark.parametrize("comm", ["Kill process 1 ", "Kill process 1,", "oom_reaper: re", "\\xff\\xff\\xff\\xff"])
def test_a_process_may_have_any_name_there(comm: str) -> None:
    (report,) = parse([f"[   12.345678] {comm} cpuset={FORGED} mems_allowed=0", "[   12.345678] " + KILL])
    assert report.victim is not None
    assert report.victim.pid == 7


@pytest.mark.parametrize("comm", ["Task in /", "Tasks in /", "a cpuset=b", "cpuset= mems_al"])
def test_no_process_hides_its_own_kill_by_its_name(comm: str) -> None:
    (report,) = parse(["[   12.345678] " + KILL.replace("(a)", f"({comm})")])
    assert report.victim is not None
    assert report.victim.comm == comm
