"""Which rule decides about which process, and what it says: the same choice as that of ``oomctl set``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from oomctl.errors import ImpossibleHere
from oomctl.model.changes import LeftAlone, WhyLeftAlone
from oomctl.model.kernel import Task
from oomctl.policy.rule import Rule
from oomctl.procfs.reader import Procfs
from oomctl.targets.matching import is_there
from oomctl.targets.selection import select
from oomctl.targets.words import Target


class Distrust(NamedTuple):
    """A rule that matches a process and does not believe that it is what was meant."""

    rule: Rule
    reason: WhyLeftAlone


class Decision(NamedTuple):
    """What the first rule that matches a process, and does not distrust it, says about it."""

    task: Task
    rule: Rule
    left_alone: WhyLeftAlone | None = None
    """Why the rule does not set it all the same; None: it gets the rule's adj."""
    distrusting: tuple[Distrust, ...] = ()
    """Earlier rules that match it, too, and left it to this one: nobody escapes a rule by another one's name."""

    @property
    def differs(self) -> bool:
        """Whether the process has to get the rule's value."""
        return self.left_alone is None and self.task.adj != self.rule.adj

    @property
    def sets_floor(self) -> bool:
        """Whether the value is to be written even where it is there: who has set it himself could take it back.

        0 is where the kernel's floor begins, and whoever has less has it from a privileged writer.
        """
        return self.left_alone is None and self.rule.adj > 0


def decide(rules: Sequence[Rule], tasks: Sequence[Task], procfs: Procfs) -> dict[int, Decision]:
    """Return the decision about each process of ``tasks`` that any rule matches, by PID, in the order of the rules.

    Where all that match distrust a process, the first of them decides that it is left alone. ``tasks`` has to hold
    whatever a scope asks about: parents for ``root``, all ancestors for ``tree``.
    """
    decided: dict[int, Decision] = {}
    distrusting: dict[int, list[Distrust]] = {}
    by_pid = {task.pid: task for task in tasks}
    for rule in rules:
        targets = [target for target in rule.targets if _is_here(target, procfs)]
        selection = select(targets, tasks, procfs, rule.adj, rule.meant())
        for task in selection.meant:
            decided.setdefault(task.pid, Decision(task, rule, None, tuple(distrusting.get(task.pid, ()))))
        risky = [LeftAlone(task.pid, task.comm, reason) for task, reason in selection.risky]
        for entry in (*selection.left_alone, *selection.refused, *risky):
            pid, reason = entry.pid, entry.reason._replace(by_rule=True)
            if entry.distrusted:
                distrusting.setdefault(pid, []).append(Distrust(rule, reason))
            else:
                earlier = tuple(distrusting.get(pid, ()))
                decided.setdefault(pid, Decision(by_pid[pid], rule, reason, earlier))
    for pid, (first, *_) in distrusting.items():
        decided.setdefault(pid, Decision(by_pid[pid], first.rule, first.reason))
    return decided


def _is_here(target: Target, procfs: Procfs) -> bool:
    """A policy may name a cgroup that comes later, or only on another machine."""
    try:
        return is_there(target, procfs)
    except ImpossibleHere:
        return False
