"""Marking a group as a whole: who of it gets the value, and who is left alone, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from oomctl.live.pending import Mark
from oomctl.model.changes import Status
from oomctl.model.kernel import Scenario, Task
from oomctl.procfs.reader import Procfs
from oomctl.render.text import count
from oomctl.tui import writing


class GroupMarks(NamedTuple):
    """What marking a group comes to."""

    tasks: list[Task]
    """Those that may get the value and do not have it."""
    sentence: str
    """How many they are, and how many are left alone for which reason."""


def mark_group(name: str, members: Sequence[Task], adj: int, scenario: Scenario, procfs: Procfs) -> GroupMarks:
    """Leave alone what a write would be refused for, and what nobody should raise without having named it."""
    marks = [Mark(task, adj) for task in members]
    risks = writing.risks(procfs, scenario, marks)
    changes = writing.attempt(procfs, scenario, marks, dry_run=True)
    may = {change.pid for change in changes if change.status is Status.DRY_RUN and change.pid not in risks}
    has_it = sum(change.status is Status.UNCHANGED for change in changes)
    reasons = Counter(
        _in_short(risks.get(change.pid) or change.whole_reason or change.status.value)
        for change in changes
        if change.pid not in may and change.status is not Status.UNCHANGED
    )
    parts = [f"{count(len(may), 'process', 'processes')} of {name} marked: {adj}"]
    parts += [f"{has_it} already there"] if has_it else []
    parts += [f"{number} left alone: {reason}" for reason, number in reasons.most_common()]
    return GroupMarks([task for task in members if task.pid in may], "; ".join(parts))


def _in_short(reason: str) -> str:
    """Return what stands before the explanation: there is one line for all of them."""
    return reason.partition(":")[0]
