"""What people pasted, and what may be concluded from it: nothing that a log does not hold."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from oomctl.model.kernel import Constraint
from oomctl.model.oomreport import Ended, OomReport
from oomctl.oomlog.parser import parse, parse_blocks
from oomctl.oomlog.replay import replay
from oomctl.render import killing
from tests.oomlog.messages import TABLE, reports
from tests.oomlog.real_logs import DATA, INDEX, log_lines

PASTED = DATA / "pasted"
MACHINE, MEMCG = Constraint.NONE, Constraint.MEMCG


class Said(NamedTuple):
    """The right answer for one event."""

    victim: str
    """As the list has it."""
    constraint: Constraint | None = None
    rss_mib: float | None = None
    killer: str | None = "kernel"


RIGHT = {
    "02-openvz-ub.log": [Said("21738 (php-cgi)", MEMCG, 16.6), Said("21747 (php-cgi)", MEMCG, 16.6)],
    "04-oomd-french.log": [Said("all of tmux-spawn.scope", killer="systemd-oomd")],
    "06-udp-syslog-receiver.log": [Said("2588 (opkg)", MACHINE, 0.6)],
    "06b-udp-syslog-receiver-whole.log": [Said("2588 (opkg)", MACHINE, 0.6)],
    "08-dmesg-raw-router.log": [Said("472 (askfirst)", MACHINE, 0.0), Said("?"), Said("?", MACHINE)],
    "12-bracketed-names.log": [
        Said("4254 (python3)", MEMCG, 8.1),
        Said("4255 (python3)", MEMCG, 8.1),
        Said("15784 (python3)", MACHINE, 7.1),
        Said("15925 ((resolved))", MACHINE, 7.5),
        Said("15783 (python3)", MACHINE, 7.1),
        Said("15934 ((resolved))", MACHINE, 7.5),
    ],
    "13-lxc-nested-grep.log": [
        Said("3777481 (pulse)", MEMCG, 10226.4),
        Said("3783517 (pulse)", MEMCG, 10226.2),
        Said("?"),
    ],
    "14-docker-global-oom-grep.log": [Said("7134 (java)", MACHINE)],
    "15-k8s-in-lxc-elided.log": [Said("461754 (pt_main_thread)", MEMCG)],
    "16-boot-no-killable.log": [Said("panic", MACHINE)],
    "17-boot-panic-4.1.log": [Said("panic", MACHINE)],
    "18-earlyoom-and-kernel-cyrillic.log": [
        Said("27541 (bash)", None, 7609.0, "earlyoom"),
        Said("27541 (bash)", MACHINE, 7911.8),
    ],
    "19-earlyoom-only.log": [
        Said("29410 (cluster)", None, 23964.0, "earlyoom"),
        Said("11567 (electron)", None, 17.0, "earlyoom"),
    ],
    "20-systemd-unit-oom-only.log": [Said("? in postgresql.service")],
    "21-rhel6-bare-killed.log": [Said("11726 (mysqld)", None, 2480.5)],
    "22-android-lmkd.log": [Said("17933 (com.google.android.gms.unstable)", None, 137.2, "lmkd")],
    "23-openstack-numa-shortened.log": [
        Said("886679 (qemu-system-x86)", Constraint.CPUSET),
        Said("27410 (qemu-system-x86)", Constraint.MEMPOLICY),
    ],
    "26-rhel4-capital-memory.log": [Said("2592 (mysql)", MACHINE)],
    "27-pg-container-truncated.log": [Said("86854 (postgres)", MEMCG, 38.4), Said("?", MEMCG)],
    "28-eks-no-limit-line.log": [Said("2908 (gunicorn)", MEMCG, 72.5)],
    "38-grep-kill-lines-four-quotes.log": [
        Said("3685518 (ruby2.3) or a child of it", MEMCG),
        Said("859933 (ruby2.3) or a child of it", MEMCG),
        Said("2442358 (ruby2.3) or a child of it", MEMCG),
        Said("371792 (ruby2.3)", MEMCG, 156.0),
        Said("2316873 (ruby2.3) or a child of it", MEMCG),
    ],
    "39-grep-out-of-memory-only.log": [Said("9163 (mysqld) or a child of it", MACHINE)],
    "42-npd-describe.log": [Said("1371 (node)", MEMCG, 219.4)],
    "43-kernel-memory-in-cgroup.log": [Said("985671 (python3)", MEMCG, 22.6)],
}


def pasted(name: str) -> list[OomReport]:
    return list(parse((PASTED / name).read_bytes().splitlines(keepends=True)))


def said(report: OomReport) -> Said:
    rss = report.victim.rss_bytes if report.victim else None
    rss_mib = None if rss is None else round(rss / (1 << 20), 1)
    return Said(killing.victim(report), report.constraint, rss_mib, report.elsewhere.killer)


@pytest.mark.parametrize("name", RIGHT)
def test_a_pasted_log_has_its_right_answer(name: str) -> None:
    assert list(map(said, pasted(name))) == RIGHT[name]


@pytest.mark.parametrize("name", RIGHT)
def test_blocks_have_the_same_answer_as_lines(name: str) -> None:
    assert list(parse_blocks([(PASTED / name).read_bytes()])) == pasted(name)


def test_every_answer_is_about_a_file_that_is_there() -> None:
    assert RIGHT.keys() <= {path.name for path in PASTED.iterdir()}


# Nobody


@pytest.mark.parametrize("name", sorted(INDEX)[::7])
def test_a_log_cut_anywhere_never_has_nobody_and_never_another_limit(name: str) -> None:
    lines = log_lines(name)
    (whole,) = parse(lines)
    for at in range(0, len(lines), max(len(lines) // 40, 1)):
        for cut in (lines[:at], lines[at:]):
            for report in parse(cut):
                assert (killing.victim(report) == "nobody") == (report.no_killable and report.panic is None)
                assert (report.constraint or whole.constraint) in (whole.constraint, _without_its_nodes(whole))


def _without_its_nodes(whole: OomReport) -> Constraint | None:
    """Up to 4.20 the kernel says "Out of memory" of some nodes as of the machine; the header tells which nodes."""
    return whole.constraint if whole.constraint is MEMCG else MACHINE


@pytest.mark.parametrize("stamp", ["", "[   1.5] "])
def test_a_panic_after_no_killable_process_is_a_panic(stamp: str) -> None:
    (report,) = reports(
        f"{stamp}Out of memory and no killable processes...",
        f"{stamp}Kernel panic - not syncing: System is deadlocked on memory",
    )
    assert (report.ended, report.constraint) == (Ended.PANIC, MACHINE)


def test_no_killable_process_says_nothing_of_the_limit() -> None:
    (report,) = reports("Out of memory and no killable processes...")
    assert (report.ended, report.constraint) == (Ended.NO_KILLABLE, None)


def test_a_panic_without_its_report_is_found_in_a_log_about_other_things() -> None:
    block = b"x\n" * 9 + b"[ 1.5] Kernel panic - not syncing: System is deadlocked on memory\n" + b"y\n" * 9
    (report,) = parse_blocks([block])
    assert report.ended is Ended.PANIC


# The limit


def test_a_call_trace_tells_that_it_was_a_cgroup() -> None:
    (report,) = reports(
        "java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
        " mem_cgroup_out_of_memory+0xbb/0xd0",
        "Killed process 7 (java) total-vm:9kB, anon-rss:1kB, file-rss:1kB",
    )
    assert report.constraint is MEMCG


def test_the_cpuset_of_a_container_tells_no_limit() -> None:
    container = "0123456789abcdef" * 4
    (report,) = reports(
        "java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
        f"java cpuset={container} mems_allowed=0",
        "Killed process 7 (java) total-vm:9kB, anon-rss:1kB, file-rss:1kB",
    )
    assert report.constraint is None


def test_a_nodemask_that_may_be_the_cpusets_is_no_memory_policy() -> None:
    header = "opkg invoked oom-killer: gfp_mask=0x24200ca(GFP_HIGHUSER_MOVABLE), nodemask=0, order=0, oom_score_adj=0"
    trace = "CPU: 0 PID: 7 Comm: opkg Not tainted {} #1"
    kill = "Out of memory: Kill process 7 (opkg) score 20 or sacrifice child"
    limits = {release: reports(header, trace.format(release), kill)[0].constraint for release in ("4.9.20", "4.14.1")}
    assert limits == {"4.9.20": MACHINE, "4.14.1": Constraint.MEMPOLICY}


@pytest.mark.parametrize(("present_kib", "limit"), [(400_000, MACHINE), (200_000, None)], ids=["all", "half of it"])
def test_zones_that_are_not_all_of_the_memory_are_those_of_some_nodes(
    present_kib: int, limit: Constraint | None
) -> None:
    (report,) = reports(
        "Total swap = 0kB",
        f"Node 0 Normal free:1kB min:1kB present:{present_kib}kB managed:1kB",
        "100000 pages RAM",
        TABLE,
        "Out of memory: Kill process 7 (a) score 1 or sacrifice child",
    )
    assert report.constraint is limit


# The sizes


@pytest.mark.parametrize(
    "sizes",
    [
        "total-vm:9kB, file-rss:4kB",
        "total-vm:9kB, anon-rss:8kB",
        "total-vm:9kB, anon-rss:8kB, file-",
        "total-vm:9kB, anon-rss:8kB, file-rss:4kB",
    ],
)
def test_half_a_kill_line_has_no_rss(sizes: str) -> None:
    (report,) = reports(f"Out of memory: Killed process 7 (java) {sizes}")
    assert report.victim is not None
    assert report.victim.rss_bytes is None


def test_before_shared_memory_was_printed_a_line_without_it_is_whole() -> None:
    header = "java invoked oom-killer: gfp_mask=0xd0"
    line = "Killed process 7 (java) total-vm:9kB, anon-rss:8kB, file-rss:4kB"
    (old,) = reports(header, "CPU: 0 PID: 7 Comm: java Not tainted 3.10.0 #1", line)
    (new,) = reports(header, "CPU: 0 PID: 7 Comm: java Not tainted 4.15.0 #1", line)
    assert old.victim is not None
    assert new.victim is not None
    assert (old.victim.rss_bytes, new.victim.rss_bytes) == (12 << 10, None)


# By hand


@pytest.mark.parametrize(
    "lines",
    [
        ["kworker/2:2 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=-1, oom_score_adj=0"],
        ["SysRq : Manual OOM execution", "events/1 invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=0"],
        [
            "[ 1.0][ C0] sysrq: Manual OOM execution",
            "[ 1.0][ T9] kworker/2:2 invoked oom-killer: gfp_mask=0xcc0, order=0",
        ],
        [" moom_callback+0x7c/0xb6"],
        ["sysrq: Manual OOM execution"],
    ],
)
def test_a_kill_by_sysrq_was_asked_for_by_hand(lines: list[str]) -> None:
    stamp = "[ 1.0][ T9] " if lines[0].startswith("[") else ""
    begun = [] if "order" in lines[-1] else ["java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0"]
    begun = [] if "Manual" in lines[0] else begun
    kill = f"{stamp}Out of memory: Killed process 7 (java) total-vm:9kB, anon-rss:1kB, file-rss:1kB, shmem-rss:0kB"
    (report,) = reports(*begun, *lines, kill)
    assert (report.requested, report.constraint, killing.victim(report)) == (True, MACHINE, "7 (java)")


def test_two_requests_are_two_events() -> None:
    first, second = reports("[ 1.0] sysrq: Manual OOM execution", "[ 9.0] sysrq: Manual OOM execution")
    assert first.requested
    assert second.requested


def test_a_request_without_anybody_to_kill_is_one_event() -> None:
    (report,) = reports(
        "sysrq: Manual OOM execution",
        "kworker/0:1 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=-1, oom_score_adj=0",
        "Out of memory and no killable processes...",
        "sysrq: OOM request ignored. No task eligible",
    )
    assert (report.requested, killing.victim(report)) == (True, "nobody")


# The choice without the totals


def equal(*sizes: int, adj: int = 984, uid: int = 1000) -> OomReport:
    rows = [f"[{pid:7}] {uid} {pid:5} 9000 {pages} 4096 0 {adj} a" for pid, pages in enumerate(sizes, start=10)]
    kill = (
        "Memory cgroup out of memory: Killed process 10 (a) total-vm:36000kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB"
    )
    (report,) = reports(
        "CPU: 0 PID: 7 Comm: java Not tainted 5.10.0 #1", "Tasks state (memory values in pages):", TABLE, *rows, kill
    )
    return report


def test_among_equals_the_largest_is_first_whatever_the_limit() -> None:
    verdict = replay(equal(700, 600, 500))
    assert (verdict.victim_pid, verdict.agrees, verdict.margin_pages) == (10, True, 100)
    assert "701 pages, 11 (a) has 601" in verdict.reason


@pytest.mark.parametrize("report", [equal(700, 700), equal(600, 700), equal(700)], ids=["a tie", "smaller", "alone"])
def test_where_the_table_does_not_decide_nothing_is_said(report: OomReport) -> None:
    assert replay(report).agrees is None


def test_negative_badness_counts_as_one_before_5_9_so_the_limit_may_decide() -> None:
    report = equal(700, 600, adj=-10)
    assert replay(report._replace(kernel="5.10.0")).agrees
    assert replay(report._replace(kernel="5.4.0")).agrees is None


def test_the_discount_for_root_may_decide() -> None:
    report = equal(700, 699, uid=0)._replace(kernel="3.16.0")
    assert replay(report).agrees is None


def test_a_whole_pasted_file_says_how_many_pages_decided() -> None:
    (report,) = pasted("28-eks-no-limit-line.log")
    verdict = replay(report)
    assert verdict.agrees
    assert "18624 pages" in verdict.reason
    assert "15551" in verdict.reason
