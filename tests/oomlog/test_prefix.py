from __future__ import annotations

import pytest

from oomctl.oomlog.prefix import Line, split_prefix
from tests.oomlog.messages import REPORT, reports

PREFIXES = [
    pytest.param("", id="none"),
    pytest.param("[  276.024242] ", id="dmesg"),
    pytest.param("[  276.024242][ T3074] ", id="PRINTK_CALLER"),
    pytest.param("[  276.024242][    C1] ", id="PRINTK_CALLER of an interrupt"),
    pytest.param("[Wed Aug 31 16:36:42 2016] ", id="dmesg -T"),
    pytest.param("[dim. 19 avril 18:03:30 2026] ", id="dmesg -T in French"),
    pytest.param("[Mi 3. Jan 09:00:01 2024] ", id="dmesg -T in German"),
    pytest.param("[三 8月 31 16:36:42 2016] ", id="dmesg -T in Chinese"),
    pytest.param("2026-01-02T03:04:05,123456+00:00 ", id="dmesg --time-format iso"),
    pytest.param("kern  :err   : [  276.024242] ", id="dmesg -x"),
    pytest.param("kern  :warn  : [Wed Aug 31 16:36:42 2016] ", id="dmesg -xT"),
    pytest.param("<3>[  276.024242] ", id="syslog(2)"),
    pytest.param("<4>", id="level only"),
    pytest.param("6,1234,276024242,-;", id="/dev/kmsg"),
    pytest.param("6,1234,276024242,-,caller=T3074;", id="/dev/kmsg with the caller"),
    pytest.param("Aug 10 08:07:16 host kernel: ", id="syslog"),
    pytest.param("Aug 10 08:07:16 host kernel: [  276.024242] ", id="syslog that keeps the stamp"),
    pytest.param("août 10 08:07:16 host kernel: ", id="syslog in French"),
    pytest.param("Aug 10 08:07:16 ", id="syslog without host"),
    pytest.param("Aug 10 08:07:16 host kernel[0]: ", id="kernel with a PID"),
    pytest.param("2026-01-02T03:04:05.123456+00:00 host kernel: ", id="rsyslog, precise"),
    pytest.param("2026-01-02T03:04:05+0100 host kernel: ", id="journalctl -o short-iso"),
    pytest.param("Wed 2026-01-02 03:04:05 UTC host kernel: ", id="journalctl -o short-full"),
    pytest.param("[  276.024242] host kernel: ", id="journalctl -o short-monotonic"),
    pytest.param("166249 Apr 18 00:37:34   kernel: [14049899.298753] ", id="an editor's line number"),
    pytest.param("/var/log/messages:Apr 18 00:37:34 host kernel: ", id="grep over files"),
    pytest.param("> > [  276.024242] ", id="quoted in a mail"),
    pytest.param("Jan  1 00:00:10 OpenWrt kern.err kernel: [  276.024242] ", id="busybox"),
    pytest.param("\x1b[32m[  276.024242] \x1b[0m", id="dmesg in colour"),
    pytest.param("oom_kill: ", id="pr_fmt"),
]


@pytest.mark.parametrize("end", ["", "\n", "\r\n"], ids=["bare", "LF", "CRLF"])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_report_reads_the_same_behind_any_prefix(prefix: str, end: str) -> None:
    (report,) = reports(*(prefix + line + end for line in REPORT.splitlines()))
    assert report.missing == ()
    assert (report.trigger_comm, report.trigger_pid, report.order) == ("java (1) x", 3074, 0)
    assert (report.kernel, report.page_size) == ("6.18.44", 4096)
    assert (report.oom_memcg, report.task_memcg) == ("/a", "/a/b c")
    assert [(row.pid, row.tgid, row.comm) for row in report.rows] == [
        (1234, 1234, "a) [x], b"),
        (1300, 1299, "tmux: client"),
    ]
    victim = report.victim
    assert victim is not None
    assert (victim.pid, victim.comm, victim.uid, victim.rss_bytes) == (1234, "a) [x], b", 1000, 49380 << 10)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[  276.024242][ T3074] x", Line("x", None, 276.024242, "T3074")),
        ("6,7,276024242,-;a\\x0ab\\x5c", Line("a\nb\\", None, 276.024242, None, None, 7)),
        ("Aug 10 08:07:16 web kernel: [ 2.500000] x", Line("x", "Aug 10 08:07:16", 2.5, None, "web", tagged=True)),
    ],
)
def test_a_prefix_tells_time_caller_and_host(text: str, line: Line) -> None:
    assert split_prefix(text) == line


@pytest.mark.parametrize(
    "program", ["evil[12]: ", "sudo[9]: kernel: ", "logger: kernel: "], ids=["program", "with kernel", "without PID"]
)
def test_what_another_program_writes_is_not_the_kernels(program: str) -> None:
    line = f"Aug 10 08:07:16 host {program}Out of memory: Killed process 1 (init) total-vm:1kB, anon-rss:1kB"
    assert reports(line) == []


def test_no_other_program_adds_rows_to_the_kernels_table() -> None:
    lines = [f"Aug 10 08:07:16 host kernel: {line}" for line in REPORT.splitlines()]
    forged = "Aug 10 08:07:16 host logger: [   1]  0  1  9000  99999  4096  0  1000 init"
    assert reports(*lines[:7], forged, *lines[7:]) == reports(*lines)
