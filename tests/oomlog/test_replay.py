from __future__ import annotations

import pytest

from oomctl.errors import BadInput
from oomctl.model.kernel import Constraint
from oomctl.model.oomreport import OomReport, Replay
from oomctl.oomlog.parser import parse
from oomctl.oomlog.replay import replay, scenario_of
from tests.oomlog.messages import TABLE as NEW

TOTALS = ["3 total pagecache pages", "Total swap = 0kB", "100000 pages RAM", "0 pages reserved"]
OLD = "[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name"
OLDEST = "[ pid ]   uid  tgid total_vm      rss cpu oom_adj oom_score_adj name"


def row(pid: int, rss: int, adj: int = 0, *, uid: int = 0, swap: int = 0, total_vm: int = 9000) -> str:
    return f"[{pid:7d}] {uid:5d} {pid:5d} {total_vm:8d} {rss:8d}        0 {swap:8d}         {adj:5d} task{pid}"


def report(kernel: str, layout: str, rows: list[str], *end: str, header: str = "") -> OomReport:
    lines = [
        f"java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), {header}order=0, oom_score_adj=0",
        f"CPU: 1 PID: 3074 Comm: java Not tainted {kernel} #1",
        *TOTALS,
        layout,
        *rows,
        *end,
    ]
    (found,) = parse(lines)
    return found


def killed(pid: int, total_vm_kb: int = 36000) -> str:
    return (
        f"Out of memory: Killed process {pid} (task{pid}) total-vm:{total_vm_kb}kB, anon-rss:4kB, file-rss:0kB,"
        " shmem-rss:0kB, UID:0 pgtables:4kB oom_score_adj:0"
    )


def old_kill(pid: int, score: int, died: int | None = None) -> tuple[str, str]:
    return (
        f"Out of memory: Kill process {pid} (task{pid}) score {score} or sacrifice child",
        f"Killed process {died or pid} (task{died or pid}) total-vm:36000kB, anon-rss:4kB, file-rss:0kB",
    )


def memcg(rows: list[str], *counters: str, victim: int, kernel: str = "6.1.20", layout: str = NEW) -> Replay:
    end = [killed(victim)] if layout == NEW else old_kill(victim, 0)
    lines = [
        f"CPU: 1 PID: 3074 Comm: java Not tainted {kernel} #1",
        *counters,
        layout,
        *rows,
        *(line.replace("Out of memory", "Memory cgroup out of memory") for line in end),
    ]
    (found,) = parse(lines)
    assert found.constraint is Constraint.MEMCG
    return replay(found)


def test_the_same_choice_agrees() -> None:
    verdict = replay(report("6.1.20", NEW, [row(10, 500), row(11, 400)], killed(10)))
    assert (verdict.victim_pid, verdict.agrees, verdict.totalpages, verdict.page_size) == (10, True, 100_000, 4096)
    assert verdict.margin_pages == 100


def test_another_choice_disagrees_and_says_by_how_much() -> None:
    verdict = replay(report("6.1.20", NEW, [row(10, 500), row(11, 400)], killed(11)))
    assert (verdict.victim_pid, verdict.agrees) == (10, False)
    assert "leads by 100 pages" in verdict.reason


def test_an_incomplete_report_is_not_judged() -> None:
    verdict = replay(report("6.1.20", NEW, [row(10, 500)], killed(99)))
    assert (verdict.victim_pid, verdict.agrees) == (None, None)
    assert "victim's row" in verdict.reason


@pytest.mark.parametrize(("kernel", "victim"), [("6.1.20", 11), ("4.19.5", 10)])
def test_the_rules_are_those_of_the_kernel_in_the_report(kernel: str, victim: int) -> None:
    rows = [row(10, 500), row(11, 500)]
    end = [killed(11)] if kernel == "6.1.20" else old_kill(10, 5)
    verdict = replay(report(kernel, NEW, rows, *end))
    assert (verdict.victim_pid, verdict.agrees, verdict.kernel) == (victim, True, kernel)


