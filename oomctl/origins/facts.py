"""Gathers what tells who set a value: the journal, the unit, the ancestors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oomctl.changes.journal import Journal
from oomctl.errors import NotPermitted
from oomctl.model.kernel import Task
from oomctl.model.listing import Row
from oomctl.origins import known as origins
from oomctl.procfs.identity import identity
from oomctl.procfs.reader import Procfs


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

    def facts(row: Row) -> origins.Facts:
        parent = ancestry.parent(row.task)
        return origins.Facts(
            row.task,
            row.details,
            parent,
            ancestry.source(parent) if parent else None,
            declared.get((row.details.unit, row.details.manager_uid)),
            recorded.get((row.task.pid, row.task.start_ticks, row.task.adj)),
        )

    return [facts(row) for row in rows]


def _recorded(procfs: Procfs) -> dict[tuple[int, int, int], str]:
    """Return the command of oomctl that set a value, by PID, start time and the value."""
    try:
        entries = Journal.of_user().entries()
    except NotPermitted:  # explaining does not depend on it
        return {}
    boot_id = procfs.boot_id()
    return {
        (value.pid, value.start_ticks, value.after): entry.what
        for entry in entries
        if entry.boot_id == boot_id
        for value in entry.values
    }
