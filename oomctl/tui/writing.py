"""Writing what was marked, with the refusals and the pinned writes of ``oomctl set``, and taking it back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from oomctl import targets
from oomctl.live.pending import Mark
from oomctl.model import Change, Scenario, Task
from oomctl.procfs.reader import Procfs
from oomctl.procfs.writer import write_adj


class Written(NamedTuple):
    """One value that was changed."""

    task: Task
    before: int
    after: int


def attempt(procfs: Procfs, scenario: Scenario, marks: Sequence[Mark], dry_run: bool) -> list[Change]:
    """Write each mark unless ``oomctl set ADJ PID`` would refuse it; with ``dry_run`` only say what would happen."""
    changes = []
    for mark in marks:
        word = targets.parse(str(mark.task.pid))
        # The scenario knows the process as it is now; a PID that was taken over is not the one that was marked.
        tasks = [task for task in scenario.tasks if task.pid == mark.task.pid]
        if not tasks or tasks[0].start_ticks != mark.task.start_ticks:
            tasks = [mark.task]
        refused = targets.select([word], tasks, procfs, mark.adj, targets.Scope()).refused
        if refused:
            changes.append(Change(mark.task.pid, mark.task.comm, None, None, "refused", refused[0].reason))
        else:
            changes.append(write_adj(procfs, mark.task, mark.adj, dry_run))
    return changes


def written(marks: Sequence[Mark], changes: Sequence[Change]) -> list[Written]:
    """Return what was really changed, for taking it back."""
    return [
        Written(mark.task, change.before, change.after)
        for mark, change in zip(marks, changes, strict=True)
        if change.status == "changed" and change.before is not None and change.after is not None
    ]


def take_back(procfs: Procfs, values: Sequence[Written], dry_run: bool) -> list[Change]:
    """Put back what was there before, except where something else has set another value since."""
    changes = []
    for value in values:
        found = write_adj(procfs, value.task, value.before, dry_run=True)
        if found.status == "dry-run" and found.before != value.after:
            reason = f"something else has set it to {found.before} since"
            changes.append(found._replace(status="refused", after=found.before, reason=reason))
        elif dry_run or found.status != "dry-run":
            changes.append(found)
        else:
            changes.append(write_adj(procfs, value.task, value.before))
    return changes
