"""Which rule decides about which process, and what it says: the same choice as that of ``oomctl set``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from oomctl.errors import ImpossibleHere
from oomctl.model import LeftAlone, Task
from oomctl.policy.rules import Rule
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.reader import Procfs
from oomctl.targets import Target, select

_IN_A_FILE = {
    "(--all takes it)": '(scope = "all" takes it)',
    "(--any-user takes it)": "(force = true takes it)",
    "(--force overrides)": "(force = true overrides)",
}


class Decision(NamedTuple):
    """What the first rule that matches a process says about it."""

    task: Task
    rule: Rule
    left_alone: str | None = None
    """Why the rule does not set it all the same; None: it gets the rule's adj."""

    @property
    def differs(self) -> bool:
        return self.left_alone is None and self.task.adj != self.rule.adj


def decide(rules: Sequence[Rule], tasks: Sequence[Task], procfs: Procfs) -> dict[int, Decision]:
    """Return the decision about each process of ``tasks`` that any rule matches, by PID, in the order of the rules.

    ``tasks`` has to hold whatever a scope asks about: parents for ``root``, all ancestors for ``tree``.
    """
    decided: dict[int, Decision] = {}
    by_pid = {task.pid: task for task in tasks}
    for rule in rules:
        targets = [target for target in rule.targets if _is_here(target, procfs)]
        selection = select(targets, tasks, procfs, rule.adj, rule.meant())
        for task in selection.meant:
            decided.setdefault(task.pid, Decision(task, rule))
        risky = [LeftAlone(task.pid, task.comm, reason) for task, reason in selection.risky]
        for entry in (*selection.left_alone, *selection.refused, *risky):
            decided.setdefault(entry.pid, Decision(by_pid[entry.pid], rule, _in_a_file(entry.reason)))
    return decided


def _is_here(target: Target, procfs: Procfs) -> bool:
    """A policy may name a cgroup that comes later, or only on another machine."""
    if target.kind != "cgroup":
        return True
    memcgs = Memcgs.of(procfs)
    if memcgs is None:
        return False
    try:
        memcgs.resolve(target.value)
    except ImpossibleHere:
        return False
    return True


def _in_a_file(reason: str) -> str:
    """Name the key of a rule where ``oomctl set`` would name its option."""
    for option, key in _IN_A_FILE.items():
        reason = reason.replace(option, key)
    return reason
