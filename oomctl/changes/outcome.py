"""What a change is reported as, and the exit status it ends in."""

from __future__ import annotations

from collections.abc import Sequence

from oomctl import errors
from oomctl.console import complain, emit, emit_after_change
from oomctl.kernel import whatif
from oomctl.kernel.invocation import out_of_memory
from oomctl.kernel.selection import scan
from oomctl.model.changes import Change, LeftAlone, Persisted, Recorded
from oomctl.model.kernel import Scenario, Task
from oomctl.procfs.reader import Procfs
from oomctl.render import changes as render
from oomctl.render.text import named

_STATUS_OF = {"denied": errors.NOT_PERMITTED, "vanished": errors.VANISHED, "refused": errors.REFUSED}


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
            complain(f"{named(change)}: {change.reason}")
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
