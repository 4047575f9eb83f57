"""One line in, one value out."""

from __future__ import annotations

from typing import get_args

import pytest

from oomctl.model.oomreport import Counter, Kill, SeenIn, Selected, TableRow, Zone
from oomctl.model.shortage import Blocks, HugePool
from oomctl.oomlog import draft, lines, parser
from oomctl.oomlog.anchors import may_follow, may_open
from oomctl.oomlog.lines import (
    Boot,
    Cause,
    Choice,
    Cpuset,
    Culprit,
    Current,
    Exiting,
    Group,
    Header,
    Killing,
    LimitOf,
    MemcgCounter,
    MemcgPaths,
    Node,
    Nodemask,
    NoKillable,
    Note,
    Panic,
    Rage,
    Reaped,
    Request,
    Said,
    Sharer,
    StatsOf,
    Sum,
    Summary,
    Total,
)
from oomctl.oomlog.meminfo import AddressBits, Counters, FreeBlocks, NodeSizes, Reserve, StatLines, ZoneSizes
from oomctl.oomlog.shapes import DETAILS, EVENTS, read
from oomctl.oomlog.table import Gap, read_header

TABLE = "[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name"
ROW = "[    7]     0     7      787      114       3       20         -1000 udevd"
MACHINE, MEMCG, UNSAID = (Cause(culprit, False) for culprit in (Culprit.MACHINE, Culprit.MEMCG, None))
OLD_STAT = (("cache", 2048), ("rss", 8192), ("mapped_file", 4096))
ANON_PAGES = (("active_anon", 72), ("inactive_anon", 9), ("isolated_anon", 0))
ZONE_SIZES = (("free", 1024), ("min", 1024), ("reserved_highatomic", 2048), ("present", 3072), ("managed", 1024))
VALUES = [
    ("Linux version 6.1.20 (gcc)", Boot("6.1.20")),
    (
        "java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), nodemask=0-1, order=2, oom_score_adj=0",
        Header("java", 2, frozenset((0, 1)), "0xcc0(GFP_KERNEL)"),
    ),
    (
        "java invoked oom-killer: gfp_mask=0x24201ca(GFP_HIGHUSER | __GFP_COLD), order=2",
        Header("java", 2, gfp_mask="0x24201ca(GFP_HIGHUSER|__GFP_COLD)"),
    ),
    ("java invoked oom-killer: gfp_", Header("java")),
    ("nobody knows who invoked oom-killer", Header(None)),
    ("oom-killer: gfp_mask=0xd0", Header("", gfp_mask="0xd0")),
    ("7 (php) invoked oom-killer in ub 101 generation 0 gfp 0x200d2", Header("php", container="101")),
    (
        "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg=/a,task_memcg=/a/b,task=x,pid=7,uid=9",
        Summary(
            *("CONSTRAINT_MEMCG", Nodemask(None), None, "/a", "/a/b"),
            *(Kill(7, "x", 9, seen_in=SeenIn.SUMMARY), None),
        ),
    ),
    (
        "oom-kill:constraint=CONSTRAINT_CPUSET,nodemask=(null),cpuset=a,mems_allowed=0-1,3,global_oom,task_memcg=/,task=x,"
        "pid=7,uid=9",
        Summary(
            *("CONSTRAINT_CPUSET", Nodemask(None), Cpuset(frozenset((0, 1, 3)), "a"), None, "/"),
            *(Kill(7, "x", 9, seen_in=SeenIn.SUMMARY), None),
        ),
    ),
    (
        "oom-kill:constraint=CONSTRAINT_NONE,nodem",
        Summary(
            *("CONSTRAINT_NONE", None, None, None, None, None),
            "oom-kill:constraint=CONSTRAINT_NONE,nodem",
        ),
    ),
    (
        "Out of memory: Kill process 7 (a) score 512 or sacrifice child",
        Choice(Selected(7, "a", 512), MACHINE),
    ),
    (
        "Memory cgroup out of memory: Killed process 7 (a) total-vm:1kB, anon-rss:2kB, file-rss:3kB, shmem-rss:4kB,"
        " UID:9 pgtables:5kB oom_score_adj:-6",
        Killing(Kill(7, "a", 9, -6, 1 << 10, 2 << 10, 3 << 10, 4 << 10), MEMCG),
    ),
    (
        "Out of memory (oom_kill_allocating_task): Killed process 7 (a)",
        Killing(Kill(7, "a"), Cause(Culprit.MACHINE, True)),
    ),
    ("Killed process 7 (a", Killing(Kill(7, ""), UNSAID)),
    ("Out of Memory: Killed process 7 (a).", Killing(Kill(7, "a"), MACHINE)),
    (
        "No available memory in cpuset: Killed process 7 (a).",
        Killing(Kill(7, "a"), Cause(Culprit.CPUSET, False)),
    ),
    (
        'Killed process 7 (a) in VE "101" total-vm:1kB, anon-rss:2kB, file-rss:3kB, shmem-rss:4kB',
        Killing(Kill(7, "a", None, None, 1 << 10, 2 << 10, 3 << 10, 4 << 10), UNSAID, "101"),
    ),
    (
        "Out of memory in UB 101: OOM killed process 7 (a) score 5 vm:3kB, rss:2kB, swap:1kB",
        Killing(Kill(7, "a", total_vm_bytes=3 << 10, whole_rss_bytes=2 << 10), UNSAID, "101", 5),
    ),
    ("OOM killer in rage, 16 tasks killed in ub 101", Rage(16, "101")),
    ("sysrq: Manual OOM execution", Request(False)),
    ("sysrq: OOM request ignored. No task eligible", Request(True)),
    ("Kill process 8 (a) sharing same memory", Sharer(Kill(8, "a"))),
    ("oom_reaper: reaped process 7 (a), now anon-rss:0kB", Reaped(7, "a")),
    ("oom_reaper: unable to reap pid:7 (a)", Reaped(7, "a")),
    (TABLE, read_header(TABLE)),
    ("Kernel panic - not syncing: Out of memory: x", Panic("Out of memory: x", MACHINE)),
    ("Kernel panic - not syncing: System is deadlocked on memory", Panic("System is deadlocked on memory", MACHINE)),
    ("Out of memory and no killable processes...", NoKillable(UNSAID)),
    ("Out of memory: OOM victim 7 (a) is already exiting. Skip killing the task", Exiting(7, MACHINE)),
    ("Tasks in /a are going to be killed due to memory.oom.group set", Group("/a")),
    (" mem_cgroup_out_of_memory+0xbb/0xd0", Note.CALLED_FOR_MEMCG),
    (" [<ffffffff8112746e>] ? __alloc_pages_slowpath.constprop.0+0xbb/0xd0", Note.CALLED_BY_ALLOCATOR),
    (" moom_callback+0x7c/0xb6", Note.CALLED_BY_HAND),
    (" dump_header+0x4a/0x211", None),
    ("CPU: 1 PID: 7 Comm: java Not tainted 6.1.20 #1", Current(7, "6.1.20")),
    ("Pid: 7, comm: java Tainted: G        W  2.6.32-754.el6.x86_64 #1", Current(7, "2.6.32-754.el6.x86_64")),
    ("java cpuset=/ mems_allowed=0-1", Cpuset(frozenset((0, 1)), "/")),
    ("Task in /a/b killed as a result of limit of /a", MemcgPaths("/a/b", "/a")),
    ("Memory limit reached of cgroup /a", LimitOf("/a")),
    ("memory: usage 2kB, limit 3kB, failcnt 80", MemcgCounter("memory", Counter(2 << 10, 3 << 10), None)),
    ("swap: usage 2kB, limit 9007199254740988kB, failcnt 0", MemcgCounter("swap", Counter(2 << 10, None), 4)),
    ("kmem: usage 2kB, limit 8589934588kB, failcnt 0", MemcgCounter("kmem", Counter(2 << 10, None), None)),
    ("Memory cgroup stats for /a:", StatsOf("/a")),
    ("Memory cgroup stats for /a: cache:2KB rss:8KB rss_huge:0KB", StatsOf("/a", (("cache", 2048), ("rss", 8192)))),
    ("Memory cgroup stats:cache:2KB rss:8KB mapped_file:4KB swap:5", StatsOf(None, OLD_STAT)),
    ("Memory cgroup stats for /a:#012anon 7#012file 8", StatsOf("/a", (), StatLines((("anon", 7), ("file", 8))))),
    ("anon 535658496", StatLines((("anon", 535658496),))),
    ("                      slab 22183352", StatLines((("slab", 22183352),))),
    ("active_anon:72 inactive_anon:9 isolated_anon:0", Counters(ANON_PAGES)),
    ("active_anon:72 inactive_anon:9 isolated_anon:0#012 free:5", Counters((*ANON_PAGES, ("free", 5)))),
    (" free:33089 free_pcp:2144 free_cma:0", Counters((("free", 33089), ("free_pcp", 2144), ("free_cma", 0)))),
    ("19923 pages in swap cache", Counters((("swap_cache", 19923),))),
    ("327680 pages HighMem/MovableOnly", Counters((("highmem", 327680),))),
    ("4096 pages cma reserved", Counters((("cma", 4096),))),
    ("3 pages hwpoisoned", Counters((("poisoned", 3),))),
    (
        "Node 0 active_anon:404kB shmem_thp: 0kB kernel_stack:1088kB sec_pagetables:0kB all_unreclaimable? no",
        NodeSizes(0, (("kernel_stack", 1088 << 10),)),
    ),
    (
        "Node 1 DMA free:1kB boost:0kB min:1kB reserved_highatomic:2KB present:3kB managed:1kB",
        ZoneSizes(Zone(1, "DMA", 3072), ZONE_SIZES),
    ),
    ("lowmem_reserve[]: 0 994 994 994", Reserve((0, 994, 994, 994))),
    ("Node 1 DMA: 1*4kB (U) 3*8kB = 28kB", FreeBlocks(1, "DMA", 4, (Blocks(4096, 1, "U"), Blocks(8192, 3)))),
    (
        "Node 0 hugepages_total=4 hugepages_free=1 hugepages_surp=0 hugepages_size=2048kB",
        HugePool(0, 4, 1, 2 << 20),
    ),
    (" [<c01408cb>] out_of_memory+0x69/0x18e", AddressBits(32)),
    ("Node 1 hugepages_total=0", Node(1)),
    ("5 pages RAM", Total(Sum.RAM_PAGES, 5)),
    ("5 reserved pages", Total(Sum.RESERVED_PAGES, 5)),
    ("Free swap  = 5kB", Total(Sum.FREE_SWAP_KIB, 5)),
    ("Total swap = 5kB", Total(Sum.TOTAL_SWAP_KIB, 5)),
    ("5 total pagecache pages", Total(Sum.PAGECACHE_PAGES, 5)),
    ("Mem-Info:", Note.MEM_INFO),
    ("Tasks state (memory values in pages):", Note.TASKS_STATE),
    ("oom_kill_process: 9 callbacks suppressed", Note.SUPPRESSED),
    ("** 9 printk messages dropped **", Note.LOST),
    ("usb 1-1: new high-speed USB device number 2 using xhci_hcd", None),
]


