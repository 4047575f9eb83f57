"""Keeps a policy true: looks at a process when something happened to it, and at all of them now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from oomctl.errors import ImpossibleHere
from oomctl.model import Change, Task
from oomctl.policy.decision import Decision, decide
from oomctl.policy.events import Event
from oomctl.policy.rules import Rule
from oomctl.procfs.details import user_name
from oomctl.procfs.identity import first_look, identities, identity
from oomctl.procfs.reader import Procfs
from oomctl.procfs.writer import write_adj
from oomctl.targets import matcher

Report = Callable[[Decision, Change], None]
_RETRY_SECONDS = 1.0


class Keeper:
    """Applies ``rules`` and calls ``report`` for each value that it changed, or was not permitted to change."""

    def __init__(self, procfs: Procfs, rules: Sequence[Rule], report: Report) -> None:
        self._procfs = procfs
        self._rules = rules
        self._report = report
        self._sieve = _Sieve(procfs, rules)
        self._trees = [rule for rule in rules if rule.scope == "tree"]
        self._in_trees: set[int] = set()
        """PIDs that such a rule matches, and their descendants: what they fork is looked at."""
        self._denied: dict[int, int] = {}
        """PID and start time of those that could not be written, so that this is said once."""

    def scan(self) -> None:
        """Look at every process. Costs some 0.1 ms for each."""
        user_name.cache_clear()  # users are added while a service runs
        tasks = list(identities(self._procfs))
        decided = decide(self._rules, tasks, self._procfs)
        self._in_trees = set(decide(self._trees, tasks, self._procfs))
        living = {task.pid: task.start_ticks for task in tasks}
        self._denied = {pid: start for pid, start in self._denied.items() if living.get(pid) == start}
        for decision in decided.values():
            self._carry_out(decision)

    def take(self, events: Iterable[Event]) -> None:
        """Look once at each process that ``events`` are about, in that order, and at none that ended meanwhile."""
        waiting: dict[int, int] = {}
        """PID to that of the parent, 0 if it was not forked just now."""
        for kind, pid, parent in events:
            if kind == "exit":
                waiting.pop(pid, None)
                self._in_trees.discard(pid)
                self._denied.pop(pid, None)
            elif kind == "fork":
                waiting[pid] = parent
            else:
                waiting.setdefault(pid, 0)
        for pid, parent in waiting.items():
            if parent in self._in_trees:
                self._in_trees.add(pid)
            self._look_at(pid)

    def _look_at(self, pid: int) -> None:
        rules = self._sieve.rules_for(pid, pid in self._in_trees)
        if pid not in self._in_trees and any(rule.scope == "tree" for rule in rules):
            self._in_trees.add(pid)
            for child in self._procfs.children(pid):  # it may have had some before it became what it is
                self._in_trees.add(child)
                self._look_at(child)
        decision = decide(rules, self._with_kin(pid), self._procfs).get(pid) if rules else None
        if decision is not None:
            self._carry_out(decision)

    def _with_kin(self, pid: int) -> list[Task]:
        """Return the process and whom a scope asks about: its parent, with trees everyone above."""
        found: list[Task] = []
        while (task := identity(self._procfs, pid)) is not None:
            found.append(task)
            pid = task.ppid
            if pid == 0 or (len(found) == 2 and not self._trees):
                break
        return found

    def _carry_out(self, decision: Decision) -> None:
        if not decision.differs or self._denied.get(decision.task.pid) == decision.task.start_ticks:
            return
        change = write_adj(self._procfs, decision.task, decision.rule.adj)
        if change.status == "denied":
            self._denied[decision.task.pid] = decision.task.start_ticks
        if change.status in ("changed", "denied"):
            self._report(decision, change)


class _Sieve:
    """Tells cheaply which rules can match a process: for most that start, none."""

    def __init__(self, procfs: Procfs, rules: Sequence[Rule]) -> None:
        self._procfs = procfs
        self._rules = rules
        self._needs_uid = any(target.kind == "user" for rule in rules for target in rule.targets)
        self._compile()

    def _compile(self) -> None:
        self._matchers: list[tuple[Rule, list[Callable[[Task], bool]]]] = []
        self._retry_at: float | None = None
        for rule in self._rules:
            matchers = []
            for target in rule.targets:
                try:
                    matchers.append(matcher(target, self._procfs))
                except ImpossibleHere:  # a cgroup that may come
                    self._retry_at = time.monotonic() + _RETRY_SECONDS
            self._matchers.append((rule, matchers))

    def rules_for(self, pid: int, in_tree: bool) -> list[Rule]:
        """Return what can decide about ``pid``: the first rule that matches it, and those for trees it may be in."""
        task = first_look(self._procfs, pid, self._needs_uid)
        if task is None:
            return []
        if self._retry_at is not None and time.monotonic() >= self._retry_at:
            self._compile()
        found: list[Rule] = []
        is_decided = False
        for rule, matchers in self._matchers:
            is_tree = rule.scope == "tree"
            if is_decided and not is_tree:
                continue
            if (in_tree and is_tree) or any(match(task) for match in matchers):
                found.append(rule)
                is_decided = is_decided or not is_tree
        return found
