"""The first look of many."""

from __future__ import annotations

from typing import Any

import pytest

from oomctl.live.ask import Ask
from oomctl.live.shot import first_shot
from oomctl.procfs import sampler
from oomctl.procfs.sampler import Sampler
from oomctl.render import fields
from tests.proc_tree import ProcTree


@pytest.fixture
def many(proc_tree: ProcTree, monkeypatch: pytest.MonkeyPatch) -> ProcTree:
    """A hundred processes and one that cannot be chosen, on a machine where 50 are many."""
    monkeypatch.setattr(sampler, "SHARE", 50)
    monkeypatch.setattr(sampler, "IN_TURN", 50)
    proc_tree.meminfo(4_000_000)
    for pid in range(100, 200):
        proc_tree.add(pid, rss=100 + pid, score=667)
    proc_tree.add(300, rss=100, adj=-1000, score=0)
    return proc_tree


def test_among_many_the_first_look_reads_those_nearest_and_says_that_others_follow(many: ProcTree) -> None:
    eyes = Sampler(str(many.root))
    first = first_shot(eyes, Ask((fields.find("pid"),)))
    assert first.is_partial
    assert max(task.pid for task in first.look.scenario.tasks) == 199
    assert len(first.look.scenario.tasks) < 100


@pytest.mark.parametrize("asked", [{"sort": fields.find("rss")}, {"reverse": True}, {"user": "1000"}])
def test_in_another_order_or_of_some_all_are_read_at_once(many: ProcTree, asked: dict[str, Any]) -> None:
    first = first_shot(Sampler(str(many.root)), Ask((fields.find("pid"),), **asked))
    assert not first.is_partial
    assert len(first.look.scenario.tasks) == 101


def test_few_are_read_at_once(proc_tree: ProcTree) -> None:
    for pid in range(100, 110):
        proc_tree.add(pid, rss=100 + pid, score=667)
    first = first_shot(Sampler(str(proc_tree.root)), Ask((fields.find("pid"),)))
    assert not first.is_partial
    assert len(first.look.scenario.tasks) == 10
