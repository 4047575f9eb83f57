"""Kills that the kernel's log does not tell: by programs, and of which only a program tells."""

from __future__ import annotations

import pytest

from oomctl.model.oomreport import Elsewhere, Kill, OomReport, SeenIn
from oomctl.oomlog.anchors import may_open
from oomctl.oomlog.killers import Told, read
from oomctl.oomlog.parser import parse_blocks
from oomctl.oomlog.prefix import split_prefix
from oomctl.oomlog.replay import replay
from tests.oomlog.messages import reports

AT = "Feb 16 13:58:29 box"
SIGTERM = 'earlyoom[12]: sending SIGTERM to process 7 uid 1000 "a b": badness 9, VmRSS 3 MiB'
OOMD = "systemd-oomd[9]: Killed /a.slice/b.scope due to memory pressure for /a.slice being 51% > 50% for > 20s"
UNIT = "systemd[1]: db.service: A process of this unit has been killed by the OOM killer."
KILL = "Out of memory: Killed process 7 (a) total-vm:9kB, anon-rss:1kB, file-rss:1kB, shmem-rss:0kB"
IN_UNIT = (
    "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/x/{},"
    "task=a,pid=7,uid=0"
)


def killed(comm: str, pid: int = 7, uid: int | None = None, adj: int | None = None, rss_kib: int | None = None) -> Kill:
    rss = None if rss_kib is None else rss_kib << 10
    return Kill(pid, comm, uid, adj, seen_in=SeenIn.PROGRAM, whole_rss_bytes=rss)


LINES = [
    (f"{AT} {SIGTERM}", Told(Elsewhere("earlyoom", signal="SIGTERM"), killed("a b", 7, 1000, None, 3072), "box")),
    (
        f'{AT} earlyoom[12]: sending SIGKILL to process 7 uid 0 "a": oom_score 9, VmRSS 3 MiB, cmdline "a"',
        Told(Elsewhere("earlyoom", signal="SIGKILL"), killed("a", 7, 0, None, 3072), "box"),
    ),
    (
        'killing process 7 "a": b" with signal 15: badness 9, VmRSS 3 MiB',
        Told(Elsewhere("earlyoom", signal="SIGTERM"), killed('a": b', rss_kib=3072)),
    ),
    (f"{AT} earlyoom[12]: kill failed: No such process", Told(Elsewhere("earlyoom"), host="box", failed=True)),
    (
        f"{AT} earlyoom[12]: dryrun, not actually sending any signal",
        Told(Elsewhere("earlyoom"), host="box", failed=True),
    ),
    (
        f"{AT} {OOMD}",
        Told(
            Elsewhere(
                *("systemd-oomd", "/a.slice/b.scope", None, None, "SIGKILL"),
                "memory pressure for /a.slice being 51% > 50% for > 20s",
            ),
            host="box",
        ),
    ),
    (
        f"{AT} systemd-oomd[9]: Marked /b.scope for killing due to memory used (9) / total (10) being more than 90.00%",
        Told(
            Elsewhere(
                *("systemd-oomd", "/b.scope", None, None, "SIGKILL"),
                "memory used (9) / total (10) being more than 90.00%",
            ),
            host="box",
        ),
    ),
    (
        f"{AT} systemd[99]: b.scope: systemd-oomd killed 12 process(es) in this unit.",
        Told(Elsewhere("systemd-oomd", None, "b.scope", 12, "SIGKILL"), host="box"),
    ),
    (f"{AT} {UNIT}", Told(Elsewhere("kernel", unit="db.service"), host="box")),
    (
        "db.service: The kernel OOM killer killed some processes in this unit.",
        Told(Elsewhere("kernel", unit="db.service")),
    ),
    (
        f"{AT} systemd[1]: db.service: Failed with result 'oom-kill'.",
        Told(Elsewhere(None, unit="db.service"), host="box"),
    ),
    (
        "3m  Warning  SystemOOM  node/x  System OOM encountered, victim process: stress ng, pid: 7",
        Told(Elsewhere("kernel"), killed("stress ng")),
    ),
    (
        f"{AT} nohang[5]:   PID: 7, Name: tail, badness: 727",
        Told(Elsewhere("nohang"), killed("tail"), "box", chosen=True),
    ),
    (
        f"{AT} nohang-desktop[5]:   Send SIGTERM to the victim; total response time: 9 ms",
        Told(Elsewhere("nohang", signal="SIGTERM"), host="box", of_the_chosen=True),
    ),
    (
        "10-24 14:24:26.342   710   710 I lowmemorykiller: Kill 'com.a' (7), uid 10, oom_score_adj 0 to free 5kB rss,"
        " 4kB swap; reason: device is not responding",
        Told(Elsewhere("lmkd", signal="SIGKILL", why="device is not responding"), killed("com.a", 7, 10, 0, 5)),
    ),
    (
        "<6>[ 9.123] lowmemorykiller: Killing 'com.a' (7), adj 905,",
        Told(Elsewhere("lowmemorykiller", signal="SIGKILL"), killed("com.a", 7, None, 905)),
    ),
    (
        'user: warning: [2026-01-12T20:27:31.913975631Z]: [talos] Sending SIGKILL to cgroup {"component": "c",'
        ' "cgroup": "/sys/fs/cgroup/kubepods/burstable/pod7"}',
        Told(Elsewhere("talos", "/kubepods/burstable/pod7", signal="SIGKILL")),
    ),
]
OTHERS = [
    f"{AT} bash[9]: {SIGTERM}",
    f"{AT} bash[9]: {UNIT}",
    f"{AT} kernel: Task in /a earlyoom[12]: {SIGTERM} killed as a result of limit of /a",
    f"{AT} systemd[1]: Killing process 7 (a) with signal SIGKILL.",
    f"{AT} earlyoom[12]: low memory! at or below SIGTERM limits: mem 10.00%, swap 10.00%",
    f"{AT} systemd-oomd[9]: Considered 97 cgroups for killing, top candidates were:",
    f"{AT} kernel: {KILL}",
]


