"""Whatever a log holds, the parser goes on, stays small and claims nothing the text does not say."""

from __future__ import annotations

import random
import sys
import time
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oomctl.errors import BadInput
from oomctl.model.oomreport import OomReport
from oomctl.oomlog import draft
from oomctl.oomlog.parser import parse, parse_blocks
from oomctl.oomlog.replay import replay, scenario_of
from oomctl.oomlog.short import shortage_of
from oomctl.oomlog.where import accounting_of
from oomctl.render.memory import accounting_lines
from oomctl.render.shortage import shortage_lines
from tests.oomlog.real_logs import INDEX, log_lines

SHORT_LOGS = sorted(name for name in INDEX if sum(map(len, log_lines(name))) < 20_000)
PIECES = [
    b"java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), nodemask=0-99999999, order=0, oom_score_adj=0",
    b"[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name",
    b"[ pid ]   uid  tgid total_vm      rss cpu oom_adj oom_score_adj name",
    b"[ 1234]  1000  1234   250000   123456  1249280        0             0 java) (x",
    b"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg=/a,task_memcg=/a/b,task=a,pid=1234,uid=0",
    b"Memory cgroup out of memory: Killed process 1234 (java) total-vm:1000000kB, anon-rss:400000kB",
    b"Out of memory: Kill process 1234 (java) score 512 or sacrifice child",
    b"Out of memory and no killable processes...",
    b"memory: usage 65536kB, limit 65536kB, failcnt 80",
    b"1048576 pages RAM",
    b"22064 pages reserved",
    b"Total swap = 425980kB",
    b"oom_reaper: reaped process 1234 (java), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
    b"6,1234,276024242,-,caller=T12;",
    b"<3>[  276.024242][ T3074] ",
    b"Aug 10 08:07:16 host kernel: ",
    b"Linux version 6.1.20 (gcc)",
    b"active_anon:7355653 inactive_anon:660960 isolated_anon:0",
    b" unevictable:30 dirty:4 writeback:0 unstable:0#012 slab_reclaimable:9 slab_unreclaimable:999999999999999",
    b" mapped:4818 shmem:87896 pagetables:25222 bounce:0",
    b"100155 total pagecache pages",
    b"11342 pages in swap cache",
    b"Node 1 DMA free:4044kB min:60kB low:72kB high:88kB present:15300kB managed:15000kB free_cma:4000kB",
    b"Node 0 hugepages_total=1 hugepages_free=0 hugepages_surp=0 hugepages_size=1048576kB",
    b"lowmem_reserve[]: 0 994 994 994",
    b"Node 1 DMA: 1*4kB (U) 1*8kB (C) 0*16kB = 12kB",
    b"Memory cgroup stats for /a: cache:2KB rss:8KB inactive_anon:4KB active_anon:9KB",
    b"anon 535658496",
    b"file 20480",
]
noise = st.lists(st.one_of(st.binary(max_size=200), st.sampled_from(PIECES)), max_size=12).map(b"".join)


def consume(reports: Iterator[OomReport], text: bytes) -> list[OomReport]:
    """Run everything that is run on a report, and check its promises."""
    found = list(reports)
    for report in found:
        assert report.complete == (not report.missing)
        verdict = replay(report)
        try:
            scenario_of(report)
        except BadInput:
            assert verdict.agrees is None or report.lacks_totals_only
        memory = accounting_of(report, 4096)
        if memory is not None:
            assert min((share.size_bytes for share in memory.shares), default=1) > 0
            parts = sum(share.size_bytes for share in memory.shares)
            assert parts + memory.unexplained_bytes == memory.total_bytes + memory.overlap_bytes
            assert accounting_lines(memory)
        shortage = shortage_of(report, 4096)
        assert shortage is None or shortage_lines(shortage)
        if report.complete:
            assert report.victim is not None
            assert str(report.victim.pid).encode() in text
            assert report.row_of(report.victim.pid) is not None
    assert [report.number for report in found] == list(range(1, len(found) + 1))
    return found


