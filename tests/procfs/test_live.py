"""This machine's own /proc: our arithmetic beside the kernel's."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

from oomctl.kernel.badness import badness, oom_score
from oomctl.kernel.selection import why_not
from oomctl.model.kernel import Constraint, Context, Task
from oomctl.procfs.namespaces import in_first_pid_namespace
from oomctl.procfs.reader import Procfs

pytestmark = pytest.mark.live


def computed(task: Task, procfs: Procfs) -> int:
    eligible = why_not(task, Context(Constraint.NONE, procfs.totalpages), procfs.rules) is None
    points = badness(task, procfs.totalpages, procfs.rules).badness if eligible else None
    return oom_score(points, procfs.totalpages, procfs.rules)


def agrees(task: Task, procfs: Procfs) -> bool:
    """Within one point: sizes may change between the reads of two files."""
    return task.oom_score is not None and abs(computed(task, procfs) - task.oom_score) <= 1


def test_our_oom_score_is_the_kernels_for_every_process() -> None:
    procfs = Procfs()
    unsettled = [task.pid for task in procfs.tasks().read]
    assert unsettled
    for _ in range(5):  # one that was growing, or dying, may have settled
        unsettled = [task.pid for task in procfs.tasks(unsettled).read if not agrees(task, procfs)]
    assert unsettled == []


def test_most_scores_agree_to_the_point() -> None:
    procfs = Procfs()
    tasks = procfs.tasks().read
    exact = [task for task in tasks if computed(task, procfs) == task.oom_score]
    assert len(exact) >= 0.9 * len(tasks)


def test_who_asks_is_left_out_unless_it_stays() -> None:
    own = os.getpid()
    assert own not in [task.pid for task in Procfs().tasks().read]
    assert own in [task.pid for task in Procfs(stays=True).tasks().read]
    assert own in [score.pid for score in Procfs(stays=True).scores().listed]


def test_a_machine_that_forks_all_the_time_has_no_hidden_processes() -> None:
    """One that ends while another starts is counted twice and listed once."""
    procfs = Procfs()
    if not in_first_pid_namespace(procfs.root):
        pytest.skip("processes of the host are hidden here, and their number changes")
    forks = "while :; do /bin/true; done"
    storm = [subprocess.Popen(["sh", "-c", forks]) for _ in range(2)]
    try:
        end = time.monotonic() + 2
        while time.monotonic() < end:
            assert procfs.pids()[1] == 0
    finally:
        for shell in storm:
            shell.kill()
            shell.wait()
