"""Where the memory was: sums that were added up by hand from the numbers in real reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from oomctl.model.kernel import Constraint
from oomctl.model.memory import Accounting, Part, Whole
from oomctl.model.oomreport import OomReport
from oomctl.oomlog.parser import parse
from oomctl.oomlog.where import accounting_of
from tests.oomlog.real_logs import INDEX, LOGS, PASTED, reports_in

PAGE, KIB, MIB = 4096, 1 << 10, 1 << 20

# Pages, by hand: RAM; what is on the lists less shmem and files; shmem; pagecache less shmem and swap cache (but no
# more than the lists of files and what is locked); slab, reclaimable and not; page tables; free and free_pcp; reserved;
# kernel stacks; what is left over.
OF_MACHINES = {
    "2.6.32-rhel6-machine-panic": (262128, 144652, 381, 1008, 8880, 22910, 17528, 2172, 43873, 10172, 10552),
    "2.6.36-machine-all-tie-at-1": (524288, 234, 0, 1039, 444597, 47097, 558, 1404, 18890, 1004, 9465),
    "3.10-rhel7-machine-swap": (8379834, 7930262, 87896, 917, 27412, 13708, 25222, 42471, 192987, 3460, 55499),
    "4.17-mempolicy-one-node-1": (
        *(41914732, 715298, 37, 19533805, 84167, 2327301, 4663, 17596035, 1565061),
        *(1362, 87003),
    ),
    "4.20-machine-swap": (1523342, 1423988, 0, 71, 5956, 5367, 6361, 23001, 46911, 0, 11687),
    "5.2-machine-compiler": (2071645, 429150, 1487931, 1284, 25557, 37328, 2651, 16608, 56191, 920, 14025),
    "5.7-machine-32-bit-polkitd-1": (523520, 5474, 4468, 124628, 5651, 4566, 182, 348164, 28774, 222, 1391),
    "5.14-machine-db-bench-1": (33451118, 14585, 770, 2480, 14535, 87248, 1267, 153175, 574562, 2372, 32600124),
    "6.8-machine-panic": (262144, 328, 4, 2821, 13680, 4350, 414, 7463, 9147, 272, 223665),
    "6.15-machine-swap-level-numbers": (3892604, 3593042, 21579, 604, 12144, 29054, 11237, 35233, 104366, 2460, 82885),
}
ORDER = (
    *(Part.ANONYMOUS, Part.SHMEM, Part.FILES, Part.SLAB_RECLAIMABLE, Part.SLAB_UNRECLAIMABLE, Part.PAGE_TABLES),
    *(Part.FREE, Part.RESERVED, Part.KERNEL_STACKS),
)


def found_in(path: Path) -> Accounting:
    (report,) = reports_in(path)
    found = accounting_of(report, report.page_size or PAGE)
    assert found is not None
    return found


@pytest.mark.parametrize("name", OF_MACHINES)
def test_the_sum_of_a_machine_is_the_one_added_up_by_hand(name: str) -> None:
    ram, *parts, unexplained = OF_MACHINES[name]
    assert ram == sum(parts) + unexplained, "the figures above"
    found = found_in(LOGS / f"{name}.log")
    assert (found.whole, found.total_bytes) == (Whole.RAM, ram * PAGE)
    assert {share.part: share.size_bytes for share in found.shares} == {
        part: number * PAGE for part, number in zip(ORDER, parts) if number
    }
    assert (found.unexplained_bytes, found.overlap_bytes, found.missing) == (unexplained * PAGE, 0, ())


# Bytes, by hand; (total, parts, unexplained, counted twice)
OF_CGROUPS = {
    # rss and cache of /1 and /1/2: 31052 + 70280, 0 + 44; nobody counts shmem, and the lists of anon hold rss only
    "3.7-memcg-hierarchy": (101376 * KIB, {Part.ANONYMOUS: 101332 * KIB, Part.FILES: 44 * KIB}, 0, 0),
    # three cgroups: rss 0 + 48 + 123552; kmem usage 2352
    "4.15-ubuntu-memcg-adj": (125952 * KIB, {Part.ANONYMOUS: 123600 * KIB, Part.KERNEL_OTHER: 2352 * KIB}, 0, 0),
    # cache 28030012 of which shmem 28013264; kmem 471440; usage 32461120 of 33554432
    "4.x-memcg-without-table": (
        33554432 * KIB,
        {
            Part.ANONYMOUS: 3958288 * KIB,
            Part.SHMEM: 28013264 * KIB,
            Part.FILES: 16748 * KIB,
            Part.KERNEL_OTHER: 471440 * KIB,
            Part.LEFT: 1093312 * KIB,
        },
        1380 * KIB,
        0,
    ),
    # usage 31960596480; file 688283648 of which shmem 687980544
    "5.15-pve-memcg-weekday-in-german": (
        31960596480,
        {
            Part.ANONYMOUS: 31154200576,
            Part.SHMEM: 687980544,
            Part.FILES: 303104,
            Part.SLAB_RECLAIMABLE: 6884672,
            Part.SLAB_UNRECLAIMABLE: 15298680,
            Part.KERNEL_STACKS: 5242880,
            Part.PAGE_TABLES: 84332544,
            Part.PER_CPU: 4009216,
            Part.SOCKETS: 405504,
        },
        1938760,
        0,
    ),
    # 5.18 counts all kernel memory, 6615040, of which 93773 have no name of their own;
    # file 26927104 has the swap cache 12288 in it
    "6.7-arch-memcg-adj-200": (
        33554432,
        {
            Part.FILES: 26914816,
            Part.SWAP_CACHE: 12288,
            Part.SLAB_RECLAIMABLE: 5963640,
            Part.SLAB_UNRECLAIMABLE: 89048,
            Part.KERNEL_STACKS: 32768,
            Part.PAGE_TABLES: 122880,
            Part.PER_CPU: 480,
            Part.ZSWAP: 312451,
            Part.KERNEL_OTHER: 93773,
        },
        12288,
        0,
    ),
    # v1 in bytes: cache 1072300032, rss 1224704; kmem 184 KiB; usage 28 KiB below the limit; 8192 counted twice
    "6.8-memcg-order-3": (
        1 << 30,
        {
            Part.ANONYMOUS: 1224704,
            Part.FILES: 1072300032,
            Part.KERNEL_OTHER: 188416,
            Part.LEFT: 28672,
        },
        0,
        0,
    ),
}


@pytest.mark.parametrize("name", OF_CGROUPS)
def test_the_sum_of_a_cgroup_is_the_one_added_up_by_hand(name: str) -> None:
    total, parts, unexplained, twice = OF_CGROUPS[name]
    assert sum(parts.values()) + unexplained == total + twice, "the figures above"
    found = found_in(LOGS / f"{name}.log")
    assert (found.whole, found.total_bytes) == (Whole.LIMIT, total)
    assert {share.part: share.size_bytes for share in found.shares} == parts
    assert (found.unexplained_bytes, found.overlap_bytes) == (unexplained, twice)


def test_kernel_memory_can_be_more_than_half_of_a_cgroup() -> None:
    """30 MiB: 13.7 MiB private, 15.4 MiB slab; kmem 17092 KiB is 1.2 MiB more; the counters exceed the usage."""
    found = found_in(PASTED / "43-kernel-memory-in-cgroup.log")
    assert found.total_bytes == 30720 * KIB
    assert {share.part: share.size_bytes for share in found.shares} == {
        Part.ANONYMOUS: 14409728,
        Part.FILES: 135168,
        Part.SLAB: 16142336,
        Part.KERNEL_STACKS: 110592,
        Part.KERNEL_OTHER: 17502208 - 16142336 - 110592,
    }
    assert (found.unexplained_bytes, found.overlap_bytes) == (0, 589824)
    assert found.unheld_bytes == 16142336 + 1249280


def test_shared_memory_and_slab_that_no_process_holds_stand_out() -> None:
    found = found_in(PASTED / "25-unraid-sysrq-obsidian.log")
    assert found.total_bytes == 8373432 * PAGE
    assert [found.size_of(part) // PAGE for part in ORDER] == [
        *(5552277, 1463631, 66518, 255744, 640692, 34049, 69691, 166529, 8996),
    ]
    assert found.unexplained_bytes == 115305 * PAGE
    # 436437 pages were mapped; all of them may be of the shared memory
    assert found.unheld_bytes == (1463631 - 436437 + 255744 + 640692 + 115305) * PAGE


def all_reports() -> list[tuple[str, OomReport]]:
    paths = [LOGS / f"{name}.log" for name in INDEX] + sorted(PASTED.glob("*"))
    return [(path.name, report) for path in paths for report in reports_in(path)]


def test_in_every_real_log_the_parts_add_to_the_total_and_none_is_negative() -> None:
    told = 0
    for name, report in all_reports():
        found = accounting_of(report, report.page_size or PAGE)
        if found is None:
            continue
        told += 1
        assert all(share.size_bytes > 0 for share in found.shares), name
        assert len({share.part for share in found.shares}) == len(found.shares), name
        parts = sum(share.size_bytes for share in found.shares)
        assert parts + found.unexplained_bytes == found.total_bytes + found.overlap_bytes, name
        assert min(found.unexplained_bytes, found.overlap_bytes) == 0, name
        assert 0 <= found.unheld_bytes <= found.total_bytes + found.overlap_bytes, name
        assert found.overlap_bytes * 20 < found.total_bytes, name
    assert told > 110


def test_whole_reports_of_machines_leave_little_unexplained() -> None:
    """Where it is more, drivers had it: SPDK in db-bench, a graphics driver in 6.1-arch, a leak in 6.8."""
    much = set()
    for name, report in all_reports():
        found = accounting_of(report, report.page_size or PAGE)
        if found is not None and report.complete and report.constraint is Constraint.NONE:
            assert found.missing == (), name
            if found.unexplained_bytes * 20 > found.total_bytes:
                much.add(name.rpartition("-")[0])
    assert much == {
        *("3.3-machine-page-tables-not", "5.14-machine-db-bench", "5.14-machine-python", "6.1-arch-machine-swap"),
    }


HEADER = ["x invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0", "Mem-Info:"]
LISTS = "active_anon:100 inactive_anon:0 active_file:10 inactive_file:0 unevictable:5"
TOTALS = ["1000 pages RAM", "10 pages reserved"]


def of_lines(*lines: str) -> Accounting | None:
    (report,) = parse([*HEADER, *lines, *TOTALS, "Out of memory: Killed process 7 (x) total-vm:8kB, anon-rss:8kB"])
    return accounting_of(report, PAGE)


def test_counters_that_were_cut_off_are_named() -> None:
    found = of_lines(LISTS)
    assert found is not None
    assert found.missing == ("shmem", "free", "slab_reclaimable", "slab_unreclaimable")
    assert found.unexplained_bytes == (1000 - 10 - 115) * PAGE
    assert found.unheld_bytes == 0, "of what was cut off nothing is said"


def test_locked_memory_is_told_apart_where_the_page_cache_is_not_known() -> None:
    found = of_lines(LISTS, "mapped:3 shmem:20 pagetables:1")
    assert found is not None
    assert (found.size_of(Part.ANONYMOUS), found.size_of(Part.UNEVICTABLE)) == (80 * PAGE, 5 * PAGE)


def test_the_pool_of_huge_pages_counts_whole_used_or_not() -> None:
    pool = "Node {} hugepages_total=2 hugepages_free=1 hugepages_surp=0 hugepages_size=64kB"
    found = of_lines(LISTS, pool.format(0), pool.format(1))
    assert found is not None
    assert found.size_of(Part.HUGE_PAGES) == 4 * 64 * KIB


def test_more_in_the_counters_than_in_the_machine_is_told() -> None:
    found = of_lines(LISTS, "free:900 slab_reclaimable:0 slab_unreclaimable:0")
    assert found is not None
    assert (found.unexplained_bytes, found.overlap_bytes) == (0, (900 + 115 + 10 - 1000) * PAGE)


def test_two_different_numbers_of_one_counter_make_no_sum() -> None:
    assert of_lines(LISTS, "free:900 free_pcp:1", "free:800 free_pcp:1") is None


def test_private_memory_of_nobody_in_the_table_is_told() -> None:
    table = [
        "[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name",
        "[    7]     0     7       60       40       3       0             0 x",
    ]
    found = of_lines(LISTS, "shmem:0", "15 total pagecache pages", "0 pages in swap cache", "Total swap = 0kB", *table)
    assert found is not None
    assert found.size_of(Part.ANONYMOUS) == 100 * PAGE
    assert found.unlisted_bytes == (100 - 40) * PAGE


@pytest.mark.parametrize("joined", ["#012", "\\x0a"])
def test_statistics_on_one_line_are_read_too(joined: str) -> None:
    stat = joined.join(("anon 4096", "file 8192", "shmem 4096", "kernel_stack 16384"))
    lines = [
        "memory: usage 64kB, limit 64kB, failcnt 1",
        "Memory cgroup stats for /a:" + (joined + stat if joined == "#012" else ""),
        *([stat] if joined != "#012" else []),
        "Memory cgroup out of memory: Killed process 7 (x) total-vm:8kB, anon-rss:8kB",
    ]
    (report,) = parse([HEADER[0], *lines])
    found = accounting_of(report, PAGE)
    assert found is not None
    assert [found.size_of(part) for part in (Part.ANONYMOUS, Part.SHMEM, Part.FILES, Part.KERNEL_STACKS)] == [
        *(4096, 4096, 4096, 16384),
    ]