@given(st.lists(noise, max_size=30))
@settings(deadline=None)
def test_arbitrary_bytes_never_crash_the_parser(lines: list[bytes]) -> None:
    consume(parse(lines), b"\n".join(lines))
    consume(parse_blocks([b"\n".join(lines)]), b"\n".join(lines))


@given(st.lists(st.text(max_size=300), max_size=20))
def test_arbitrary_text_never_crashes_the_parser(lines: list[str]) -> None:
    consume(parse(lines), "\n".join(lines).encode("utf-8", "replace"))


def mangled(lines: list[bytes], dice: random.Random) -> list[bytes]:
    result = []
    for line in lines:
        chance = dice.random()
        if chance < 0.05:
            continue
        if chance < 0.08:
            result.append(line[: dice.randrange(len(line) + 1)] + b"\n")
        else:
            result += [line] * (2 if chance > 0.95 else 1)
    return result


@given(st.sampled_from(SHORT_LOGS), st.integers(0, 1 << 30))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_deleting_cutting_and_repeating_lines_never_invents_a_victim(name: str, seed: int) -> None:
    lines = mangled(log_lines(name), random.Random(seed))
    for report in consume(parse(lines), b"".join(lines)):
        if report.complete and report.victim is not None:
            assert report.victim.pid == INDEX[name]["victim_pid"]


@given(st.sampled_from(SHORT_LOGS), st.sampled_from(SHORT_LOGS), st.integers(0, 1 << 30))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_interleaving_two_reports_never_invents_a_victim(one: str, other: str, seed: int) -> None:
    dice = random.Random(seed)
    left, right = log_lines(one), log_lines(other)
    lines = []
    while left or right:
        source = left if left and (not right or dice.random() < 0.5) else right
        for _ in range(min(dice.randrange(1, 12), len(source))):
            lines.append(source.pop(0).rstrip(b"\n") + b"\n")
    for report in consume(parse(lines), b"".join(lines)):
        if report.complete and report.victim is not None:
            assert report.victim.pid in (INDEX[one]["victim_pid"], INDEX[other]["victim_pid"])


def test_a_table_without_end_does_not_take_memory_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draft, "MOST_ROWS", 1000)

    def endless() -> Iterator[bytes]:
        yield PIECES[0]
        yield PIECES[1]
        for pid in range(60_000):
            yield b"[%7d]  1000 %7d   250000   123456  1249280        0             0 java" % (pid, pid)

    tracemalloc.start()
    report = next(parse(endless()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(report.rows) == 1000
    assert any("after the first" in missing for missing in report.missing)
    assert peak < 4 << 20


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"Killed process 1 (" * 60_000, id="kill lines without end"),
        pytest.param(b",task=a,pid=1" * 80_000 + b"oom-kill:constraint=A,", id="keys of the summary"),
        pytest.param(b"[ 1.1] " * 140_000 + b"invoked oom-killer", id="stamps"),
        pytest.param(b"> " * 500_000 + b"oom-kill", id="quoting"),
        pytest.param(b"x invoked oom-killer: gfp_mask=" + b"(" * 1_000_000, id="brackets"),
        pytest.param(b"Node 0 DMA free:1kB " + b"present:" * 100_000, id="zones"),
        pytest.param(b"[ 1" + b" 1" * 500_000, id="numbers"),
    ],
)
def test_hostile_lines_cost_no_more_than_their_length(line: bytes) -> None:
    opened = [PIECES[0], PIECES[1]]
    started = time.process_time()
    list(parse([*opened, *[line] * 20]))
    assert time.process_time() - started < 100, "below a second; hours where a pattern goes back and forth"


def test_four_times_the_reports_take_four_times_the_steps() -> None:
    lines = log_lines("6.1-arch-machine-swap-decides")

    def steps(copies: int) -> int:
        """Count the calls, into C as well."""
        count = 0

        def called(*_: object) -> None:
            nonlocal count
            count += 1

        sys.setprofile(called)
        try:
            assert sum(1 for _ in parse(lines * copies)) == copies
        finally:
            sys.setprofile(None)
        return count

    steps(2)
    assert steps(40) < 4.1 * steps(10)
