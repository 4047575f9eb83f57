"""Which of the processes that a target matches get a value, which are left alone, and which must not be touched."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from oomctl.model.changes import Follower, LeftAlone, WhyLeftAlone
from oomctl.model.kernel import Task
from oomctl.procfs.identity import identity
from oomctl.procfs.reader import Procfs
from oomctl.targets.matching import (
    matcher,
    matching,
    wildcards,
)
from oomctl.targets.trust import (
    DOUBTFUL,
    UnitFacts,
    distrust_of_descendant,
    distrust_of_name,
    distrust_of_unit,
    refusal,
    risk_of_raising,
)
from oomctl.targets.words import Target, TargetKind

MOST_RAISED = 20
"""Raising more at once asks for a yes: ``user:root`` is one word, and it is half of the machine."""


class Scope(NamedTuple):
    """Which of the processes that a target matches are meant."""

    everyone: bool = False
    """``--all``: every match, not only its root."""
    tree: bool = False
    """``--tree``: all descendants as well."""
    any_user: bool = False
    """``--any-user``: also those that may not be what they are called, when lowering."""
    force: bool = False
    own_units: bool = False
    """``--user``: units are those of the service manager of whoever runs this."""


class Selection(NamedTuple):
    """What becomes of the processes that targets match."""

    meant: list[Task]
    left_alone: list[LeftAlone]
    refused: list[LeftAlone]
    unmatched: list[Target]
    risky: list[tuple[Task, WhyLeftAlone]]
    """Those whose raising would cost the way into the machine, and how: only if somebody confirms it."""
    named_by: dict[int, Target]
    """The target that means each of ``meant`` and ``risky``, by PID."""


def select(
    targets: Sequence[Target],
    tasks: Sequence[Task],
    procfs: Procfs | None,
    adj: int,
    scope: Scope,
    units: Mapping[str, UnitFacts] | None = None,
) -> Selection:
    """Decide who gets ``adj``, who is left alone and who must not be touched.

    Lowering protects whatever the process starts later, so it is for the root of each match (of a unit in
    ``units``: for its main process), and only for what is what it is called; raising is for every match.
    """
    meant: dict[int, Task] = {}
    left_alone: dict[int, LeftAlone] = {}
    refused: dict[int, LeftAlone] = {}
    risky: dict[int, tuple[Task, WhyLeftAlone]] = {}
    named_by: dict[int, Target] = {}
    matches_of = matching(targets, tasks, procfs)
    for target, matches in matches_of.items():
        facts = (units or {}).get(target.value, UnitFacts())
        direct = {task.pid for task in matches}
        followers = {} if scope.everyone or scope.tree else _followers(target, matches, facts.main_pid)
        for task in with_descendants(matches, tasks) if scope.tree else matches:
            lowering = adj < task.adj
            # Distrust first: an impostor is one as the child of another, too.
            if lowering and (reason := _distrust(target, task, procfs, scope, facts, task.pid in direct)):
                reason = _with_what_else(reason, refusal(task, procfs, lowering, scope.force))
                left_alone.setdefault(task.pid, LeftAlone(task.pid, task.comm, reason))
            elif lowering and task.pid in followers:
                reason = _with_what_else(followers[task.pid], refusal(task, procfs, lowering, scope.force))
                left_alone[task.pid] = LeftAlone(task.pid, task.comm, reason)
            elif reason := refusal(task, procfs, lowering, scope.force):
                refused[task.pid] = LeftAlone(task.pid, task.comm, reason)
            elif adj > task.adj and not scope.force and (reason := risk_of_raising(task, procfs)):
                risky[task.pid] = task, reason
                named_by[task.pid] = target
            else:
                meant[task.pid] = task
                named_by[task.pid] = target
    return Selection(
        list(meant.values()),
        [entry for pid, entry in left_alone.items() if pid not in named_by and pid not in refused],
        [entry for pid, entry in refused.items() if pid not in named_by],
        [target for target, matches in matches_of.items() if not matches],
        [entry for pid, entry in risky.items() if pid not in meant],
        named_by,
    )


def trusted(target: Target, tasks: Sequence[Task], procfs: Procfs | None) -> list[Task]:
    """Return all matches that are what they are called: anybody can call a process postgres."""
    nothing = UnitFacts()
    return [
        task
        for task in matching([target], tasks, procfs)[target]
        if not _distrust(target, task, procfs, Scope(), nothing, direct=True)
    ]


def _with_what_else(reason: WhyLeftAlone, refused: WhyLeftAlone | None) -> WhyLeftAlone:
    return reason._replace(also=refused.kind) if refused else reason


def still_meant(
    target: Target,
    task: Task,
    procfs: Procfs,
    adj: int,
    scope: Scope,
    facts: UnitFacts = UnitFacts(),  # noqa: B008 - a value without state
) -> bool:
    """Whether the process that has this PID now is the one that ``target`` meant when ``task`` was read.

    To be asked while the process is held open (``Procfs.held``), just before it is written: a PID can be taken over
    within one tick of the clock that start times are measured in, and a process can become another program.
    """
    now = identity(procfs, task.pid)
    if now is None:
        return True  # it has ended or is hidden, as the write will find
    if now.start_ticks != task.start_ticks:
        return False
    if target.kind is TargetKind.PID:
        return not scope.tree or task.pid == int(target.value) or _same(task, now)
    direct = matcher(target, procfs)(now)
    if not direct:
        return scope.tree and _same(task, now)
    return not (adj < now.adj and _distrust(target, now, procfs, scope, facts, direct=True))


def _same(task: Task, now: Task) -> bool:
    """Whether a descendant, that no target names, is the one that was found."""
    return (now.comm, now.uid, now.ppid) == (task.comm, task.uid, task.ppid)


def _distrust(
    target: Target, task: Task, procfs: Procfs | None, scope: Scope, facts: UnitFacts, direct: bool
) -> WhyLeftAlone | None:
    """Say why ``task`` is not lowered by this target; ``direct``: it matches itself, not an ancestor of it."""
    if scope.any_user or target.kind not in DOUBTFUL:
        return None
    if not direct:
        return distrust_of_descendant(task, procfs)
    if target.kind is TargetKind.UNIT:
        return distrust_of_unit(task, procfs, target.value, facts, os.geteuid() if scope.own_units else None)
    return distrust_of_name(task, procfs, wildcards(target.value) if target.kind is TargetKind.NAME else None)


def _followers(target: Target, matches: Sequence[Task], main_pid: int | None) -> dict[int, WhyLeftAlone]:
    """Return the matches that are not to be lowered themselves, each with the reason."""
    pids = {task.pid for task in matches}
    if main_pid in pids:
        return dict.fromkeys(pids - {main_pid}, WhyLeftAlone(Follower.NOT_MAIN_PROCESS, unit=target.value))
    return {task.pid: WhyLeftAlone(Follower.CHILD) for task in matches if task.ppid in pids}


def with_descendants(roots: Sequence[Task], tasks: Sequence[Task]) -> list[Task]:
    """Return ``roots`` and all of ``tasks`` that descend from them."""
    children: dict[int, list[Task]] = {}
    for task in tasks:
        children.setdefault(task.ppid, []).append(task)
    tree = {task.pid: task for task in roots}
    waiting = list(roots)
    while waiting:
        for child in children.get(waiting.pop().pid, []):
            if child.pid not in tree:
                tree[child.pid] = child
                waiting.append(child)
    return list(tree.values())
