"""A line of a log costs time in proportion to its length, a report memory within a bound."""

from __future__ import annotations

import time

import pytest

from oomctl.oomlog import parser
from oomctl.oomlog.parser import Parser

OPENED = (
    b"x invoked oom-killer: gfp_mask=0xcc0, order=0, oom_score_adj=0",
    b"[ pid ]   uid  tgid total_vm      rss cpu oom_adj oom_score_adj name",
)
PIECES = (
    *(b"Task in ", b"Task in a killed as a result of limit of ", b"Tasks in ", b"OOM victim 1 ("),
    *(b"Kill process 1 (", b"Killed process 1 (", b"Memory cgroup stats for /", b"Memory cgroup stats for /:a:"),
    *(b"oom_reaper: reaped process 1 (", b"oom_reaper: unable to reap pid:1 (", b"Kernel panic - not syncing: "),
    *(b"out_of_memory", b"out_of_memory: 1 ", b",task=", b",task=a,pid=1", b",oom_memcg=", b",task_memcg="),
    *(b",oom_memcg=a,task_memcg=", b"x cpuset=", b"nodemask=null,cpuset=", b"invoked oom-killer: gfp_mask="),
    *(b"[ pid", b"[ ", b"[1] ", b"[1] 1 ", b"Tainted:", b"a: usage ", b"Node 0 DMA free:1kB ", b"1 ", b" present:"),
    *(b'earlyoom: sending SIGTERM to process 1 "', b"lowmemorykiller: Kill 'a", b"[talos] Sending SIGKILL to cgroup {"),
    *(b"systemd: a: systemd-oomd killed ", b"systemd-oomd: Killed /a due to memory ", b"OOM killed process 1 ("),
    *(b"victim process: a", b"nohang: PID: 1, name: a", b"a.b.c+0x", b"1 (a) invoked oom-killer in ub "),
    *(b"[ 1" + b" ", b"> ", b"\\x0a", b"6,1,1,-;", b"a:", b"Aug 1 11:11:11 ", b"\x1b[1m", b"1-1,"),
)
WORDS = (
    *(b"", b"oom-kill:constraint=A,", b" are going to be killed", b" killed as a result of limit of", b"ill process "),
    *(b"oom_reaper:", b"invoked oom-killer", b"Kernel panic", b" mems_allowed=", b" callbacks suppressed"),
    *(b"OOM victim", b"emory cgroup stats for ", b"as a result of limit of", b"[ 1", b" present:", b" pid "),
    *(b"Killed process 1 (a) total-vm:", b"6,1,1,-;"),
)


def cpu_seconds(line: bytes) -> float:
    """Return the CPU time that a line takes within an open report: the least of three."""
    times = []
    for _ in range(3):
        fed = Parser()
        for opening in OPENED:
            fed.feed(opening)
        started = time.process_time()
        fed.feed(line)
        times.append(time.process_time() - started)
    return min(times)


@pytest.mark.parametrize("piece", PIECES, ids=repr)
def test_four_times_the_length_takes_no_more_than_linear_time(monkeypatch: pytest.MonkeyPatch, piece: bytes) -> None:
    """Steps within a pattern cannot be counted, so time is compared with time: quadratic would be 16 times."""
    monkeypatch.setattr(parser, "LONGEST_LINE", 1 << 15)

    def of_length(length: int, before: bytes, behind: bytes) -> bytes:
        return before + piece * ((length - len(before) - len(behind)) // len(piece)) + behind

    for word in WORDS:
        for before, behind in ((word, b""), (b"", word)):
            short, long = (cpu_seconds(of_length(length, before, behind)) for length in (1 << 13, 1 << 15))
            assert long < 10 * max(short, 0.0005), (word, short, long)


def test_a_line_of_8_kib_takes_milliseconds() -> None:
    """The worst took more than a second: three repetitions in one pattern, cubic in the line's length."""
    worst = b"oom-kill:constraint=A," + b",oom_memcg=a,task_memcg=" * 340
    assert cpu_seconds(worst) < 0.1
