"""What is left under limits, and what is doubtful of it."""

from __future__ import annotations

from oomctl.model.limits import Limit
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.rooms import room_of
from tests.proc_tree import ProcTree

MIB = 1 << 20
SWAPS = (
    "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
    "/dev/zram0                              partition\t3072\t\t1024\t\t100\n"
    "/dev/sda2                               partition\t8192\t\t0\t\t-2\n"
)


def meminfo(proc_tree: ProcTree, **kilobytes: int) -> None:
    numbers = {"MemTotal": 81920, "MemAvailable": 40960, "SwapTotal": 0, "SwapFree": 0, **kilobytes}
    lines = (f"{name.replace('_file', '(file)')}: {number} kB\n" for name, number in numbers.items())
    proc_tree.write("meminfo", "".join(lines))


def of(proc_tree: ProcTree, scope: str | None = None) -> Limit:
    procfs = proc_tree.procfs()
    return room_of(procfs, Memcgs.of(procfs), [scope])[scope]


def test_of_the_machine_mapped_files_are_doubtful(proc_tree: ProcTree) -> None:
    meminfo(proc_tree, Mapped=3072, Active_file=4096)
    assert of(proc_tree).doubtful_bytes == 3 * MIB


def test_mapped_shared_memory_is_no_file(proc_tree: ProcTree) -> None:
    """Mapped counts both; the lists of files have only files."""
    meminfo(proc_tree, Mapped=3072, Active_file=1024)
    assert of(proc_tree).doubtful_bytes == MIB


def test_free_swap_on_zram_is_doubtful(proc_tree: ProcTree) -> None:
    meminfo(proc_tree, SwapTotal=11264, SwapFree=10240)
    proc_tree.write("swaps", SWAPS)
    assert of(proc_tree).doubtful_bytes == 2 * MIB


def test_no_more_is_doubtful_than_is_left(proc_tree: ProcTree) -> None:
    meminfo(proc_tree, MemAvailable=512, Mapped=3072, Active_file=4096)
    found = of(proc_tree)
    assert (found.left_bytes, found.doubtful_bytes) == (512 * 1024, 512 * 1024)


def test_of_a_cgroup_its_mapped_files_and_the_zram_that_it_may_have_are(proc_tree: ProcTree) -> None:
    meminfo(proc_tree, SwapTotal=11264, SwapFree=10240)
    proc_tree.write("swaps", SWAPS)
    proc_tree.mount_v2()
    stat = f"active_file {4 * MIB}\ninactive_file 0\nfile_mapped {3 * MIB}\n"
    for path, most in (("/app", MIB), ("/none", 0)):
        proc_tree.cgroup(
            path,
            memory__max=f"{64 * MIB}\n",
            memory__current=f"{16 * MIB}\n",
            memory__stat=stat,
            memory__swap__max=f"{most}\n",
            memory__swap__current="0\n",
        )
    assert [of(proc_tree, path).doubtful_bytes for path in ("/app", "/none")] == [4 * MIB, 3 * MIB]
