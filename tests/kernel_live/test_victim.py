"""The kernel kills whom the command line named, rule by rule."""

from __future__ import annotations

import pytest

from oomctl.procfs.reader import Procfs
from tests.kernel_live.memcgs import ToyCgroup
from tests.kernel_live.toys import MIB, PAGE, Nursery, Toy, is_alive
from tests.kernel_live.trials import overflow, overflowed

pytestmark = pytest.mark.kernel


def sizes_of_equal_score(totalpages: int) -> tuple[int, int]:
    """Two badnesses in pages that `/proc/PID/oom_score` rounds to one number, on a machine of ``totalpages``.

    (1000 + permille) * 2 // 3 is the same for a permille of 3 k - 1 and 3 k, and for 0 alone.
    """
    permille = totalpages // 1000
    if permille > 6000:
        return permille * 6 // 10, permille * 9 // 10
    lowest = next(3 * k - 1 for k in range(1, 10_000) if (3 * k - 1) * permille > 4000)
    return lowest * permille + permille // 2, lowest * permille + permille * 3 // 2


@pytest.mark.parametrize("larger_first", [True, False] * 3)
def test_of_two_with_the_same_oom_score_the_larger_dies(
    nursery: Nursery, cgroup: ToyCgroup, larger_first: bool
) -> None:
    procfs = Procfs()
    interpreter = procfs.task(nursery.start(Toy(cgroup)).pid)
    smaller, larger = sizes_of_equal_score(procfs.totalpages)
    sizes = (larger, smaller) if larger_first else (smaller, larger)
    toys = [Toy(cgroup, pages=size - interpreter.rss_pages - interpreter.pgtables_pages) for size in sizes]
    result, started = overflowed(nursery, cgroup, *toys, limit_pages=smaller + larger + 1000)
    pids = [toy.pid for toy in started[:2]]
    assert len({task.oom_score for task in result.ours if task.pid in pids}) == 1
    assert result.certain
    dies = pids[0 if larger_first else 1]
    assert (result.prediction["victim"]["pid"], result.victim) == (dies, dies)


@pytest.mark.parametrize("attempt", range(4))
def test_adj_is_scaled_by_the_cgroups_limit_not_by_the_machine(
    nursery: Nursery, cgroup: ToyCgroup, attempt: int
) -> None:
    """A large one without adj beside a small one with +10, which `/proc/PID/oom_score` puts first on a big machine."""
    large, small = Toy(cgroup, pages=59 * MIB // PAGE), Toy(cgroup, pages=14 * MIB // PAGE, adj=10)
    result, started = overflowed(nursery, cgroup, large, small, limit_pages=130 * MIB // PAGE)
    assert result.certain
    assert (result.prediction["victim"]["pid"], result.victim) == (started[0].pid, started[0].pid)


def test_totalpages_is_divided_before_it_is_multiplied_by_adj(nursery: Nursery, cgroup: ToyCgroup) -> None:
    # 20 pages * 500 are 10,000; 20,999 * 500 / 1000 would be 10,499 and save the larger one.
    plain, adjusted = Toy(cgroup, pages=10_650), Toy(cgroup, pages=400, adj=500)
    result, started = overflowed(nursery, cgroup, plain, adjusted, limit_pages=20_999)
    assert result.certain
    assert (result.prediction["victim"]["pid"], result.victim) == (started[0].pid, started[0].pid)


def test_below_1000_pages_adj_has_no_effect(nursery: Nursery, cgroup: ToyCgroup) -> None:
    plain, adjusted = Toy(cgroup, pages=300), Toy(cgroup, pages=0, adj=1000)
    result, started = overflowed(nursery, cgroup, plain, adjusted, limit_pages=999)
    assert result.certain
    assert (result.prediction["victim"]["pid"], result.victim) == (started[0].pid, started[0].pid)


def test_threads_add_nothing(nursery: Nursery, cgroup: ToyCgroup) -> None:
    threaded, larger = Toy(cgroup, pages=2000, threads=8), Toy(cgroup, pages=2400)
    result, started = overflowed(nursery, cgroup, threaded, larger, limit_pages=8000)
    assert (result.prediction["victim"]["pid"], result.victim) == (started[1].pid, started[1].pid)


def test_who_shares_the_victims_memory_dies_too(nursery: Nursery, cgroup: ToyCgroup) -> None:
    shared, other = Toy(cgroup, pages=4000, sharers=2), Toy(cgroup, pages=1000)
    result, started = overflowed(nursery, cgroup, shared, other, limit_pages=9000)
    both = {started[0].pid, *started[0].sharers}
    assert result.victim in both
    assert {process["pid"] for process in result.prediction["killed"]} == both
    assert result.cost(both), result.dead


def test_a_process_whose_leader_has_exited_is_chosen(nursery: Nursery, cgroup: ToyCgroup) -> None:
    leaderless, other = Toy(cgroup, pages=4000, threads=2, zombie_leader=True), Toy(cgroup, pages=1000)
    result, started = overflowed(nursery, cgroup, leaderless, other, limit_pages=9000)
    assert result.certain
    assert (result.prediction["victim"]["pid"], result.victim) == (started[0].pid, started[0].pid)
    assert result.killed_agrees


def test_not_the_vfork_child_but_its_parent_is_chosen_and_both_die(nursery: Nursery, cgroup: ToyCgroup) -> None:
    waiting, other = Toy(cgroup, pages=4000, vfork=True), Toy(cgroup, pages=1000)
    result, started = overflowed(nursery, cgroup, waiting, other, limit_pages=9000)
    assert result.certain
    assert (result.prediction["victim"]["pid"], result.victim) == (started[0].pid, started[0].pid)
    assert started[0].vfork_child is not None
    both = {started[0].pid, started[0].vfork_child}
    assert {process["pid"] for process in result.prediction["killed"]} == both
    assert result.cost(both), result.dead


def test_members_of_nested_cgroups_count_and_those_beside_do_not(nursery: Nursery, cgroup: ToyCgroup) -> None:
    limited, beside = cgroup.child("limited"), cgroup.child("beside")
    deep = limited.child("deep")
    bystander = nursery.start(Toy(beside, pages=8000))
    result, started = overflowed(
        nursery, limited, Toy(deep, pages=1000), Toy(deep, pages=4000), Toy(deep), limit_pages=9000
    )
    assert result.certain
    assert (result.prediction["victim"]["pid"], result.victim) == (started[1].pid, started[1].pid)
    assert is_alive(bystander.pid)


def test_forks_count_what_they_inherited(nursery: Nursery, cgroup: ToyCgroup) -> None:
    child = Toy(cgroup, pages=500, inherits=True)
    result, started = overflowed(
        nursery, cgroup, Toy(cgroup, pages=2000, children=(child,)), Toy(cgroup, pages=2200), limit_pages=8000
    )
    assert result.certain
    heir = started[0].children[0].pid
    assert (result.prediction["victim"]["pid"], result.victim) == (heir, heir)
    assert result.cost({heir}), result.dead


def test_a_process_that_grows_beyond_the_others_dies(nursery: Nursery, cgroup: ToyCgroup) -> None:
    cgroup.limit_bytes = 10_000 * PAGE
    larger = nursery.start(Toy(cgroup, pages=3000))
    grower = nursery.start(Toy(cgroup, pages=1000, grows_pages=9000))
    result = overflow(frozenset(), cgroup, [larger, grower], "--grow", f"{grower.pid}={5000 * PAGE}")
    assert (result.prediction["victim"]["pid"], result.victim) == (grower.pid, grower.pid)