@pytest.mark.parametrize(("line", "value"), VALUES, ids=[line[:40] for line, _ in VALUES])
def test_a_line_becomes_one_value(line: str, value: Said | None) -> None:
    assert read(line) == value


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (ROW, TableRow(7, 7, 0, 787, 114, -1000, "udevd", 20, 3)),
        ("[    7]     0     7", Gap.DAMAGED_ROW),
        ("[...]", Gap.ELIDED),
        ("Out of memory: Killed process 7 (a)", Killing(Kill(7, "a"), MACHINE)),
        (f"{ROW}Out of memory: Killed process 7 (a)", Killing(Kill(7, "a"), MACHINE)),
    ],
)
def test_within_a_table_there_are_rows_and_gaps_too(line: str, value: Said) -> None:
    assert read(line, read_header(TABLE)) == value


def test_every_shape_has_its_word_in_a_line_above() -> None:
    lines_above = [line for line, _ in VALUES]
    assert [shape.word for shape in EVENTS + DETAILS if not any(shape.word in line for line in lines_above)] == []


def test_every_event_is_found_in_a_log_about_other_things() -> None:
    events = (Boot, *get_args(lines.Event))
    assert [line for line, value in VALUES if isinstance(value, events) and not may_open(line)] == []


@pytest.mark.parametrize("value", [Group, Reaped, Sharer, Killing, Note.SUPPRESSED], ids=str)
def test_what_may_come_after_the_end_is_not_passed_over(value: object) -> None:
    after = [line for line, said in VALUES if said is value or type(said) is value]
    assert after
    assert all(may_follow(line) for line in after)


def test_every_value_is_taken_by_a_draft() -> None:
    assert draft._TAKE.keys() == {*get_args(lines.Event), *get_args(lines.Detail)}


def test_the_parser_knows_every_value_that_can_begin_a_report() -> None:
    assert {*parser._EVENTS, Reaped} == {*get_args(lines.Event)}


def test_a_table_whose_header_is_damaged_has_no_rows() -> None:
    header = read_header("[ pid ]   uid  tg total_vm name")
    assert header is not None
    assert header.row_pattern is None
    assert read(ROW, header) == Gap.DAMAGED_ROW
