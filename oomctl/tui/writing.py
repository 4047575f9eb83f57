"""Writing what was marked, with the refusals and the pinned writes of ``oomctl set``, and taking it back.

``oomctl undo`` and ``oomctl explain`` know of both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
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
from oomctl.targets.trust import risk_of_raising
from oomctl.targets.words import parse_target


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
    now = {task.pid: task for task in scenario.tasks}
    for mark in marks:
        reason = _refusal(mark, _as_it_is(mark, now), procfs)
        if reason is not None:
            changes.append(Change(mark.task.pid, mark.task.comm, None, None, Status.REFUSED, reason))
        else:
            changes.append(write_adj(procfs, mark.task, mark.adj, dry_run))
    return changes


def risks(procfs: Procfs, scenario: Scenario, marks: Sequence[Mark]) -> dict[int, str]:
    """Say of each process that ``oomctl set`` would raise only after a yes of its own what would be lost, by PID."""
    now = {task.pid: task for task in scenario.tasks}
    found = {}
    for mark in marks:
        task = _as_it_is(mark, now)
        with contextlib.suppress(ImpossibleHere):  # then it will be refused anyway
            if mark.adj > task.adj and (risk := risk_of_raising(task, procfs)):
                found[task.pid] = refusals.without_remedy(risk)
    return found


def _as_it_is(mark: Mark, now: Mapping[int, Task]) -> Task:
    """Return the marked process as the latest look knows it; one that took its PID over is not the one marked."""
    task = now.get(mark.task.pid)
    return task if task is not None and task.start_ticks == mark.task.start_ticks else mark.task


def _refusal(mark: Mark, task: Task, procfs: Procfs) -> str | None:
    try:
        refused = select([parse_target(str(task.pid))], [task], procfs, mark.adj, Scope()).refused
    except ImpossibleHere as error:  # a /proc in which numbers mean other processes
        return str(error)
    return refusals.left_alone(refused[0].reason) if refused else None
