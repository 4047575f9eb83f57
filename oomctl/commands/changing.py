"""What the commands that change something share: the record for ``undo``, the report, the exit status."""

from __future__ import annotations

import time
from collections.abc import Sequence

from oomctl import errors
from oomctl.cli import complain
from oomctl.commands.options import emit, emit_after_change
from oomctl.journal import Journal
from oomctl.kernel import whatif
from oomctl.kernel.invocation import out_of_memory
from oomctl.kernel.selection import scan
from oomctl.model import Change, LeftAlone, Persisted, Recorded, Replaced, Scenario, Task
from oomctl.procfs.reader import Procfs
from oomctl.procfs.writer import write_adj
from oomctl.render import changes as render

_STATUS_OF = {"denied": errors.NOT_PERMITTED, "vanished": errors.VANISHED, "refused": errors.REFUSED}


def record(
    what: str, changes: Sequence[Change], tasks: Sequence[Task], procfs: Procfs, kept: Sequence[Persisted] = ()
) -> None:
    """Write down what was changed; that this cannot be done does not undo the change, and is said."""
    entry = made(what, changes, tasks, procfs, kept)
    complaint = remember(entry) if entry is not None else None
    if complaint is not None:
        complain(complaint)


def made(
    what: str, changes: Sequence[Change], tasks: Sequence[Task], procfs: Procfs, kept: Sequence[Persisted] = ()
) -> Recorded | None:
    """Return what was really changed, of all that was tried with ``tasks``; None if nothing was."""
    start_ticks = {task.pid: task.start_ticks for task in tasks}
    values = tuple(
        Replaced(change.pid, start_ticks[change.pid], change.comm, change.before, change.after)
        for change in changes
        if change.status == "changed" and change.before is not None and change.after is not None
    )
    drop_ins = tuple(persisted.drop_in for persisted in kept if persisted.status in ("changed", "ineffective"))
    return Recorded(what, time.time(), procfs.boot_id(), values, drop_ins) if values or drop_ins else None


def remember(entry: Recorded) -> str | None:
    """Write ``entry`` into the journal of changes; return what to complain of if that cannot be done."""
    try:
        Journal.of_user().append(entry)
    except errors.NotPermitted as error:
        return f"the change was made, but undo will not know of it: {error}"
    return None


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
    denied = {change.pid for change in changes if change.status == "denied"}
    journal.replace(entry, tuple(value for value in entry.values if value.pid in denied))


def report(
    command: str,
    changes: Sequence[Change],
    left_alone: Sequence[LeftAlone],
    before: Scenario,
    procfs: Procfs,
    as_json: bool,
    undone: Recorded | None = None,
    kept: Sequence[Persisted] = (),
) -> None:
    """Say what changed, the ranks, the next victim, and on stderr what could not be done."""
    after = before
    for change in changes:
        if change.status in ("changed", "dry-run") and change.after is not None:
            after = whatif.with_adj(after, change.pid, change.after)
    was, will_be = _ranks(before, procfs), _ranks(after, procfs)
    ranked = [
        change._replace(rank_before=was.get(change.pid), rank_after=will_be.get(change.pid)) for change in changes
    ]
    said = render.Report(ranked, left_alone, _victim(before, procfs), _victim(after, procfs), undone, kept)
    was_made = "changed" in [change.status for change in changes] + [persisted.status for persisted in kept]
    (emit_after_change if was_made else emit)(render.document(said, command) if as_json else render.text(said))
    for change in changes:
        if change.status in _STATUS_OF:
            complain(f"{change.pid} ({change.comm}): {change.reason}")
    for persisted in kept:
        if persisted.status == "ineffective":
            complain(f"{persisted.path}: {persisted.reason}")


def exit_status(statuses: Sequence[str], some_unmatched: bool, some_left_alone: bool) -> int:
    """Everything went well, something did, or what stood in the way of all."""
    if "ineffective" in statuses:
        return errors.PARTLY_DONE
    failures = [status for status in statuses if status in _STATUS_OF]
    if len(failures) < len(statuses):
        return errors.PARTLY_DONE if failures or some_unmatched else errors.DONE
    if failures:
        return _STATUS_OF[failures[0]]
    return errors.REFUSED if some_left_alone else errors.DONE


def _ranks(scenario: Scenario, procfs: Procfs) -> dict[int, int]:
    ranking = scan(scenario.tasks, scenario.context, procfs.rules).ranking
    return {candidate.task.pid: rank for rank, candidate in enumerate(ranking, start=1)}


def _victim(scenario: Scenario, procfs: Procfs) -> Task | None:
    victim = out_of_memory(scenario, procfs.rules).victim
    return victim.task if victim else None
