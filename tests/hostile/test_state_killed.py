"""A change of real processes whose writer is really killed: what was written can be taken back, nothing is left."""

from __future__ import annotations

import os
import signal
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from oomctl.changes import recording
from oomctl.changes.journal import Journal
from oomctl.model.changes import Change, Recorded
from oomctl.model.kernel import Task
from oomctl.procfs.reader import Procfs
from oomctl.procfs.writer import write_adj
from tests.commands.invoke import program
from tests.processes import Sleeper, adj_of

pytestmark = pytest.mark.live

Hook = Callable[[int], None]


def change(tasks: Sequence[Task], adj: int, hook: Hook) -> list[Change]:
    """Set ``adj`` as the commands do; ``hook`` is told how many values are written, before each and after the last."""
    procfs = Procfs()

    def write(dry_run: bool) -> list[Change]:
        changes = []
        for number, task in enumerate(tasks):
            if not dry_run:
                hook(number)
            changes.append(write_adj(procfs, task, adj, dry_run))
        if not dry_run:
            hook(len(tasks))
        return changes

    return recording.Record(f"set {adj}", procfs).carry_out(write, tasks)


def in_child(tasks: Sequence[Task], hook: Hook, kill_after_s: float | None = None) -> bool:
    """Change ``tasks`` to 500 in a child, to be killed by ``hook`` or after a while; return whether it was."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other tests' threads are of no concern to the child
        pid = os.fork()
    if pid == 0:
        try:
            change(tasks, 500, hook)
        finally:
            os._exit(0)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(pid, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def kill_oneself_at(number: int) -> Hook:
    def hook(written: int) -> None:
        if written == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook


def never(_: int) -> None:
    pass


def started(sleeper: Sleeper, count: int) -> list[Task]:
    return [Procfs().task(sleeper().pid) for _ in range(count)]


def adjs(tasks: Sequence[Task]) -> list[int]:
    return [adj_of(task.pid) for task in tasks]


@pytest.mark.parametrize("written", range(4))
def test_what_a_killed_change_had_written_is_undone(sleeper: Sleeper, written: int) -> None:
    tasks = started(sleeper, 3)
    assert in_child(tasks, kill_oneself_at(written))
    assert adjs(tasks) == [500] * written + [0] * (3 - written)
    ran = program("undo")
    assert (ran.status, ran.stderr) == (0, "")
    assert adjs(tasks) == [0, 0, 0]


def test_what_had_the_value_before_a_killed_change_keeps_it(sleeper: Sleeper) -> None:
    tasks = started(sleeper, 2)
    Path(f"/proc/{tasks[0].pid}/oom_score_adj").write_text("500")
    assert in_child(tasks, kill_oneself_at(2))
    assert program("undo").status == 0
    assert adjs(tasks) == [500, 0]


def test_what_a_change_did_not_do_after_all_is_not_recorded(sleeper: Sleeper) -> None:
    tasks = started(sleeper, 2)

    def somebody_else_is_first(written: int) -> None:
        if written == 0:
            Path(f"/proc/{tasks[0].pid}/oom_score_adj").write_text("500")

    assert [entry.status for entry in change(tasks, 500, somebody_else_is_first)] == ["unchanged", "changed"]
    [entry] = Journal.of_user().entries()
    assert [value.pid for value in entry.values] == [tasks[1].pid]


def take_back(journal: Journal, entry: Recorded) -> None:
    recording.forget(entry, recording.put_back(entry, Procfs(), dry_run=False), journal)


def undisturbed_s(tasks: Sequence[Task], journal: Journal) -> float:
    """How long a change takes that nobody kills; it is taken back."""
    begun = time.monotonic()
    assert not in_child(tasks, never)
    took = time.monotonic() - begun
    take_back(journal, journal.entries()[-1])
    return took


def test_killed_at_any_moment_a_change_can_be_undone_and_leaves_nothing(sleeper: Sleeper, state_home: Path) -> None:
    tasks = started(sleeper, 3)
    journal = Journal.of_user()
    usual_s = min(undisturbed_s(tasks, journal) for _ in range(5))  # one that had to wait would put each end too late
    killed = tried = 0
    while killed < 130:
        tried += 1
        killed += in_child(tasks, never, kill_after_s=usual_s * (tried % 50) / 50)
        for entry in reversed(journal.entries()):
            take_back(journal, entry)
        assert adjs(tasks) == [0, 0, 0], "written, and not recorded"
    change(tasks, 500, never)
    assert os.listdir(state_home / "oomctl") == ["journal"]
