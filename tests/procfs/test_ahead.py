"""What is read while Python imports is what would have been read later."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from oomctl.procfs import ahead
from oomctl.procfs.machine import machine_procfs
from oomctl.procfs.reader import Procfs
from tests.proc_tree import ProcTree
from tests.processes import Sleeper


@pytest.fixture(autouse=True)
def large_machine_with_two_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "_WORTH_IT", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})


def children() -> list[int]:
    return machine_procfs().children(os.getpid())


def test_the_scores_of_all_are_read_but_of_nobody_who_reads(sleeper: Sleeper) -> None:
    there = [sleeper().pid for _ in range(5)]
    before = set(children())
    ahead.start()
    read = machine_procfs().scores_ahead()
    assert read is not None
    scores = {pid: score for score, pid in read[0]}
    assert scores.keys() >= set(there)
    assert os.getpid() not in scores
    assert not scores.keys() & set(children()) - before
    with open(f"/proc/{there[0]}/oom_score") as kernels:
        assert scores[there[0]] == int(kernels.read())


def test_it_is_given_once() -> None:
    ahead.start()
    assert machine_procfs().scores_ahead() is not None
    assert machine_procfs().scores_ahead() is None


def test_of_another_place_nothing_is_read_ahead(proc_tree: ProcTree) -> None:
    ahead.start()
    assert proc_tree.procfs("6.1").scores_ahead() is None
    ahead.stop()


def test_a_reader_that_is_killed_has_read_nothing() -> None:
    before = set(children())
    ahead.start()
    (reader,) = set(children()) - before
    os.kill(reader, signal.SIGKILL)
    assert machine_procfs().scores_ahead() is None


@pytest.mark.parametrize(
    "ended_by", [ahead.stop, lambda: machine_procfs().pids()], ids=["stop", "a listing of its own"]
)
def test_a_reader_that_nobody_asks_is_ended_and_waited_for(ended_by: object) -> None:
    before = children()
    ahead.start()
    assert len(children()) == len(before) + 1
    ended_by()  # type: ignore[operator]
    assert children() == before
    assert machine_procfs().scores_ahead() is None


def test_nothing_is_read_ahead_on_a_small_machine_or_one_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    before = children()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    ahead.start()
    assert children() == before
    monkeypatch.undo()
    monkeypatch.setattr(ahead, "_WORTH_IT", 1 << 30)
    ahead.start()
    assert children() == before


def test_where_no_process_may_be_started_it_is_read_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", refused)
    ahead.start()
    assert machine_procfs().scores_ahead() is None


def test_who_is_hidden_counts_as_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead.start()
    read = ahead.taken()
    assert read is not None
    read.links += 3
    monkeypatch.setattr(ahead, "taken", lambda: read)
    monkeypatch.setattr(Procfs, "_links", lambda self: os.stat(self.root).st_nlink + 3)
    found = machine_procfs().scores_ahead()
    assert found is not None
    assert found[1] == 3


def test_before_it_begins_next_to_nothing_is_imported() -> None:
    code = """
import sys
before = set(sys.modules)
import oomctl.cli.descriptors, oomctl.procfs.ahead
print(*sorted(name for name in set(sys.modules) - before if not name.startswith("oomctl")))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert set(ran.stdout.split()) <= {"__future__", "marshal"}
