"""The first look of many."""

from __future__ import annotations

import pytest

from oomctl.live.ask import Ask
from oomctl.live.shot import first_shot
from oomctl.procfs import sampler
from oomctl.procfs.sampler import Sampler
from oomctl.render import fields
from tests.proc_tree import ProcTree


def test_among_many_the_first_look_reads_those_nearest_and_says_that_others_follow(
    proc_tree: ProcTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampler, "SHARE", 50)
    proc_tree.meminfo(4_000_000)
    for pid in range(100, 200):
        proc_tree.add(pid, rss=100 + pid, score=667)
    proc_tree.add(300, rss=100, adj=-1000, score=0)
    eyes = Sampler(str(proc_tree.root))
    first = first_shot(eyes, Ask((fields.find("pid"),)))
    assert first.is_partial
    assert max(task.pid for task in first.look.scenario.tasks) == 199
    assert len(first.look.scenario.tasks) < 100


def test_with_a_sort_order_or_among_few_all_are_read_at_once(proc_tree: ProcTree) -> None:
    for pid in range(100, 110):
        proc_tree.add(pid, rss=100 + pid, score=667)
    for sort in (None, fields.find("rss")):
        first = first_shot(Sampler(str(proc_tree.root)), Ask((fields.find("pid"),), sort))
        assert not first.is_partial
        assert len(first.look.scenario.tasks) == 10
