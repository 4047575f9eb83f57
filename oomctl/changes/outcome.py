"""What a change is reported as, and the exit status it ends in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oomctl import errors
from oomctl.changes.recording import Record
from oomctl.console import complain, emit, emit_after_change, this_run
from oomctl.kernel import whatif
from oomctl.kernel.invocation import out_of_memory
from oomctl.model.changes import Change, LeftAlone, Persisted, Recorded, Status
from oomctl.model.kernel import Scenario, Task
from oomctl.procfs.reader import Procfs
from oomctl.render import changes as render

_STATUS_OF = {Status.DENIED: errors.NOT_PERMITTED, Status.VANISHED: errors.VANISHED, Status.REFUSED: errors.REFUSED}


def report(
    command: str,
    changes: Sequence[Change],
    left_alone: Sequence[LeftAlone],
    before: Scenario,
    procfs: Procfs,
    as_json: bool,
    undone: Recorded | None = None,
    unit_changes: Sequence[Persisted] = (),
    children: Sequence[Task] = (),
    missing: Mapping[str, str] | None = None,
) -> None:
    """Say what changed, the ranks, the next victim, and on stderr what could not be done.

    ``missing``: the words that match nothing, with a sentence each, where that is no failure; nor is then a process
    that has ended meanwhile.
    """
    after = before
    for change in changes:
        if change.status in (Status.CHANGED, Status.DRY_RUN) and change.after is not None:
            after = whatif.with_adj(after, change.pid, change.after)
    was, will_be = out_of_memory(before, procfs.rules), out_of_memory(after, procfs.rules)
    outcome = render.report_of(changes, was, will_be, left_alone)
    outcome = outcome._replace(undone=undone, persisted=unit_changes, children=children, missing=missing)
    was_made = Status.CHANGED in statuses_of(changes, unit_changes)
    text = render.document(outcome, command) if as_json else "" if this_run.quiet else render.text(outcome)
    (emit_after_change if was_made else emit)(text)
    failed = [change for change in changes if change.status in _STATUS_OF]
    if missing is not None:
        failed = [change for change in failed if change.status is not Status.VANISHED]
    for message, detail in render.failures(failed):
        complain(message, detail)
    for warning, detail in render.warnings(changes):
        complain(f"hint: {warning}", detail)
    for persisted in unit_changes:
        if persisted.status is Status.INEFFECTIVE:
            complain(f"{persisted.path}: {persisted.reason}")


def complain_if_unrecorded(record: Record) -> None:
    """Say on stderr that something was changed and is not recorded, if that is so."""
    if record.unrecorded is not None:
        complain(record.unrecorded)


def statuses_of(changes: Sequence[Change], unit_changes: Sequence[Persisted] = ()) -> list[Status]:
    """Return what became of each value and each drop-in."""
    return [change.status for change in changes] + [persisted.status for persisted in unit_changes]


def exit_status(statuses: Sequence[Status], some_unmatched: bool, some_left_alone: bool) -> int:
    """Everything went well, something did, or what stood in the way of all."""
    if Status.INEFFECTIVE in statuses:
        return errors.PARTLY_DONE
    failures = [status for status in statuses if status in _STATUS_OF]
    if len(failures) < len(statuses):
        return errors.PARTLY_DONE if failures or some_unmatched else errors.DONE
    if failures:
        return _STATUS_OF[failures[0]]
    return errors.REFUSED if some_left_alone else errors.DONE