@pytest.mark.parametrize(
    ("layout", "end", "words"),
    [
        (NEW, [killed(10)], "5.4 to 6.7"),
        (NEW, list(old_kill(10, 5)), "4.19"),
        (OLD, list(old_kill(10, 5)), "3.5 to 3.19"),
        (OLDEST, list(old_kill(10, 5)), "2.6.36 to 3.4"),
    ],
)
def test_without_a_release_the_lines_tell_the_kernel_and_the_reason_says_so(
    layout: str, end: list[str], words: str
) -> None:
    state = ["Tasks state (memory values in pages):"] if layout == NEW else []
    summary = [f"oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),global_oom,task_memcg=/,task=a,pid={10},uid=0"]
    lines = [*TOTALS, *state, layout, row(10, 500), row(11, 100), *(summary if "UID" in end[0] else []), *end]
    (found,) = parse(lines)
    verdict = replay(found)
    assert verdict.agrees is True
    assert words in verdict.reason


def test_a_kernel_that_weighed_other_things_cannot_be_replayed() -> None:
    layout = "[ pid ]   uid  tgid total_vm      rss cpu oom_adj name"
    rows = ["[   10]     0    10     9000      500   0       0 task10"]
    lines = [*TOTALS, layout, *rows, "Out of memory: kill process 10 (task10) score 900 or a child"]
    (found,) = parse([*lines, "Killed process 10 (task10)"])
    assert "total_vm" in replay(found).reason
    with pytest.raises(BadInput):
        scenario_of(found)


def test_old_kernels_compare_whole_permilles_and_the_first_of_equals_dies() -> None:
    # 5.09 and 5.00 permille of 100000 pages are both 5.
    rows = [row(10, 500, uid=1), row(11, 509, uid=1)]
    assert replay(report("2.6.32-504.el6.x86_64", OLDEST, rows, *old_kill(10, 5))).agrees is True


def test_what_an_old_table_does_not_show_is_no_disagreement() -> None:
    verdict = replay(report("3.2.0", OLDEST, [row(10, 900, uid=1), row(11, 300, uid=1)], *old_kill(11, 20)))
    assert verdict.agrees is None
    assert "does not show" in verdict.reason


def test_the_score_tells_whether_root_has_its_discount() -> None:
    rows = [row(10, 50_000, uid=0), row(11, 49_000, uid=7)]
    assert replay(report("4.4.121", OLD, rows, *old_kill(11, 490))).agrees is None
    with_discount = replay(report("4.4.121", OLD, [row(10, 50_000), row(11, 48_000, uid=7)], *old_kill(10, 485)))
    without = replay(report("4.4.121", OLD, [row(10, 50_000), row(11, 49_000, uid=7)], *old_kill(10, 500)))
    assert (with_discount.agrees, without.agrees) == (True, True)
    assert "score 485 comes out" in with_discount.reason


def test_a_sacrificed_child_is_not_a_disagreement() -> None:
    verdict = replay(report("4.19.5", NEW, [row(10, 500), row(11, 4)], *old_kill(10, 5, died=11)))
    assert (verdict.victim_pid, verdict.agrees) == (10, True)
    assert "its child 11" in verdict.reason


def test_a_task_in_vfork_shows_its_parents_memory_and_is_passed_over() -> None:
    verdict = replay(report("6.1.20", NEW, [row(10, 500), row(11, 500), row(12, 30)], killed(10)))
    assert (verdict.victim_pid, verdict.agrees) == (10, True)
    assert "vfork" in verdict.reason


def test_the_victim_of_an_earlier_report_no_longer_counts() -> None:
    first = report("6.1.20", NEW, [row(10, 500), row(11, 400)], killed(10))
    second = report("6.1.20", NEW, [row(10, 510), row(11, 400)], killed(11))
    assert first.complete
    verdict = replay(second._replace(killed_before=frozenset({10})))
    assert (verdict.victim_pid, verdict.agrees) == (11, True)