@pytest.mark.parametrize(("line", "told"), LINES, ids=[line[:60] for line, _ in LINES])
def test_a_line_says_who_killed_whom(line: str, told: Told) -> None:
    assert read(split_prefix(line)) == told


@pytest.mark.parametrize("line", OTHERS)
def test_what_is_quoted_or_says_nothing_of_a_kill_is_passed_over(line: str) -> None:
    assert read(split_prefix(line)) is None


def test_every_kill_is_found_in_a_log_about_other_things() -> None:
    assert [line for line, told in LINES if not told.failed and not may_open(line)] == []


def one(*lines: str) -> OomReport:
    (report,) = reports(*lines)
    return report


def test_a_program_s_kill_is_an_event_that_is_not_replayed() -> None:
    report = one(f"{AT} {SIGTERM}")
    assert report.time_text == "Feb 16 13:58:29"
    assert report.constraint is None
    assert replay(report).agrees is None


def test_two_signals_to_one_process_are_one_event() -> None:
    later = SIGTERM.replace("SIGTERM", "SIGKILL")
    assert one(f"{AT} {SIGTERM}", f"{AT} {later}").elsewhere.signal == "SIGKILL"


def test_a_signal_that_was_not_sent_is_no_event() -> None:
    assert reports(f"{AT} {SIGTERM}", f"{AT} earlyoom[12]: kill failed: No such process") == []


def test_what_systemd_says_of_a_kill_by_systemd_oomd_is_the_same_event() -> None:
    report = one(
        f"{AT} {OOMD}",
        f"{AT} systemd[99]: b.scope: systemd-oomd killed 12 process(es) in this unit.",
        f"{AT} systemd[99]: b.scope: Failed with result 'oom-kill'.",
    )
    assert (report.elsewhere.killer, report.elsewhere.cgroup, report.elsewhere.processes) == (
        *("systemd-oomd", "/a.slice/b.scope"),
        12,
    )


@pytest.mark.parametrize("order", [1, -1], ids=["systemd second", "systemd first"])
def test_what_systemd_says_of_a_kill_by_the_kernel_is_the_same_event(order: int) -> None:
    kernel = [f"{AT} kernel: {IN_UNIT.format('db.service')}", f"{AT} kernel: {KILL}"]
    parts = [kernel, [f"{AT} {UNIT}"]][::order]
    report = one(*parts[0], *parts[1])
    assert report.victim is not None
    assert (report.victim.pid, report.elsewhere.unit) == (7, "db.service")


def test_what_systemd_says_of_another_unit_is_another_event() -> None:
    first, second = reports(f"{AT} kernel: {IN_UNIT.format('web.service')}", f"{AT} kernel: {KILL}", f"{AT} {UNIT}")
    assert {first.elsewhere.unit, second.elsewhere.unit} == {None, "db.service"}


def test_a_unit_of_a_user_and_that_user_s_manager_are_one_event() -> None:
    assert one(
        f"{AT} systemd[99]: a.scope: The kernel OOM killer killed some processes in this unit.",
        f"{AT} systemd[1]: user@1000.service: The kernel OOM killer killed some processes in this unit.",
    ).elsewhere == Elsewhere("kernel", unit="a.scope")


def test_the_victim_that_nohang_named_gets_the_signal() -> None:
    report = one(
        f"{AT} nohang[5]:   PID: 7, Name: tail, badness: 727",
        f"{AT} nohang[5]:   Send SIGTERM to the victim; total response time: 9 ms",
    )
    assert report.victim == killed("tail")


def test_kills_stand_in_the_order_of_the_log() -> None:
    found = reports(f"{AT} {SIGTERM}", f"{AT} kernel: {KILL}", f"{AT} {OOMD}")
    assert [(report.number, report.elsewhere.killer) for report in found] == [
        *((1, "earlyoom"), (2, "kernel"), (3, "systemd-oomd")),
    ]


def test_the_events_are_found_in_blocks_too() -> None:
    noise = f"{AT} cron[1]: nothing\n" * 300
    block = f"{noise}{AT} {SIGTERM}\n{noise}{AT.replace('13:58', '14:09')} {UNIT}\n{noise}".encode()
    assert [report.elsewhere.killer for report in parse_blocks([block])] == ["earlyoom", "kernel"]
