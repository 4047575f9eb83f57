"""Scores are read again and again through files that stay open, and are those of now."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from oomctl.procfs.heldscores import HeldScores
from oomctl.procfs.reader import Procfs
from tests.proc_tree import ProcTree


@pytest.fixture
def scores() -> Iterator[HeldScores]:
    held = HeldScores()
    yield held
    held.close()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_scores_are_those_of_now(scores: HeldScores, proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.add(100, score=700)
    proc_tree.add(101, score=0)
    assert scores.read(procfs) == procfs.scores()
    proc_tree.write("100/oom_score", "933\n")
    assert [score.oom_score for score in scores.read(procfs).listed] == [933, 0]


def test_what_is_no_score_is_hidden(scores: HeldScores, proc_tree: ProcTree, procfs: Procfs) -> None:
    proc_tree.add(100, score=700)
    proc_tree.write("101/oom_score", "much\n")
    found = scores.read(procfs)
    assert (len(found.listed), found.hidden) == (1, 1)


def test_files_stay_open_while_there_is_memory_for_it(scores: HeldScores, proc_tree: ProcTree) -> None:
    for pid in range(100, 110):
        proc_tree.add(pid)
    before = descriptors()
    scores.read(proc_tree.procfs())
    assert descriptors() == before + 10
    (proc_tree.root / "105/oom_score").unlink()
    (proc_tree.root / "105").rename(proc_tree.root / "gone")
    scores.read(proc_tree.procfs())
    assert descriptors() == before + 9
    proc_tree.write("meminfo", "MemTotal: 4000000 kB\nMemAvailable: 8000 kB\n")
    assert len(scores.read(proc_tree.procfs()).listed) == 9
    assert descriptors() == before + 4
    scores.close()
    assert descriptors() == before


def test_a_real_process_that_ends_is_let_go(scores: HeldScores) -> None:
    child = subprocess.Popen(["sleep", "infinity"])
    try:
        procfs = Procfs()
        assert child.pid in {score.pid for score in scores.read(procfs).listed}
        assert child.pid in {score.pid for score in scores.read(procfs).listed}
    finally:
        child.kill()
        child.wait()
    assert child.pid not in {score.pid for score in scores.read(procfs).listed}