def test_the_page_size_of_the_report_counts() -> None:
    verdict = replay(report("6.1.20", NEW, [row(10, 500), row(11, 400)], killed(10, 9000 * 64)))
    assert verdict.page_size == 65536


def test_a_cgroup_without_a_page_in_swap_has_none_to_count() -> None:
    verdict = memcg(
        [row(10, 500, 100), row(11, 5000)],
        "memory: usage 65536kB, limit 65536kB, failcnt 80",
        "memory+swap: usage 65536kB, limit 9007199254740988kB, failcnt 0",
        victim=11,
    )
    assert (verdict.agrees, verdict.totalpages) == (True, 16384)


def test_swap_that_is_not_printed_and_could_decide_is_left_undecided() -> None:
    counters = ("memory: usage 65536kB, limit 65536kB, failcnt 80", "swap: usage 400kB, limit 9000000kB, failcnt 0")
    rows = [row(10, 500, 100), row(11, 5000, swap=100)]
    assert memcg(rows, *counters, victim=11).agrees is None
    assert memcg([row(10, 500), row(11, 5000, swap=100)], *counters, victim=11).agrees is True


LIMIT = "memory: usage 4096000kB, limit 4096000kB, failcnt 80"
ALL_AT_1 = [row(10, 900, -998), row(11, 50, -998), row(12, 400, -998)]


@pytest.mark.parametrize("kernel", ["3.10.0-957.27.2.el7.x86_64", "3.13.0-57-generic", "3.10.108"])
def test_of_equals_in_a_cgroup_the_newest_died_before_4_4(kernel: str) -> None:
    verdict = memcg(ALL_AT_1, LIMIT, victim=12, kernel=kernel, layout=OLD)
    assert (verdict.victim_pid, verdict.agrees) == (12, True)


def test_of_equals_in_a_cgroup_the_oldest_dies_since_4_4() -> None:
    verdict = memcg(ALL_AT_1, LIMIT, victim=10, kernel="4.4.121", layout=OLD)
    assert (verdict.victim_pid, verdict.agrees) == (10, True)


@pytest.mark.parametrize(("kernel", "layout"), [("3.10.108", OLD), ("3.2.0", OLDEST)])
def test_of_equals_on_the_machine_the_oldest_died(kernel: str, layout: str) -> None:
    rows = [row(10, 400, -998, uid=1), row(11, 400, -998, uid=1)]
    assert replay(report(kernel, layout, rows, *old_kill(10, 0 if layout == OLD else 1))).victim_pid == 10


def test_up_to_3_5_a_cgroup_was_walked_as_the_machine_is() -> None:
    verdict = memcg(ALL_AT_1, LIMIT, victim=10, kernel="3.2.0", layout=OLDEST)
    assert (verdict.victim_pid, verdict.agrees) == (10, True)


def test_a_log_of_equals_in_a_cgroup_is_simulated_as_it_is_replayed() -> None:
    lines = [f"CPU: 1 PID: 1 Comm: a Not tainted {'3.10.108'} #1", LIMIT, OLD, *ALL_AT_1, *old_kill(12, 0)]
    (found,) = parse([line.replace("Out of memory", "Memory cgroup out of memory") for line in lines])
    assert [task.pid for task in scenario_of(found).tasks] == [12, 11, 10]


def test_a_scenario_can_be_simulated_further() -> None:
    scenario = scenario_of(report("6.1.20", NEW, [row(10, 500), row(11, 400, -1000)], killed(10)))
    assert (scenario.kernel, scenario.context.totalpages, scenario.page_size) == ("6.1.20", 100_000, 4096)
    assert [(task.pid, task.adj) for task in scenario.tasks] == [(10, 0), (11, -1000)]


def test_a_report_without_a_table_cannot_be_simulated() -> None:
    (found,) = parse([killed(10)])
    with pytest.raises(BadInput, match="no task table"):
        scenario_of(found)
