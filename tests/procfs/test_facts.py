"""What /proc says of its machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from oomctl.errors import ImpossibleHere
from oomctl.procfs.reader import Procfs
from tests.proc_tree import ProcTree


def test_totalpages_is_ram_and_swap(proc_tree: ProcTree) -> None:
    proc_tree.meminfo(4000, swap_total_kb=400, swap_free_kb=40)
    procfs = proc_tree.procfs()
    assert procfs.totalpages == 1100
    assert (procfs.meminfo.swap_total, procfs.meminfo.swap_free) == (400 * 1024, 40 * 1024)


def test_before_3_14_free_memory_stands_for_what_is_available(proc_tree: ProcTree) -> None:
    proc_tree.write("meminfo", "MemTotal: 4000 kB\nMemFree: 300 kB\nSwapCached: 5 kB\n")
    meminfo = proc_tree.procfs("3.10").meminfo
    assert (meminfo.mem_available, meminfo.swap_total) == (300 * 1024, 0)


@pytest.mark.parametrize("text", ["", "MemTotal:\n", "MemTotal: lots\n", "MemTotal: 0 kB\n", "\xff"])
def test_a_meminfo_without_the_total_is_refused(proc_tree: ProcTree, text: str) -> None:
    proc_tree.write("meminfo", text)
    with pytest.raises(ImpossibleHere, match="meminfo: no MemTotal"):
        proc_tree.procfs()


@pytest.mark.parametrize("name", ["meminfo", "sys/kernel/osrelease"])
def test_a_proc_without_the_machines_files_is_refused_by_name(proc_tree: ProcTree, name: str) -> None:
    (proc_tree.root / name).unlink()
    with pytest.raises(ImpossibleHere, match=name):
        proc_tree.procfs()


def test_no_proc_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImpossibleHere, match="nowhere"):
        Procfs(str(tmp_path / "nowhere"))


@pytest.mark.parametrize(("text", "value"), [("2\n", 2), ("-1\n", -1), ("", 0), ("on\n", 0)])
def test_a_setting_is_a_number(proc_tree: ProcTree, procfs: Procfs, text: str, value: int) -> None:
    proc_tree.write("sys/vm/panic_on_oom", text)
    assert procfs.setting("vm/panic_on_oom") == value


def test_a_setting_that_the_kernel_does_not_have_is_0(procfs: Procfs) -> None:
    assert procfs.setting("vm/no_such_thing") == 0


def test_boot_time(procfs: Procfs) -> None:
    assert procfs.boot_time() == 1_700_000_000


@pytest.mark.parametrize(
    ("target", "is_own"), [(str(os.getpid()), True), ("1", False), (None, False)], ids=["this process", "init", "none"]
)
def test_a_proc_is_its_own_whose_self_is_this_process(proc_tree: ProcTree, target: str | None, is_own: bool) -> None:
    shutil.rmtree(proc_tree.root / "self")
    if target is not None:
        (proc_tree.root / "self").symlink_to(target)
    procfs = proc_tree.procfs()
    assert (procfs.is_own, procfs.own_pid) == (is_own, os.getpid() if is_own else None)
