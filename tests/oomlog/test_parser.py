from __future__ import annotations

import pytest

from oomctl.model.kernel import Constraint
from oomctl.model.oomreport import Counter, OomReport, Selected
from tests.oomlog.messages import GROUP, TABLE, reports

SUMMARY = "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/"
TOTALS = ["3 total pagecache pages", "Free swap  = 0kB", "Total swap = 0kB", "100000 pages RAM", "1000 pages reserved"]
HEADER = "java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0"
ROW = "[   1234]  1000  1234     9000     5000  1249280        0             0 java"
OTHER = "[   1235]  1000  1235     9000     4000  1249280        0             0 cron"
KILL = (
    "Out of memory: Killed process 1234 (java) total-vm:36000kB, anon-rss:400kB, file-rss:1kB,"
    " shmem-rss:0kB, UID:1000 pgtables:1220kB oom_score_adj:0"
)
WHOLE = [HEADER, *TOTALS, TABLE, ROW, OTHER, f"{SUMMARY},task=java,pid=1234,uid=1000", KILL]


def only(*lines: str) -> OomReport:
    (report,) = reports(*lines)
    return report


def test_a_whole_report_misses_nothing() -> None:
    assert only(*WHOLE).complete


@pytest.mark.parametrize(
    ("layout", "row", "expected"),
    [
        pytest.param(
            "[ pid ]   uid  tgid total_vm      rss cpu oom_adj oom_score_adj name",
            "[    7]     0     7      787      114   7     -17         -1000 udevd",
            (114, None, 0, -1000),
            id="2.6.36",
        ),
        pytest.param(
            "[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name",
            "[    7]     0     7      787      114       3       20         -1000 udevd",
            (114, 20, 3, -1000),
            id="3.10",
        ),
        pytest.param(
            "[ pid ]   uid  tgid total_vm      rss nr_ptes nr_pmds swapents oom_score_adj name",
            "[    7]     0     7      787      114       3       2       20           -17 udevd",
            (114, 20, 5, -17),
            id="4.4",
        ),
        pytest.param(TABLE, "[      7] 0 7 787 114 8192 20 -17 udevd", (114, 20, 2, -17), id="4.19"),
        pytest.param(
            "[  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents"
            " oom_score_adj name",
            "[      7]     0     7 34359215953      114  100       14         0     8192       20             0 udevd",
            (114, 20, 2, 0),
            id="6.8",
        ),
        pytest.param(
            "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_ad j name",
            "[      7]     0     7      787      114     8192       20             0 udevd",
            (114, 20, 2, 0),
            id="header mended by a mailer",
        ),
        pytest.param(
            "[  pid  ]   uid  tgid total_vm      rss brandnew pgtables_bytes swapents oom_score_adj name",
            "[      7]     0     7      787      114       99     8192       20             0 udevd",
            (114, 20, 2, 0),
            id="a column of the future",
        ),
    ],
)
def test_the_tables_own_header_says_what_its_numbers_are(
    layout: str, row: str, expected: tuple[int, int | None, int, int]
) -> None:
    (found,) = only(HEADER, layout, row).rows
    assert (found.rss_pages, found.swap_pages, found.pgtables_pages(4096), found.oom_score_adj) == expected
    assert found.comm == "udevd"


@pytest.mark.parametrize("name", ["531", " leading", "a [12] 5 6", "", "oom-kill:", "npm install moc"])
def test_a_name_in_the_table_may_hold_anything(name: str) -> None:
    assert only(HEADER, TABLE, f"[      7] 0 7 787 114 8192 20 -17 {name}").rows[0].comm == name


@pytest.mark.parametrize(
    ("line", "pid", "comm", "uid"),
    [
        ("Killed process 5 (a)", 5, "a", None),
        ("Out of memory: Killed process 5 (httpd).", 5, "httpd", None),
        ("Killed process 5 (a) vsz:1kB, anon-rss:1kB, file-rss:0kB", 5, "a", None),
        ("Killed process 5, UID 501, (php-fpm) total-vm:1kB, anon-rss:1kB, file-rss:0kB", 5, "php-fpm", 501),
        ("Killed process 5 (a) total-vm:1kB, anon-rss:1kB, file-rss:1kB, shmem-rss:0kB", 5, "a", None),
        ("Killed process 5 (a), UID 1000, total-vm:1kB, anon-rss:1kB, file-rss:1kB, shmem-rss:0kB", 5, "a", 1000),
        ("Out of memory: Killed process 5 (a) total-vm:1kB, anon-rss:1kB, shmem-rss:0kB, UID:7", 5, "a", 7),
        (
            "Memory cgroup out of memory: Killed process 5 (x) total-vm:1) total-vm:9kB, anon-rss:1kB",
            5,
            "x) total-vm:1",
            None,
        ),
        ("Out of memory (oom_kill_allocating_task): Killed process 5 (a) total-vm:1kB, anon-rss:1kB", 5, "a", None),
    ],
)
def test_a_kill_line_alone_is_a_report(line: str, pid: int, comm: str, uid: int | None) -> None:
    report = only("unrelated", line, "unrelated")
    assert report.victim is not None
    assert (report.victim.pid, report.victim.comm, report.victim.uid) == (pid, comm, uid)
    assert "the task table" in report.missing
    assert report.allocating_task == ("allocating" in line)


