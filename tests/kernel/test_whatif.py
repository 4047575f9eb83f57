from __future__ import annotations

import pytest

from oomctl.kernel.execution import shares_memory
from oomctl.kernel.invocation import out_of_memory
from oomctl.kernel.rules import rules_for
from oomctl.kernel.whatif import (
    first_adj_that_wins,
    first_adjs_that_win,
    pages_with_tables,
    pages_within,
    task_of,
    with_adj,
    with_adjs,
    with_growth,
    with_process,
    without,
)
from oomctl.model.kernel import Scenario, Task
from tests.tasks import scenario, task

BIG, SMALL = task(10, rss=900), task(11, rss=500)


def victim_of(changed: Scenario) -> int | None:
    victim = out_of_memory(changed).victim
    return None if victim is None else victim.task.pid


def winning_adj(pid: int, *tasks: Task, kernel: str = "7.1", totalpages: int = 1_000_000) -> int | None:
    return first_adj_that_wins(scenario(*tasks, kernel=kernel, totalpages=totalpages), pid, rules_for(kernel))


def test_another_adj_changes_the_victim_and_not_the_original() -> None:
    machine = scenario(BIG, SMALL)
    assert victim_of(with_adj(machine, 11, 1)) == 11
    assert victim_of(machine) == 10


def test_another_adj_reaches_all_that_share_the_memory() -> None:
    machine = scenario(task(10, mm="a"), task(11, mm="a"), task(12, mm="b"), task(13))
    assert [changed.adj for changed in with_adj(machine, 11, 300).tasks] == [300, 300, 0, 0]


@pytest.mark.parametrize("order", [(10, 12), (12, 10), (11, 10, 12), (12, 99, 11)])
def test_many_at_once_are_as_one_after_the_other(order: tuple[int, ...]) -> None:
    machine = scenario(task(10, mm="a"), task(11, mm="a", vfork=True), task(12, mm="a"), task(13))
    one_by_one = machine
    for pid in order:
        if pid != 99:  # nobody
            one_by_one = with_adj(one_by_one, pid, pid * 10)
    assert with_adjs(machine, {pid: pid * 10 for pid in order}) == one_by_one


@pytest.mark.parametrize("target", [10, 11])
def test_another_adj_stays_with_one_side_of_a_vfork(target: int) -> None:
    machine = scenario(task(10, mm="a"), task(11, mm="a", vfork=True))
    assert [changed.pid for changed in with_adj(machine, target, 300).tasks if changed.adj] == [target]


def test_another_adj_does_not_reach_init_and_kernel_threads() -> None:
    machine = scenario(task(1, mm="a", init=True), task(9, mm="a", kthread=True), task(10, mm="a"))
    assert [changed.adj for changed in with_adj(machine, 10, 300).tasks] == [0, 0, 300]


def test_growth_is_private_memory() -> None:
    grown = task_of(with_growth(scenario(task(10, rss=900, anon=700, pgtables=3)), 10, 50), 10)
    assert (grown.rss_pages, grown.anon_pages, grown.pgtables_pages) == (950, 750, 3)


def test_shrinking_ends_at_nothing() -> None:
    shrunk = task_of(with_growth(scenario(task(10, rss=900, anon=700)), 10, -800), 10)
    assert (shrunk.rss_pages, shrunk.anon_pages) == (100, 0)


def test_growth_of_shared_memory_is_everyones() -> None:
    machine = with_growth(scenario(task(10, rss=5, mm="a"), task(11, rss=5, mm="a"), task(12, rss=5)), 10, 2)
    assert [grown.rss_pages for grown in machine.tasks] == [7, 7, 5]


@pytest.mark.parametrize(("pages", "pgtables"), [(1, 4), (512, 4), (513, 5), (1_000_000, 1957)])
def test_an_added_process_has_page_tables_too(pages: int, pgtables: int) -> None:
    added = with_process(scenario(BIG), pages, adj=7).tasks[-1]
    assert (added.rss_pages, added.pgtables_pages, added.adj) == (pages, pgtables, 7)


def test_an_added_process_started_last_and_so_wins_a_tie() -> None:
    machine = with_process(scenario(task(10, rss=1, pgtables=4)), 1)
    assert victim_of(machine) == -1


def test_added_processes_have_pids_of_their_own() -> None:
    machine = with_process(with_process(scenario(BIG), 1), 1)
    assert [added.pid for added in machine.tasks] == [10, -1, -2]


