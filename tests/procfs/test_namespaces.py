"""Whether a /proc shows the machine's first PID namespace, told by trees of its text and by this kernel."""

import os
import subprocess
import sys

import pytest

from oomctl.procfs.namespaces import in_first_pid_namespace, numbers_of_this
from tests.privileges import needs_root
from tests.proc_tree import CONTAINER, ProcTree

OWN = os.getpid()


def test_the_namespace_of_pid_1_is_that_of_its_proc(proc_tree: ProcTree) -> None:
    proc_tree.add(1, "app", ppid=0, namespaces=CONTAINER)
    assert in_first_pid_namespace(str(proc_tree.root)) is False


def test_kernel_threads_are_in_the_first_one_only(proc_tree: ProcTree) -> None:
    proc_tree.add(1, "systemd", ppid=0, namespaces={})
    proc_tree.add_kthread(2, "kthreadd")
    (proc_tree.root / "self/ns/pid").unlink()
    assert in_first_pid_namespace(str(proc_tree.root)) is True


def test_where_pid_1_may_not_be_asked_ones_own_namespace_tells(proc_tree: ProcTree) -> None:
    proc_tree.add(1, "app", ppid=0, namespaces={})
    (proc_tree.root / "self/ns/pid").unlink()
    (proc_tree.root / "self/ns/pid").symlink_to(CONTAINER["pid"])
    assert in_first_pid_namespace(str(proc_tree.root)) is False


def test_ones_own_namespace_says_nothing_of_a_proc_with_other_numbers(proc_tree: ProcTree) -> None:
    proc_tree.add(1, "systemd", ppid=0, namespaces={})
    (proc_tree.root / "self").rename(proc_tree.root / "4242")
    (proc_tree.root / "self").symlink_to("4242")
    assert in_first_pid_namespace(str(proc_tree.root)) is None


def test_without_links_nothing_is_said(proc_tree: ProcTree) -> None:
    (proc_tree.root / "self/ns/pid").unlink()
    assert in_first_pid_namespace(str(proc_tree.root)) is None


@pytest.mark.parametrize(
    ("target", "nspid", "numbers"),
    [
        (OWN, f"NSpid:\t{OWN}\n", (OWN,)),
        (OWN, "", (OWN,)),
        (7, f"NSpid:\t7\t{OWN}\n", (7, OWN)),
        (OWN, f"NSpid:\t{OWN}\t{OWN}\n", (OWN, OWN)),
        (7, "NSpid:\t7\t8\n", (7,)),
        (7, "", (7,)),
    ],
    ids=["own", "before v4.1", "the host's", "the host's, alike by chance", "of another time", "nothing said"],
)
def test_the_numbers_of_this_process_tell_whose_proc_it_is(
    proc_tree: ProcTree, target: int, nspid: str, numbers: tuple[int, ...]
) -> None:
    (proc_tree.root / "self").rename(proc_tree.root / str(target))
    (proc_tree.root / "self").symlink_to(str(target))
    proc_tree.write(f"{target}/status", f"Name:\tx\n{nspid}")
    assert numbers_of_this(str(proc_tree.root)) == numbers
    procfs = proc_tree.procfs()
    assert procfs.is_own is (numbers == (OWN,))
    assert procfs.own_pid == (numbers[0] if numbers[-1] == OWN else None)


@needs_root
def test_a_namespace_made_here_is_not_the_first() -> None:
    asked = "from oomctl.procfs.namespaces import in_first_pid_namespace as first; print(first('/proc'))"
    unshare = ["unshare", "--pid", "--mount-proc", "--fork", sys.executable, "-c", asked]
    assert subprocess.run(unshare, capture_output=True, text=True, timeout=60, check=True).stdout == "False\n"