def test_the_choice_and_the_death_can_be_two_processes() -> None:
    report = only(
        HEADER,
        *TOTALS,
        TABLE,
        ROW,
        OTHER,
        "Out of memory: Kill process 1235 (cron) score 40 or sacrifice child",
        "Killed process 1234 (java) total-vm:36000kB, anon-rss:400kB, file-rss:1kB",
    )
    assert report.selected == Selected(1235, "cron", 40)
    assert report.victim is not None
    assert report.victim.pid == 1234


def test_a_thread_in_the_kill_line_is_its_process() -> None:
    thread_row = "[    900]     0   800     9000     5000    20480        0             0 worker"
    victim = only(HEADER, *TOTALS, TABLE, thread_row, KILL.replace("1234 (java)", "900 (worker)")).victim
    assert victim is not None
    assert (victim.pid, victim.thread) == (800, 900)


def test_the_group_dies_with_the_victim() -> None:
    report = only(
        *WHOLE,
        "Tasks in /a b are going to be killed due to memory.oom.group set",
        KILL.replace("1234 (java)", "1300 (sh)"),
        KILL,
        KILL.replace("1234 (java)", "1301 (sh)"),
    )
    assert [kill.pid for kill in report.killed] == [1234, 1300, 1301]
    assert report.oom_group == "/a b"


def test_a_second_kill_without_a_group_is_a_report_that_was_rate_limited() -> None:
    whole, alone = reports(*WHOLE, KILL.replace("1234 (java)", "1300 (sh)"))
    assert whole.complete
    assert alone.victim is not None
    assert (alone.victim.pid, alone.complete, alone.number) == (1300, False, 2)


def test_who_shares_the_memory_dies_too() -> None:
    report = only(*WHOLE, "Kill process 1300 (java) sharing same memory")
    assert [kill.pid for kill in report.killed] == [1234, 1300]


@pytest.mark.parametrize(
    ("last", "found_in"),
    [
        ([f"{SUMMARY},task=java,pid=1234,uid=1000"], "summary"),
        (["oom_reaper: reaped process 1234 (java), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB"], "oom_reaper"),
        (["oom_reaper: unable to reap pid:1234 (java)"], "oom_reaper"),
    ],
)
def test_other_lines_name_the_victim_when_the_kill_line_is_lost(last: list[str], found_in: str) -> None:
    report = only(HEADER, *TOTALS, TABLE, ROW, OTHER, *last)
    assert report.victim is not None
    assert (report.victim.pid, report.victim.seen_in, report.complete) == (1234, found_in, True)


def test_a_summary_that_continues_on_the_next_line_is_joined() -> None:
    report = only(HEADER, *TOTALS, TABLE, ROW, SUMMARY + ",", "task=java,pid=1234,uid=1000")
    assert report.victim is not None
    assert report.victim.pid == 1234


def test_a_victim_that_was_exiting_already_is_no_victim() -> None:
    line = "Out of memory: OOM victim 1234 (java) is already exiting. Skip killing the task"
    report = only(*WHOLE[:-1], line)
    assert report.victim is None
    assert report.missing == ("a victim: 1234 was exiting already",)


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("Out of memory and no killable processes...", "a victim: nobody was killable"),
        (
            "Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled",
            "a victim: the kernel panicked instead",
        ),
    ],
)
def test_a_report_without_a_victim_says_why(line: str, missing: str) -> None:
    report = only(HEADER, *TOTALS, TABLE, ROW, line)
    assert report.missing == (missing,)
    assert report.constraint is Constraint.NONE


@pytest.mark.parametrize(
    ("lines", "missing"),
    [
        pytest.param([HEADER, *TOTALS, KILL], "the task table", id="no table"),
        pytest.param([HEADER, *TOTALS, TABLE, KILL], "the rows of the task table", id="no rows"),
        pytest.param([HEADER, TABLE, ROW, KILL], "the machine's memory (pages RAM, pages reserved)", id="no totals"),
        pytest.param([HEADER, *TOTALS, TABLE, ROW, OTHER], "the line that names the victim", id="cut after the table"),
        pytest.param([HEADER, *TOTALS, TABLE, OTHER, KILL], "the victim's row in the task table", id="row lost"),
        pytest.param(
            [HEADER, *TOTALS, TABLE, ROW, OTHER[:40], KILL],
            "parts of the task table (1 damaged lines)",
            id="row cut",
        ),
        pytest.param(
            [HEADER, *TOTALS, TABLE, ROW, "[...]", KILL], "rows of the task table that somebody cut out", id="elided"
        ),
        pytest.param(
            [HEADER, *TOTALS, TABLE, ROW, "** 12 printk messages dropped **", KILL],
            "lines that the log lost",
            id="dropped",
        ),
        pytest.param(
            [HEADER, *TOTALS, TABLE, ROW, ROW.replace("5000", "5001"), KILL],
            "certainty which lines are its own: those of another report are mixed in",
            id="a row twice, with other numbers",
        ),
    ],
)
def test_an_incomplete_report_says_what_is_missing(lines: list[str], missing: str) -> None:
    assert missing in only(*lines).missing


