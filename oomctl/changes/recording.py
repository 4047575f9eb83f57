"""What the commands that change something share: the record for ``undo``, the report, the exit status."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from oomctl import errors
from oomctl.changes.journal import Journal
from oomctl.model.changes import Change, Persisted, Recorded, Replaced, Status
from oomctl.model.kernel import Task
from oomctl.procfs.reader import Procfs
from oomctl.procfs.writer import write_adj


class Record:
    """One change in the journal: what it is meant to do before the first write, what it did afterwards.

    A change that is killed in between can be undone as well: where nothing was written yet, the value that undo would
    put back is there already. That a change cannot be recorded does not stop it, unless somebody wants that.
    """

    def __init__(self, what: str, procfs: Procfs, dry_run: bool = False, required: bool = False) -> None:
        """``what`` is the command, for people; with ``dry_run`` nothing is written, not even down.

        ``required``: what cannot be written down is not done, NotPermitted says why.
        """
        self._required = required
        self._dry_run = dry_run
        self._empty = Recorded(what, time.time(), procfs.boot_id(), ())
        self.entry: Recorded | None = None
        """What was changed, as far as it is known by now; None if nothing was."""
        self._complaint: str | None = None
        """Why the journal does not say the same."""

    def carry_out(
        self, write: Callable[[bool], list[Change]], tasks: Sequence[Task], unit_changes: Sequence[Persisted] = ()
    ) -> list[Change]:
        """Write down what ``write(True)`` says would change of ``tasks``, let ``write(False)`` change it, and see.

        Returns what became of it. ``unit_changes`` is what became of drop-ins before.
        """
        if not self._dry_run:
            self.note(write(True), tasks, unit_changes)
        changes = write(self._dry_run)
        self.note(changes, tasks, unit_changes)
        return changes

    def note(self, changes: Sequence[Change], tasks: Sequence[Task], unit_changes: Sequence[Persisted] = ()) -> None:
        """Let the journal say of this change what was changed of ``tasks``, or would be, and nothing else."""
        if self._dry_run:
            return
        start_ticks = {task.pid: task.start_ticks for task in tasks}
        values = tuple(
            Replaced(change.pid, start_ticks[change.pid], change.comm, change.before, change.after)
            for change in changes
            if change.status in (Status.CHANGED, Status.DRY_RUN)
            and change.before is not None
            and change.after is not None
        )
        drop_ins = tuple(
            entry.drop_in
            for entry in unit_changes
            if entry.status in (Status.CHANGED, Status.INEFFECTIVE, Status.DRY_RUN)
        )
        new = self._empty._replace(values=values, drop_ins=drop_ins) if values or drop_ins else None
        if new != self.entry:
            if self._complaint is None:
                self._write_down(new)
            self.entry = new

    def _write_down(self, new: Recorded | None) -> None:
        journal = Journal.of_user()
        try:
            if self.entry is not None:
                journal.replace(self.entry, new)
            elif new is not None:
                journal.append(new)
        except errors.NotPermitted as error:
            if self._required and self.entry is None:
                raise
            known = "will not know of it" if self.entry is None else "knows it only as it was meant to be"
            self._complaint = f"the change was made, but undo {known}: {error}"

    @property
    def unrecorded(self) -> str | None:
        """Why undo will not know of what was changed; None where it will, or nothing was."""
        return self._complaint if self.entry is not None else None


def put_back(entry: Recorded, procfs: Procfs, dry_run: bool) -> list[Change]:
    """Write what was there before ``entry``, except where something else has set another value since."""
    return [
        write_adj(
            procfs,
            Task(value.pid, value.comm, start_ticks=value.start_ticks),
            value.before,
            dry_run,
            only_if=value.after,
        )
        for value in entry.values
    ]


def forget(entry: Recorded, changes: Sequence[Change], journal: Journal) -> None:
    """Take what was put back out of the journal; what was denied now may be permitted another time.

    Raises NotPermitted when the journal cannot be written.
    """
    denied = {change.pid for change in changes if change.status is Status.DENIED}
    rest = tuple(value for value in entry.values if value.pid in denied)
    journal.replace(entry, entry._replace(values=rest, drop_ins=()) if rest else None)
