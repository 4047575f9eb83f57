"""``oomctl undo``: put back what the last change replaced, where the same processes still live."""

from __future__ import annotations

import click

from oomctl.changes import persisting, recording
from oomctl.changes.journal import Journal
from oomctl.changes.outcome import exit_status, report, statuses_of
from oomctl.cli.options import dry_run_option, json_option, quiet_option
from oomctl.errors import NothingMatched
from oomctl.model.changes import Recorded
from oomctl.procfs import survey
from oomctl.procfs.machine import procfs_to_write


@click.command()
@dry_run_option
@quiet_option
@json_option
def undo(dry_run: bool, as_json: bool) -> int:
    """Put back the values that your last change replaced.

    A change is a set, protect, sacrifice, reset or policy apply, or what top wrote. Values are put back only
    in the very processes that were changed, and only where nothing else has set another value since.
    A drop-in that --persist wrote goes as well. Undo again goes one change further back. What you change
    with sudo, undo with sudo.

    \b
    oomctl undo --dry-run
    oomctl undo
    """
    procfs = procfs_to_write()
    journal = Journal.of_user()
    entry = _last(journal, procfs.boot_id())
    scenario = survey.machine(procfs, cgroups=False)
    unit_changes = [persisting.put_back(drop_in, dry_run) for drop_in in entry.drop_ins]
    changes = recording.put_back(entry, procfs, dry_run)
    if not dry_run:
        recording.forget(entry, changes, journal)
    report("undo", changes, [], scenario, procfs, as_json, entry, unit_changes)
    return exit_status(statuses_of(changes, unit_changes), False, False)


def _last(journal: Journal, boot_id: str) -> Recorded:
    entries = journal.entries()
    if not entries:
        raise NothingMatched(f"undo: no change is recorded in {journal.path}; what sudo changed, sudo oomctl undoes")
    if entries[-1].boot_id != boot_id:
        raise NothingMatched("undo: the last change was before this machine was started, and its processes are gone")
    return entries[-1]
