"""Writing what was marked, with the refusals and the pinned writes of ``oomctl set``, and taking it back.

``oomctl undo`` and ``oomctl explain`` know of both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import NamedTuple

from oomctl.changes import recording
from oomctl.changes.journal import Journal
from oomctl.errors import ImpossibleHere, NotPermitted
from oomctl.live.pending import Mark
from oomctl.model.changes import Change, Recorded, Status
from oomctl.model.kernel import Scenario, Task
from oomctl.procfs.reader import Procfs
from oomctl.procfs.writer import write_adj
from oomctl.render import refusals
from oomctl.targets.selection import Scope, select
from oomctl.targets.words import Target, parse_target


class Done(NamedTuple):
    """What became of a write, or of taking one back."""

    changes: list[Change]
    entry: Recorded | None = None
    """What can be taken back; None where nothing was changed."""
    complaint: str | None = None
    """Why ``oomctl undo`` will not know of it."""


def write(procfs: Procfs, scenario: Scenario, marks: Sequence[Mark]) -> Done:
    """Write each mark that may be written, and record what was changed."""
    record = recording.Record("top", procfs)
    changes = record.carry_out(lambda dry_run: attempt(procfs, scenario, marks, dry_run), [mark.task for mark in marks])
    return Done(changes, record.entry, record.complaint if record.entry is not None else None)


def take_back(procfs: Procfs, entry: Recorded) -> Done:
    """Put back what was there before, where nothing else has set another value since."""
    changes = recording.put_back(entry, procfs, dry_run=False)
    with contextlib.suppress(NotPermitted):  # then it could not be recorded either, which was said
        recording.forget(entry, changes, Journal.of_user())
    return Done(changes)


def attempt(procfs: Procfs, scenario: Scenario, marks: Sequence[Mark], dry_run: bool) -> list[Change]:
    """Write each mark unless ``oomctl set ADJ PID`` would refuse it; with ``dry_run`` only say what would happen."""
    changes = []
    for mark in marks:
        word = parse_target(str(mark.task.pid))
        # The scenario knows the process as it is now; a PID that was taken over is not the one that was marked.
        tasks = [task for task in scenario.tasks if task.pid == mark.task.pid]
        if not tasks or tasks[0].start_ticks != mark.task.start_ticks:
            tasks = [mark.task]
        reason = _refusal(word, tasks, procfs, mark.adj)
        if reason is not None:
            changes.append(Change(mark.task.pid, mark.task.comm, None, None, Status.REFUSED, reason))
        else:
            changes.append(write_adj(procfs, mark.task, mark.adj, dry_run))
    return changes


def _refusal(word: Target, tasks: Sequence[Task], procfs: Procfs, adj: int) -> str | None:
    try:
        refused = select([word], tasks, procfs, adj, Scope()).refused
    except ImpossibleHere as error:  # a /proc in which numbers mean other processes
        return str(error)
    return refusals.left_alone(refused[0].reason) if refused else None
