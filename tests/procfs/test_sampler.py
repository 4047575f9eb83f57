"""Looking again and again: what is read at which look, and what is never missed."""

from __future__ import annotations

import pytest

from oomctl.errors import ImpossibleHere
from oomctl.kernel.invocation import out_of_memory
from oomctl.model.kernel import Task
from oomctl.model.look import Look
from oomctl.procfs import sampler
from oomctl.procfs.sampler import Sampler
from tests.proc_tree import ProcTree


@pytest.fixture
def crowd(proc_tree: ProcTree, monkeypatch: pytest.MonkeyPatch) -> ProcTree:
    """Forty processes, of which four are read in turn; one has a far higher score than all others."""
    monkeypatch.setattr(sampler, "SHARE", 4)
    monkeypatch.setattr(sampler, "IN_TURN", 4)
    monkeypatch.setattr(sampler, "MOST_NEAR", 3)
    proc_tree.meminfo(4_000_000)
    for pid in range(100, 140):
        proc_tree.add(pid, rss=100, score=666)
    proc_tree.add(200, "big", rss=200_000, score=800)
    return proc_tree


def found(look: Look, pid: int) -> Task:
    return next(task for task in look.scenario.tasks if task.pid == pid)


def pids(look: Look) -> set[int]:
    return {task.pid for task in look.scenario.tasks}


def test_the_first_look_reads_everybody(crowd: ProcTree) -> None:
    look, _ = Sampler(str(crowd.root)).look()
    assert pids(look) == {*range(100, 140), 200}
    assert found(look, 120).rss_pages == 100
    assert look.details[120].user is not None


def test_a_glance_reads_the_first_and_counts_the_others(crowd: ProcTree) -> None:
    eyes = Sampler(str(crowd.root))
    found_first = eyes.glance(3)
    assert found_first is not None
    look, _ = found_first
    assert 200 in pids(look)
    assert len(pids(look)) + look.scenario.unread_candidates == 41
    assert look.scenario.unread_candidates > 30
    assert look.details[200].user is not None
    assert pids(eyes.look()[0]) == {*range(100, 140), 200}


def test_there_is_no_glance_at_a_cgroup_nor_at_few(crowd: ProcTree, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Sampler(str(crowd.root), "/db").glance(3) is None
    monkeypatch.setattr(sampler, "SHARE", 41)
    assert Sampler(str(crowd.root)).glance(3) is None


def test_a_process_whose_score_moved_is_read_at_once(crowd: ProcTree) -> None:
    eyes = Sampler(str(crowd.root))
    eyes.look()
    for pid in range(100, 140):
        crowd.add(pid, rss=5000, score=669)
    look, _ = eyes.look()
    assert {found(look, pid).rss_pages for pid in range(100, 140)} == {5000}


def test_one_on_the_screen_is_read_at_every_look(crowd: ProcTree) -> None:
    eyes = Sampler(str(crowd.root))
    eyes.look()
    for rss in range(101, 113):
        crowd.add(125, rss=rss, score=666)
        look, _ = eyes.look(fresh=[125])
        assert found(look, 125).rss_pages == rss


def test_everybody_else_comes_round_in_turn(crowd: ProcTree) -> None:
    eyes = Sampler(str(crowd.root))
    eyes.look()
    for pid in range(100, 140):
        crowd.add(pid, rss=200, score=666)
    looks = [eyes.look()[0] for _ in range(10)]
    news = [sum(found(look, pid).rss_pages == 200 for pid in range(100, 140)) for look in looks]
    assert news == [4, 8, 12, 16, 20, 24, 28, 32, 36, 40]


def test_who_may_be_the_first_is_read_at_every_look(crowd: ProcTree) -> None:
    crowd.add(201, "rival", rss=199_900, score=800)
    eyes = Sampler(str(crowd.root))
    eyes.look()
    for rss in (200_100, 199_000, 200_200, 198_000):
        crowd.add(201, "rival", rss=rss, score=800)
        look, _ = eyes.look()
        victim = out_of_memory(look.scenario).victim
        assert victim is not None
        assert victim.task.pid == (201 if rss > 200_000 else 200)
        assert look.unread_near == 0


def test_where_too_many_may_be_first_the_look_says_how_many_it_did_not_read(crowd: ProcTree) -> None:
    for pid in range(200, 220):
        crowd.add(pid, rss=200_000 + pid, score=800)
    eyes = Sampler(str(crowd.root))
    first, _ = eyes.look()
    assert first.unread_near == 0
    second, _ = eyes.look()
    in_turn = sum(pid % 15 == 2 for pid in range(200, 220))
    assert second.unread_near == 20 - in_turn - 3


def test_new_processes_appear_and_ended_ones_go(crowd: ProcTree) -> None:
    eyes = Sampler(str(crowd.root))
    eyes.look()
    crowd.add(300, rss=50, score=666)
    (crowd.root / "100").rename(crowd.root / "gone")
    look, _ = eyes.look()
    assert pids(look) == {*range(101, 140), 200, 300}
    assert 100 not in look.details


def test_a_pid_that_was_taken_over_is_another_process(crowd: ProcTree) -> None:
    eyes = Sampler(str(crowd.root))
    eyes.look()
    crowd.add(120, "other", rss=100, score=667, start=9999)
    look, _ = eyes.look()
    assert (found(look, 120).comm, found(look, 120).start_ticks) == ("other", 9999)


def test_before_5_9_a_score_says_nothing_and_all_are_read(crowd: ProcTree) -> None:
    for pid in range(100, 140):
        crowd.add(pid, rss=100, score=1)
    crowd.add(200, "big", rss=200_000, score=200)
    crowd.procfs("4.19.0")
    eyes = Sampler(str(crowd.root))
    eyes.look()
    for pid in range(100, 140):
        crowd.add(pid, rss=300, score=1)
    look, _ = eyes.look()
    assert {found(look, pid).rss_pages for pid in range(100, 140)} == {300}


def test_a_cgroup_has_its_own_members_and_total(crowd: ProcTree) -> None:
    crowd.mount_v2()
    crowd.cgroup("/db", (100, 101), memory__max="40960000", memory__oom__group="1")
    eyes = Sampler(str(crowd.root), "/db")
    look, _ = eyes.look()
    assert (pids(look), look.scenario.context.totalpages) == ({100, 101}, 10_000)
    assert look.scenario.context.oom_groups == {"/db"}
    eyes.cgroup = None
    assert len(pids(eyes.look()[0])) == 41


def test_a_cgroup_that_is_removed_meanwhile(crowd: ProcTree) -> None:
    crowd.mount_v2()
    directory = crowd.cgroup("/db", (100,))
    eyes = Sampler(str(crowd.root), "/db")
    eyes.look()
    directory.rename(crowd.root.parent / "removed")
    with pytest.raises(ImpossibleHere, match="no such memory cgroup"):
        eyes.look()


def test_groups_that_are_killed_as_one_are_known(crowd: ProcTree) -> None:
    crowd.mount_v2()
    crowd.write("200/cgroup", "0::/all/one\n")
    crowd.cgroup("/all", memory__oom__group="1")
    crowd.cgroup("/all/one", (200,), memory__oom__group="0")
    look, _ = Sampler(str(crowd.root)).look()
    assert look.scenario.context.oom_groups == {"/all"}
    assert found(look, 200).memcg == "/all/one"


def test_it_never_forks(crowd: ProcTree, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interactive view looks from a thread of its own."""
    for pid in range(1000, 2200):
        crowd.add(pid, rss=10, score=666)
    monkeypatch.delattr("os.fork")
    assert len(pids(Sampler(str(crowd.root)).look()[0])) == 1241