def test_a_gap_in_the_sequence_numbers_of_kmsg_is_a_loss() -> None:
    records = [f"6,{number},{number},-;{line}" for number, line in enumerate(WHOLE)]
    assert only(*records).complete
    assert only(*records[:8], *records[9:]).missing == ("lines that the log lost",)


def test_repeated_lines_change_nothing() -> None:
    assert reports(*(line for line in WHOLE for _ in range(2))) == reports(*WHOLE)


def test_callers_keep_two_reports_apart_that_run_into_each_other() -> None:
    second = [line.replace("1234", "1235").replace("java", "cron") for line in WHOLE]
    pairs = zip(WHOLE, second)
    lines = [f"[    1.000000][ T{tid}] {line}" for pair in pairs for tid, line in zip((11, 12), pair)]
    first_report, second_report = reports(*lines)
    assert [report.victim and report.victim.pid for report in (first_report, second_report)] == [1234, 1235]
    assert first_report.complete


def test_hosts_keep_two_reports_apart_too() -> None:
    lines = [f"Aug 10 08:07:16 {host} kernel: {line.replace('java', host)}" for line in WHOLE for host in ("db", "web")]
    assert [(report.trigger_comm, report.complete) for report in reports(*lines)] == [("db", True), ("web", True)]


def test_two_reports_mixed_without_a_clue_are_not_called_complete() -> None:
    second = [line.replace("5000", "4900").replace("1000 pages", "1001 pages") for line in WHOLE]
    mixed = [line for pair in zip(WHOLE, second) for line in pair]
    assert not any(report.complete for report in reports(*mixed))


@pytest.mark.parametrize(
    ("nodemask", "allowed", "constraint"),
    [
        ("nodemask=(null), ", "0-1", Constraint.NONE),
        ("nodemask=0, ", "0-1", Constraint.MEMPOLICY),
        ("nodemask=0-1, ", "0-1", Constraint.NONE),
        ("", "1", Constraint.CPUSET),
        ("", "0-1", Constraint.NONE),
    ],
)
def test_before_the_summary_line_nodes_tell_the_constraint(nodemask: str, allowed: str, constraint: Constraint) -> None:
    header = f"java invoked oom-killer: gfp_mask=0x14200ca(GFP_X), {nodemask}order=0, oom_score_adj=0"
    hugepages = [f"Node {node} hugepages_total=0 hugepages_free=0" for node in (0, 1)]
    kill = "Out of memory: Kill process 1234 (java) score 5 or sacrifice child"
    report = only(header, f"java cpuset=/ mems_allowed={allowed}", "Mem-Info:", *hugepages, *TOTALS, TABLE, ROW, kill)
    assert report.constraint is constraint


def test_the_boot_message_names_the_kernel_where_the_report_does_not() -> None:
    assert only("Linux version 5.10.0-8-amd64 (gcc)", KILL).kernel == "5.10.0-8-amd64"


def test_memory_shown_for_another_reason_is_no_report() -> None:
    assert reports("Show Memory", "Mem-Info:", *TOTALS) == []


def test_an_earlier_victim_still_in_the_table_is_remembered() -> None:
    later = [line.replace("java,pid=1234", "cron,pid=1235") for line in WHOLE[:-1]]
    second = reports(*WHOLE, *later, KILL.replace("1234 (java)", "1235 (cron)"))[1]
    assert second.killed_before == {1234}


def test_a_log_that_begins_with_the_killing_of_a_group_has_one_event() -> None:
    (report,) = reports(GROUP, "Killed process 7 (a) total-vm:1kB", "Killed process 8 (b) total-vm:1kB")
    assert [kill.pid for kill in report.killed] == [7, 8]
    assert report.oom_group == "/toys/a"


def test_the_counters_of_a_cgroup_belong_to_the_kill_behind_them() -> None:
    """Only an OOM prints them, while Mem-Info may be that of an allocation that failed."""
    report = only("memory: usage 51200kB, limit 51200kB, failcnt 125", f"{SUMMARY},task=java,pid=1234,uid=1000", KILL)
    assert report.memcg.memory == Counter(51200 << 10, 51200 << 10)
    assert report.constraint is Constraint.MEMCG


def test_the_cgroup_of_the_chosen_is_not_that_of_the_child_that_dies() -> None:
    """``Task in`` is about the chosen one."""
    task_in = "Task in /docker/a killed as a result of limit of /docker"
    choice = "Memory cgroup out of memory: Kill process 7 (sh) score 900 or sacrifice child"
    assert only(HEADER, task_in, choice, "Killed process 7 (sh) total-vm:8kB, anon-rss:4kB").victim_memcg == "/docker/a"
    assert only(HEADER, task_in, choice, "Killed process 8 (java) total-vm:8kB, anon-rss:4kB").victim_memcg is None
