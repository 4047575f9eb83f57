"""When a cgroup is full: of which nothing is said."""

from __future__ import annotations

import re
from itertools import count
from types import SimpleNamespace

import pytest

from oomctl.live.ask import Ask
from oomctl.live.filling import Filling
from oomctl.live.seen import Seen
from oomctl.live.shot import Shot, shoot
from oomctl.model.listing import Details
from oomctl.procfs.sampler import Sampler
from oomctl.trend.line import LEAST
from tests.proc_tree import ProcTree

MIB = 1 << 20


@pytest.fixture
def seen(proc_tree: ProcTree, monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Of a machine where one leaks 4 MiB every two seconds in a cgroup, and one rests in another."""
    monkeypatch.setattr("oomctl.live.shot.time", SimpleNamespace(monotonic=count(0, 2).__next__))
    proc_tree.mount_v2()
    proc_tree.cgroup("/a")
    sizes = {"memory__max": str(800 * MIB), "memory__current": str(700 * MIB)}
    cache = f"active_file {MIB * 80}\ninactive_file {MIB * 20}\n"
    proc_tree.cgroup("/a/app", (20,), memory__stat=cache, **sizes)
    proc_tree.cgroup("/db", (10,), memory__max=str(800 * MIB), memory__current=str(400 * MIB))
    return Seen(2)


def watched(tree: ProcTree, seen: Seen, cgroup: str | None = None, looks: int = LEAST) -> Shot:
    sampler = Sampler(str(tree.root), cgroup)
    for number in range(looks):
        tree.add(10, "postgres", 50_000, cgroup="0::/db\n")
        tree.add(20, "java", 90_000 + number * 1024, cgroup="0::/a/app\n")
        shot = shoot(sampler, Ask(()), seen=seen)
    return shot


def test_it_is_when_its_processes_take_up_what_is_left_page_cache_too(proc_tree: ProcTree, seen: Seen) -> None:
    shot = watched(proc_tree, seen)
    filling = Filling(shot, seen)
    swap_left = shot.procfs.meminfo.swap_free / MIB
    assert filling.seconds("/a/app") == pytest.approx((800 - 700 + 100 + swap_left) / 2)
    assert filling.seconds("/db") is filling.seconds("/a") is filling.seconds("/none") is None


def test_of_the_memory_in_question_it_is_what_the_heading_says(proc_tree: ProcTree, seen: Seen) -> None:
    before = (proc_tree.root / "meminfo").read_text()
    for looks in range(LEAST):
        text = re.sub(r"(MemAvailable: +)\d+", rf"\g<1>{2_000_000 - looks * 100_000}", before)
        proc_tree.write("meminfo", text)
        shot = watched(proc_tree, seen, looks=1)
    assert shot.ahead is not None
    assert shot.ahead.forecast.left is not None
    assert Filling(shot, seen).seconds(None) == shot.ahead.forecast.left.mid
    assert Filling(shot._replace(ahead=None), seen).seconds(None) is None


def test_nothing_is_said_where_not_everybody_in_it_is_known(proc_tree: ProcTree, seen: Seen) -> None:
    shot = watched(proc_tree, seen)
    assert Filling(shot, seen).seconds("/a/app")
    hidden = shot.look._replace(scenario=shot.look.scenario._replace(hidden=1))
    partial = shot.look._replace(scenario=shot.look.scenario._replace(unread_candidates=1))
    nowhere = shot.look._replace(details={**shot.look.details, 10: Details()})
    for look in (hidden, partial, nowhere):
        assert Filling(shot._replace(look=look), seen).seconds("/a/app") is None
    proc_tree.add(21, "new", 100, cgroup="0::/a/app\n")
    shot = watched(proc_tree, seen, looks=1)
    assert Filling(shot, seen).seconds("/a/app") is None


def test_nothing_is_said_where_somebody_in_it_has_no_number_here(proc_tree: ProcTree, seen: Seen) -> None:
    shot = watched(proc_tree, seen)
    assert Filling(shot, seen).seconds("/a/app")
    (proc_tree.cgroup_mount / "a/app/cgroup.procs").write_text("0\n20\n")
    assert Filling(shot, seen).seconds("/a/app") is None


def test_what_lies_outside_of_the_memory_in_question_was_not_looked_at(proc_tree: ProcTree, seen: Seen) -> None:
    filling = Filling(watched(proc_tree, seen, "/db"), seen)
    assert filling.seconds("/a/app") is filling.seconds(None) is filling.seconds("/db") is None
    assert Filling(watched(proc_tree, seen, "/a"), seen).seconds("/a/app")
