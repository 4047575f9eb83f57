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
from oomctl.model.changes import Change, Recorded, Status, WhyLeftAlone
from oomctl.model.kernel import Scenario, Task
from oomctl.procfs.reader import Procfs
from oomctl.procfs.writer import write_adj
from oomctl.render import refusals
from oomctl.render.text import named, visible
from oomctl.targets.selection import Scope, Selection, select
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
    return Done(changes, record.entry, record.unrecorded)


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
        try:
            refused = selection(mark, now, procfs).refused
            reason = _left_alone(refused[0].reason) if refused else None
        except ImpossibleHere as error:  # a /proc in which numbers mean other processes
            reason = str(error)
        if reason is not None:
            changes.append(Change(mark.task.pid, mark.task.comm, None, None, Status.REFUSED, reason))
        else:
            changes.append(write_adj(procfs, mark.task, mark.adj, dry_run))
    return changes


def selection(mark: Mark, now: Mapping[int, Task], procfs: Procfs) -> Selection:
    """Return what ``oomctl set ADJ PID`` would think of a mark; ``now``: the processes of the latest look by PID."""
    # The look knows the process as it is now; a PID that was taken over is not the one that was marked.
    task = now.get(mark.task.pid)
    if task is None or task.start_ticks != mark.task.start_ticks:
        task = mark.task
    return select([parse_target(str(task.pid))], [task], procfs, mark.adj, Scope())


def risks(procfs: Procfs, scenario: Scenario, marks: Sequence[Mark]) -> list[str]:
    """Return what ``oomctl set`` would ask about before it raised them: the ways into the machine, a line each."""
    now = {task.pid: task for task in scenario.tasks}
    with contextlib.suppress(ImpossibleHere):
        risky = [entry for mark in marks for entry in selection(mark, now, procfs).risky]
        return [f"careful: {named(task)}: {visible(refusals.cause(why))}" for task, why in risky]
    return []


def _left_alone(why: WhyLeftAlone) -> str:
    lifted = refusals.lifted_by(why)
    return f"{refusals.cause(why)} (oomctl set {lifted})" if lifted else refusals.cause(why)
