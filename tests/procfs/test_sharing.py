"""Real processes on one memory map, and the real kcmp."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from oomctl.kernel.whatif import task_of
from oomctl.model.kernel import Task
from oomctl.procfs.reader import Procfs
from oomctl.procfs.sharing import compare_memory, with_shared_memory
from tests.processes import ended, two_on_one_map
from tests.tasks import scenario, task

NOBODY = (1 << 22) + 1  # above PID_MAX_LIMIT

# Its child of posix_spawn (which is vfork) waits for a writer to the FIFO, before it would exec.
IN_VFORK = """
import os, sys
os.posix_spawn("/bin/true", ["true"], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 0, sys.argv[1], os.O_RDONLY, 0)])
"""


@pytest.fixture
def sharers() -> Iterator[tuple[int, int]]:
    """PIDs of two processes on one memory map."""
    with two_on_one_map() as pids:
        yield pids


@pytest.fixture
def loner() -> Iterator[int]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process.pid
        ended(process.pid)


def read(*pids: int) -> list[Task]:
    procfs = Procfs()
    return [procfs.task(pid) for pid in pids]


def maps_of(tasks: list[Task]) -> list[str | None]:
    return [shown.mm for shown in tasks]


def test_the_kernel_says_who_shares(sharers: tuple[int, int], loner: int) -> None:
    assert compare_memory(*sharers) == 0
    assert compare_memory(sharers[0], loner) in (-1, 1)
    assert compare_memory(loner, loner) == 0


def test_the_kernels_answer_is_an_order(sharers: tuple[int, int], loner: int) -> None:
    one, other = compare_memory(sharers[0], loner), compare_memory(loner, sharers[0])
    assert (one, other) in ((1, -1), (-1, 1))


def test_nothing_can_be_said_of_a_process_that_is_gone(loner: int) -> None:
    assert compare_memory(loner, NOBODY) is None


def test_sharers_get_a_name_and_others_none(sharers: tuple[int, int], loner: int) -> None:
    one, other, alone = maps_of(with_shared_memory(read(*sharers, loner)))
    assert one == other
    assert one is not None
    assert alone is None


def test_the_sharers_of_one_task_are_found(sharers: tuple[int, int], loner: int) -> None:
    tasks = read(*sharers, loner)
    assert maps_of(with_shared_memory(tasks, of=tasks[0])) == [f"mm of {sharers[0]}"] * 2 + [None]
    assert maps_of(with_shared_memory(tasks, of=tasks[2])) == [None] * 3


def test_processes_of_equal_size_are_told_apart(sharers: tuple[int, int], loner: int) -> None:
    alike = [Task(pid, "alike", rss_pages=5, vsize_bytes=4096) for pid in (loner, *sharers, os.getpid())]
    found = maps_of(with_shared_memory(alike))
    assert (found[0], found[3]) == (None, None)
    assert found[1] == found[2] is not None


def test_one_that_ended_does_not_hide_the_others(sharers: tuple[int, int]) -> None:
    alike = [Task(pid, "alike", rss_pages=5, vsize_bytes=4096) for pid in (NOBODY, *sharers)]
    found = maps_of(with_shared_memory(alike))
    assert found[0] is None
    assert found[1] == found[2] is not None


def test_who_cannot_be_asked_about_shows_it(
    sharers: tuple[int, int], loner: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    alike = [task._replace(vsize_bytes=4096, rss_pages=5, pgtables_pages=2, start_stack=7) for task in read(*sharers)]
    other = read(loner)[0]
    monkeypatch.setattr("oomctl.procfs.sharing._kcmp", lambda: (None, None))  # as by a Python without ctypes
    for of in (None, alike[0]):
        found = with_shared_memory([*alike, other], of)
        assert maps_of(found) == [None] * 3
        assert [task.start_stack for task in found][of is not None :] == [0, 0, other.start_stack][of is not None :]


def test_sizes_that_differ_are_not_asked_about() -> None:
    me = os.getpid()
    tasks = [Task(me, "me", rss_pages=5, vsize_bytes=4096), Task(me, "me", rss_pages=6, vsize_bytes=4096)]
    assert maps_of(with_shared_memory(tasks)) == [None, None]


def test_tasks_without_memory_share_nothing() -> None:
    """Every kernel thread and zombie has the same memory map for the kernel: none."""
    tasks = [task(2, kthread=True), task(3, kthread=True), task(os.getpid(), zombie=True)]
    assert maps_of(with_shared_memory(tasks)) == [None] * 3


def test_a_child_in_vfork_is_recognised_and_shares_its_parents_memory(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    procfs = Procfs()
    with subprocess.Popen([sys.executable, "-c", IN_VFORK, str(fifo)]) as parent:
        deadline = time.monotonic() + 60
        while not (children := procfs.children(parent.pid)) and time.monotonic() < deadline:
            time.sleep(0.01)
        child, spawning = read(children[0], parent.pid)
        found = maps_of(with_shared_memory([child, spawning]))
        ended(child.pid)
        ended(parent.pid)
    assert (child.oom_score, child.vfork) == (0, True)
    assert spawning.vfork is False
    assert found[0] == found[1] is not None


def test_order_of_tasks_is_kept(sharers: tuple[int, int], loner: int) -> None:
    tasks = read(loner, *sharers)
    assert [shown.pid for shown in with_shared_memory(tasks)] == [loner, *sharers]
    assert task_of(scenario(*with_shared_memory(tasks)), loner).mm is None
