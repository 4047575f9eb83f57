"""A prefix that nobody told this program of never becomes a part of a name, and never costs the time."""

from __future__ import annotations

import pytest

from tests.oomlog.messages import REPORT, reports

UNKNOWN = [
    "kmsg-1  | {}",
    "pod-abc kmsg {}",
    "[pod/kmsg-abc/kmsg] {}",
    "- {}",
    "* {}",
    "+{}",
    "12: {}",
    "(XEN) {}",
    '- "{}"',
    "    message: '{}'",
    "<code>{}</code>",
]
DATED = [
    "I0823 11:47:25.123456       1 log_monitor.go:160] New status generated: {}",
    "2025-08-23T11:47:25.123Z cpu3:9919){}",
    "2025-08-23T11:47:25.123456+00:00 app[web.1]: {}",
    "2025-08-23T11:47:25.123456Z  INFO kmsg: {}",
    "2025-08-23 11:47:25,123 - kmsg[INFO]: {}",
    'time=2025-08-23T11:47:25Z level=warn msg="{}"',
    'ts=2025-08-23T11:47:25.123Z caller=kmsg.go:12 level=info msg="[  842.796720] {}"',
    '"2025-08-23 11:47:25","box","kernel","{}"',
    '1755949645000,"{}"',
    "aug/23/2025 11:47:25 system,error {}",
    "8/23/2025 11:47:25 AM box kernel: {}",
    "23.08.2025 11:47:25 {}",
    "<li>Aug 23 11:47:25 box kernel: {}</li>",
    "1755949645.123456 box kernel: {}",
    "2025 Aug 23 11:47:25 box kernel: {}",
    "[Sat Aug 23 11:47:25 2025 <    0.000000>] {}",
]


@pytest.mark.parametrize("prefix", [*UNKNOWN, *DATED])
def test_what_is_not_known_is_no_part_of_a_name(prefix: str) -> None:
    (report,) = reports(*(prefix.replace("{}", line) for line in REPORT.splitlines()))
    assert report.missing == ()
    assert (report.trigger_comm, report.trigger_pid, report.order) == ("java (1) x", 3074, 0)
    assert [row.comm for row in report.rows] == ["a) [x], b", "tmux: client"]
    assert (report.oom_memcg, report.task_memcg) == ("/a", "/a/b c")
    assert report.victim is not None
    assert (report.victim.pid, report.victim.comm, report.victim.rss_bytes) == (1234, "a) [x], b", 49380 << 10)


@pytest.mark.parametrize("prefix", DATED)
def test_it_does_not_cost_the_time(prefix: str) -> None:
    (report,) = reports(*(prefix.replace("{}", line) for line in REPORT.splitlines()))
    assert report.time_text is not None


@pytest.mark.parametrize("prefix", ["evil[12]: {}", "Aug 23 11:47:25 host evil[12]: {}"])
def test_a_programs_name_is_not_taken_off(prefix: str) -> None:
    for report in reports(*(prefix.replace("{}", line) for line in REPORT.splitlines())):
        assert report.trigger_comm != "java (1) x"
