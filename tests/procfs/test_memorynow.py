"""Where memory is now, by /proc/meminfo and by memory.stat."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from oomctl.kernel.accounting import of_cgroup, of_meminfo
from oomctl.model.kernel import Constraint
from oomctl.model.memory import Accounting, Part, Whole
from oomctl.procfs import survey
from oomctl.procfs.memorynow import memory_now
from oomctl.procfs.reader import Procfs
from tests.proc_tree import ProcTree

KIB = 1 << 10


def adds_up(found: Accounting) -> bool:
    parts = sum(share.size_bytes for share in found.shares)
    return parts + found.unexplained_bytes == found.total_bytes + found.overlap_bytes


@pytest.mark.live
def test_this_machines_memory_adds_up_and_agrees_with_its_own_meminfo() -> None:
    procfs = Procfs()
    text = Path("/proc/meminfo").read_text()
    kib = {name: int(number) for name, number in re.findall(r"^([\w()]+): +(\d+) kB$", text, re.MULTILINE)}
    found = memory_now(procfs, survey.machine_front(procfs, 1))
    assert found is not None
    assert adds_up(found)
    assert (found.whole, found.total_bytes) == (Whole.RAM, kib["MemTotal"] * KIB)
    told = {
        Part.FREE: kib["MemFree"],
        Part.ANONYMOUS: kib["AnonPages"],
        Part.SHMEM: kib["Shmem"],
        Part.FILES: kib["Cached"] + kib["Buffers"] - kib["Shmem"],
        Part.SLAB_UNRECLAIMABLE: kib["SUnreclaim"],
        Part.SLAB_RECLAIMABLE: kib["SReclaimable"],
    }
    for part, number in told.items():  # others work here at the same time
        assert abs(found.size_of(part) - number * KIB) * 20 < found.total_bytes, part
    # most of a machine is in some counter
    assert (found.unexplained_bytes + found.overlap_bytes) * 5 < found.total_bytes


MEMINFO = """MemTotal: 1000 kB
MemFree: 100 kB
Buffers: 10 kB
Cached: 250 kB
SwapCached: 40 kB
Active(anon): 300 kB
Inactive(anon): 200 kB
Active(file): 100 kB
Inactive(file): 60 kB
Unevictable: 20 kB
AnonPages: 400 kB
Mapped: 70 kB
Shmem: 50 kB
KReclaimable: 35 kB
SReclaimable: 30 kB
SUnreclaim: 25 kB
KernelStack: 15 kB
PageTables: 12 kB
SecPageTables: 1 kB
VmallocUsed: 40 kB
Percpu: 5 kB
Hugetlb: 64 kB
"""


def test_each_line_of_meminfo_counts_once(proc_tree: ProcTree) -> None:
    proc_tree.write("meminfo", MEMINFO + "HugePages_Total: 1\nHugepagesize: 64 kB\n")
    proc_tree.add(7)
    procfs = proc_tree.procfs()
    found = memory_now(procfs, survey.machine(procfs))
    assert found is not None
    # 680 on the lists: 400 private, 50 shared, 210 of files, so 20 of the 40 in the swap cache are mapped
    assert {share.part: share.size_bytes // KIB for share in found.shares} == {
        Part.ANONYMOUS: 400,
        Part.SHMEM: 50,
        Part.FILES: 210,
        Part.SWAP_CACHE: 20,
        Part.SLAB_RECLAIMABLE: 30,
        Part.SLAB_UNRECLAIMABLE: 25,
        Part.PAGE_TABLES: 13,
        Part.KERNEL_STACKS: 15,
        Part.PER_CPU: 5,
        Part.VMALLOC: 25,
        Part.KERNEL_OTHER: 5,
        Part.HUGE_PAGES: 64,
        Part.FREE: 100,
    }
    assert found.unexplained_bytes == 38 * KIB
    assert found.unheld_bytes == (30 + 25 + 5 + 25 + 5 + 64 + 38) * KIB, "all 50 shared ones may be mapped"


def test_before_per_cpu_memory_was_counted_vmalloc_was_no_memory() -> None:
    info = {"MemTotal": 1000, "AnonPages": 10, "VmallocUsed": 500, "HugePages_Total": 2, "Hugepagesize": 64}
    found = of_meminfo(info)
    assert found is not None
    assert (found.size_of(Part.VMALLOC), found.size_of(Part.HUGE_PAGES)) == (0, 128)


def test_a_meminfo_without_private_memory_makes_no_sum(proc_tree: ProcTree) -> None:
    proc_tree.add(7)
    procfs = proc_tree.procfs()
    assert memory_now(procfs, survey.machine(procfs)) is None


STAT = (
    "anon 40960\nfile 16384\nkernel 20480\nkernel_stack 4096\nslab_reclaimable 0\nslab_unreclaimable 8192\nshmem 4096\n"
)


def test_a_cgroup_of_v2_is_told_by_its_own_stat_and_up_to_its_limit(proc_tree: ProcTree) -> None:
    proc_tree.mount_v2()
    proc_tree.add(7, cgroup="0::/a\n")
    proc_tree.cgroup("/a", pids=(7,), memory__max="131072\n", memory__current="81920\n", memory__stat=STAT)
    procfs = proc_tree.procfs()
    scenario, _ = survey.memcg(procfs, "/a")
    assert scenario.context.constraint is Constraint.MEMCG
    found = memory_now(procfs, scenario)
    assert found is not None
    assert (found.whole, found.total_bytes) == (Whole.LIMIT, 131072)
    assert {share.part: share.size_bytes for share in found.shares} == {
        Part.ANONYMOUS: 40960,
        Part.SHMEM: 4096,
        Part.FILES: 12288,
        Part.SLAB_UNRECLAIMABLE: 8192,
        Part.KERNEL_STACKS: 4096,
        Part.KERNEL_OTHER: 8192,
        Part.LEFT: 49152,
    }
    assert found.unexplained_bytes == 4096


def test_a_cgroup_without_a_limit_is_told_up_to_what_it_uses() -> None:
    found = of_cgroup({"rss": 8192, "cache": 4096}, 16384, None)
    assert found is not None
    assert (found.whole, found.total_bytes, found.unexplained_bytes) == (Whole.USAGE, 16384, 4096)


def test_shared_memory_that_v1_does_not_count_is_on_the_lists_of_private_memory() -> None:
    stat = {"rss": 8192, "cache": 12288, "active_anon": 8192, "inactive_anon": 4096}
    found = of_cgroup(stat, 20480, 20480)
    assert found is not None
    assert (found.size_of(Part.SHMEM), found.size_of(Part.FILES)) == (4096, 8192)
