"""However much a log holds, what is kept of it is bounded; what is left out is said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from oomctl.oomlog import draft, parser
from oomctl.oomlog.parser import parse
from oomctl.oomlog.replay import replay
from tests.commands.invoke import program
from tests.hostile.fuzzing import cost_of, ends_well
from tests.oomlog.real_logs import LOGS

HEADER = b"x invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n"
TABLE = b"[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name\n"
TOTALS = (
    b"memory: usage 65536kB, limit 65536kB, failcnt 80\nmemory+swap: usage 165536kB, limit 165536kB, failcnt 80\n"
    b"1048576 pages RAM\n22064 pages reserved\n"
)
END = (
    b"Memory cgroup out of memory: Kill process 3 (n2) score 512 or sacrifice child\n"
    b"Killed process 3 (n2) total-vm:1000000kB, anon-rss:400000kB\n"
)


def rows(count: int, name: bytes = b"n") -> Iterator[bytes]:
    """Yield rows of which none is like another."""
    for pid in range(1, count + 1):
        yield b"[%7d]  0 %7d   250000   %d  12     77             0 %s%d\n" % (pid, pid, pid * 7 % 99_999, name, pid)


def kills(count: int, name: bytes = b"a") -> Iterator[bytes]:
    for number in range(count):
        yield b"Killed process %d (%s) total-vm:5kB, anon-rss:5kB\n" % (number, name)


def written(path: Path, *parts: Iterator[bytes] | bytes) -> str:
    with path.open("wb") as file:
        for part in parts:
            file.writelines([part] if isinstance(part, bytes) else part)
    return str(path)


READERS = ("history --file", "history 1 --file", "history --json --file", "simulate --from")


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", [b"n", b"\xf0\x9f\x92\xa9" * 1900], ids=["short names", "names of kilobytes"])
def test_a_report_of_any_size_takes_bounded_memory(tmp_path: Path, reader: str, name: bytes) -> None:
    log = written(tmp_path / "log", HEADER, TOTALS, TABLE, rows(40_000 if name == b"n" else 5_000, name), END)
    cost = cost_of(*reader.split(), log)
    assert (cost.status, cost.stderr) == (0, "")
    assert cost.peak_bytes < 100 << 20


def test_a_table_with_more_rows_than_are_kept_is_not_replayed() -> None:
    (report,) = parse([HEADER, TABLE, *rows(draft.MOST_ROWS + 1), END])
    assert len(report.rows) == draft.MOST_ROWS
    assert replay(report).agrees is None


def test_the_tables_of_many_hosts_share_one_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "MOST_ROWS", 1000)
    hosts = [b"Aug  1 11:11:1%d h%d kernel: " % (host, host) for host in range(8)]
    fed = parser.Parser()
    for host in hosts:
        fed.feed(host + HEADER)
        fed.feed(host + TABLE)
    for row in rows(1000):
        for host in hosts:
            fed.feed(host + row)
        assert sum(len(one.rows) for one in fed._open.values()) < 1000 + 64


def test_a_hundred_thousand_reports_are_listed_in_bounded_memory(tmp_path: Path) -> None:
    log = written(tmp_path / "log", kills(100_000))
    cost = cost_of("history", "--file", log)
    left_out = "oomctl: history: 90000 earlier events are left out: too many to keep; --json alone lists all"
    assert (cost.status, cost.stderr) == (0, left_out)
    assert cost.peak_bytes < 100 << 20
    cost = cost_of("history", "--json", "--file", log)
    assert (cost.status, cost.stderr) == (0, "")
    assert cost.peak_bytes < 100 << 20


def test_the_last_reports_are_listed_and_all_of_them_are_in_the_document(tmp_path: Path) -> None:
    log = written(tmp_path / "log", kills(12_000))
    listed = program("history", "--file", log).stdout.splitlines()
    assert [listed[at].split()[0] for at in (0, 1, -1)] == ["N", "10000", "1"]
    events = json.loads(program("history", "--file", log, "--json").stdout)["events"]
    assert [event["index"] for event in events] == list(range(12_000, 0, -1))
    assert len(program("history", "--file", log, "-n", "11000").stdout.splitlines()) == 11_001


def test_the_last_reports_are_fewer_than_wanted_where_they_take_too_much_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("oomctl.oomlog.newest.KEPT_BYTES", 100_000)
    text = (LOGS / "3.7-memcg-with-mem-info.log").read_bytes() * 300
    listed = ends_well("history", "--file", "-", "-n", "200", stdin=text).splitlines()
    assert 2 < len(listed) < 201
    assert listed[-1].split()[0] == "1"


def test_names_of_kilobytes_do_not_widen_every_line(tmp_path: Path) -> None:
    summary = b"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg=/%s,task_memcg=/,task=a,pid=1,uid=0\n"
    log = written(tmp_path / "log", summary % (b"x" * 7000), kills(5_000))
    output = program("history", "--file", log).stdout
    assert len(output.splitlines()) == 5_001
    assert len(output) < 5_001 * 400 + 7_000


def test_a_group_kill_of_thousands_takes_linear_steps() -> None:
    group = b"Tasks in /a are going to be killed due to memory.oom.group set\n"
    (report,) = parse([HEADER, *kills(1), group, *kills(10_000)])
    assert len(report.killed) == 4096