def test_a_process_added_to_a_memcg_oom_is_a_member() -> None:
    machine = scenario(task(10, rss=5, memcg="/m"), memcg="/m")
    assert victim_of(with_process(machine, 900)) == -1


def test_without_the_victim_another_one_dies() -> None:
    assert victim_of(without(scenario(BIG, SMALL), 10)) == 11


def test_a_pid_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(KeyError):
        without(scenario(BIG), 99)


def test_changes_combine() -> None:
    machine = without(with_adj(with_growth(scenario(BIG, SMALL, task(12, rss=1)), 12, 850), 11, -1), 10)
    assert victim_of(machine) == 12


@pytest.mark.parametrize(
    ("pid", "tasks", "expected"),
    [
        pytest.param(11, (BIG, SMALL), 1, id="one step up is enough"),
        pytest.param(10, (BIG, SMALL), 0, id="first now, not any more at -1"),
        pytest.param(10, (task(10, rss=500), task(11, rss=500)), 1, id="the earlier of equals must be ahead"),
        pytest.param(11, (task(10, rss=500), task(11, rss=500)), 0, id="the later of equals wins"),
        pytest.param(11, (task(10, adj=1000, rss=900), SMALL), None, id="not even 1000"),
        pytest.param(10, (BIG,), -999, id="alone"),
        pytest.param(10, (BIG, task(11, rss=9000, adj=-1000)), -999, id="alone but for the protected"),
        pytest.param(10, (BIG._replace(adj=-1000), SMALL), 0, id="protected now"),
        pytest.param(10, (BIG._replace(kthread=True), SMALL), None, id="never killable"),
    ],
)
def test_the_lowest_adj_that_makes_a_task_the_first(pid: int, tasks: tuple[Task, ...], expected: int | None) -> None:
    assert winning_adj(pid, *tasks) == expected


@pytest.mark.parametrize("kernel", ["4.19", "5.10", "7.1"])
def test_many_are_answered_as_each_would_be_alone(kernel: str) -> None:
    tasks = [task(pid, rss=pid % 7 * 100, adj=pid % 3 * 100 - 100) for pid in range(10, 58)]
    tasks += [task(pid, rss=600, adj=100, mm="shared") for pid in (58, 59)]
    tasks += [task(60, rss=900, kthread=True), task(61, rss=900, adj=-1000), task(62, rss=600, vfork=True)]
    machine, rules = scenario(*tasks, kernel=kernel, totalpages=100_000), rules_for(kernel)
    pids = [one.pid for one in tasks]
    for pid, adj in first_adjs_that_win(machine, pids, rules).items():
        assert adj == first_adj_that_wins(machine, pid, rules)
        if adj is not None:
            assert [dies_at(machine, pid, value, kernel) for value in (adj, adj - 1)] == [True, False]


def dies_at(machine: Scenario, pid: int, adj: int, kernel: str) -> bool:
    """Whether ``pid`` or who shares its memory is chosen at that value."""
    victim = out_of_memory(with_adj(machine, pid, adj), rules_for(kernel)).victim
    return victim is not None and (victim.task.pid == pid or shares_memory(victim.task, task_of(machine, pid)))


def test_adj_decides_nothing_below_1000_pages() -> None:
    assert winning_adj(10, BIG, SMALL, totalpages=999) == -999
    assert winning_adj(11, BIG, SMALL, totalpages=999) is None


def test_before_5_9_all_below_1_tie_and_the_first_wins() -> None:
    clamped = task(10, rss=5, adj=-500), task(11, rss=5, adj=-500)
    assert winning_adj(10, *clamped, kernel="4.19") == -999
    assert winning_adj(11, *clamped, kernel="4.19") == 0


def test_whoever_shares_the_memory_is_no_rival() -> None:
    """Both get the new adj, and both die: 900 - 400 is what the third has."""
    sharers = task(10, rss=900, mm="a"), task(11, rss=900, mm="a")
    third = task(12, rss=500)
    assert [winning_adj(pid, *sharers, third, totalpages=1000) for pid in (10, 11)] == [-399, -399]


@pytest.mark.parametrize("room", [0, 3, 4, 512, 513, 516, 517, 100_000])
def test_the_largest_process_that_fits_leaves_no_room_for_a_page_more(room: int) -> None:
    pages = pages_within(room, 4096)
    assert pages == 0 or pages_with_tables(pages, 4096) <= room
    assert pages_with_tables(pages + 2, 4096) > room
