"""Command lines of those on the screen, and of nobody else: to read one may take its process's lock."""

from __future__ import annotations

from collections.abc import Iterable

from oomctl.model.kernel import Task
from oomctl.model.listing import Row
from oomctl.procfs.details import cmdline_of
from oomctl.procfs.reader import Procfs

_MOST_KEPT = 1000


class CommandLines:
    """What is known of them: as they were when they were last read."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], str | None] = {}

    def read(self, tasks: Iterable[Task], procfs: Procfs) -> None:
        """Read those of ``tasks``; processes change theirs."""
        if len(self._known) > _MOST_KEPT:
            self._known.clear()
        for task in tasks:
            self._known[_identity(task)] = cmdline_of(procfs, task)

    def added(self, row: Row) -> Row:
        """Return ``row`` with its command line, if that is known."""
        cmdline = self._known.get(_identity(row.task))
        return row if cmdline is None else row._replace(details=row.details._replace(cmdline=cmdline))


def _identity(task: Task) -> tuple[int, int]:
    return task.pid, task.start_ticks
