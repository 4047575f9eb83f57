"""Gathers what tells who set a value: the journal, the unit, the ancestors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oomctl.changes.journal import Journal
from oomctl.errors import NotPermitted
from oomctl.model.changes import Recorded
from oomctl.model.kernel import Task
from oomctl.model.listing import Row
from oomctl.origins import known as origins
from oomctl.procfs.identity import identity
from oomctl.procfs.reader import Procfs

_DOUBT_SECONDS = 2


def facts_of(
    rows: Sequence[Row],
    procfs: Procfs,
    declared: Mapping[tuple[str | None, int | None], int],
    tasks: Sequence[Task] = (),
) -> list[origins.Facts]:
    """Return what tells who set each value.

    ``declared`` is what systemd says of the units, as far as it was asked; ``tasks`` are read already.
    """
    recorded = _recorded(procfs)
    known = {task.pid: task for task in tasks}
    ancestry = origins.Ancestry(lambda pid: known.get(pid) or identity(procfs, pid))

    def recorded_of(task: Task | None) -> Recorded | None:
        return recorded.get((task.pid, task.start_ticks, task.adj)) if task else None

    def facts(row: Row) -> origins.Facts:
        parent = ancestry.parent(row.task)
        own, of_parent = recorded_of(row.task), recorded_of(parent)
        return origins.Facts(
            row.task,
            row.details,
            parent,
            ancestry.source(parent) if parent else None,
            declared.get((row.details.unit, row.details.manager_uid)),
            own.what if own else None,
            of_parent.what if of_parent and _was_there(row.task, of_parent.time, procfs) else None,
        )

    return [facts(row) for row in rows]


def _was_there(task: Task, moment: float, procfs: Procfs) -> bool:
    """Whether a process had started by ``moment``; no where that is not sure, for the boot is known to the second."""
    return procfs.boot_time() + task.start_ticks / procfs.clock_ticks + _DOUBT_SECONDS < moment


def _recorded(procfs: Procfs) -> dict[tuple[int, int, int], Recorded]:
    """Return the change of oomctl's that set a value, by PID, start time and the value."""
    try:
        entries = Journal.of_user().entries()
    except NotPermitted:  # explaining does not depend on it
        return {}
    boot_id = procfs.boot_id()
    return {
        (value.pid, value.start_ticks, value.after): entry
        for entry in entries
        if entry.boot_id == boot_id
        for value in entry.values
    }
