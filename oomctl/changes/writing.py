"""Who gets which value, and the writing of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from oomctl.model.changes import Change, LeftAlone, Status, WhyLeftAlone
from oomctl.model.kernel import Scenario, Task
from oomctl.procfs.reader import Procfs
from oomctl.procfs.writer import write_adj
from oomctl.targets.matching import no_match
from oomctl.targets.selection import Scope, select, still_meant, with_descendants
from oomctl.targets.trust import UnitFacts
from oomctl.targets.units import resolved
from oomctl.targets.words import Target, TargetKind


class Meant(NamedTuple):
    """A process that gets a value, and the word that means it."""

    task: Task
    adj: int
    target: Target
    facts: UnitFacts
    """Of the unit, where that is what was named."""

    @property
    def raises(self) -> bool:
        """Whether the OOM killer will be likelier to take it."""
        return self.adj > self.task.adj


class Chosen(NamedTuple):
    """Who gets which value."""

    meant: list[Meant]
    left_alone: list[LeftAlone]
    refused: list[LeftAlone]
    unmatched: Mapping[str, str]
    """The words that match nothing, each with the sentence that says so."""
    risky: list[tuple[Meant, WhyLeftAlone]]
    """Those that are raised only if somebody confirms it, and why."""

    @property
    def is_nobody(self) -> bool:
        """Whether no word matches anything."""
        return not (self.meant or self.left_alone or self.refused or self.risky)


def write(procfs: Procfs, meant: Meant, scope: Scope, dry_run: bool = False) -> Change:
    """Write to the process if it still is the one that was meant; held open from that look to the value read back."""
    task = meant.task
    with procfs.held([task.pid]):
        if still_meant(meant.target, task, procfs, meant.adj, scope, meant.facts):
            return write_adj(procfs, task, meant.adj, dry_run)
    reason = f"no longer what {meant.target.word} meant; it was not touched"
    return Change(task.pid, task.comm, None, None, Status.VANISHED, reason)


def choose(
    targets: Sequence[Target],
    scenario: Scenario,
    procfs: Procfs,
    adj: int,
    scope: Scope,
) -> Chosen:
    """Find who gets ``adj`` by these targets, the units among them as their service manager knows them."""
    named, units = resolved(targets, scope.own_units)
    selection = select(named, scenario.tasks, procfs, adj, scope, units)

    def meant(task: Task) -> Meant:
        target = selection.named_by[task.pid]
        return Meant(task, adj, target, units.get(target.value, UnitFacts()))

    return Chosen(
        [meant(task) for task in selection.meant],
        selection.left_alone,
        selection.refused,
        {target.word: no_match(target.word, scenario.hidden) for target in selection.unmatched},
        [(meant(task), reason) for task, reason in selection.risky],
    )


def children_left(
    chosen: Chosen, targets: Sequence[Target], scenario: Scenario, procfs: Procfs, adj: int, scope: Scope
) -> Sequence[Task]:
    """Return the descendants of what is lowered that ``--tree`` would take, too, and refuse none."""
    lowered = [meant.task for meant in chosen.meant if adj < meant.task.adj]
    family = with_descendants(lowered, scenario.tasks)
    if len(family) == len(lowered):
        return ()
    # What a unit starts is in its cgroup, and so a match itself; its manager is not asked a second time.
    named = [target for target in targets if target.kind is not TargetKind.UNIT]
    with_tree = choose(named, scenario._replace(tasks=tuple(family)), procfs, adj, scope._replace(tree=True))
    if {entry.pid for entry in with_tree.refused} - {entry.pid for entry in chosen.refused}:
        return ()
    known = {meant.task.pid for meant in chosen.meant} | {entry.pid for entry in chosen.left_alone}
    return [meant.task for meant in with_tree.meant if meant.task.pid not in known and adj < meant.task.adj]
