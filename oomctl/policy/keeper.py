"""Keeps a policy true: looks at a process when something happened to it, and at all of them now and then."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from oomctl.errors import ImpossibleHere
from oomctl.model.changes import Change, Status
from oomctl.model.kernel import Task
from oomctl.policy.decision import Decision, decide
from oomctl.policy.events import Event
from oomctl.policy.forest import Forest
from oomctl.policy.line import Line
from oomctl.policy.rule import Rule, RuleScope
from oomctl.procfs.details import user_name
from oomctl.procfs.glimpse import glimpse, owner, whole_identity
from oomctl.procfs.opening import is_pid
from oomctl.procfs.reader import Procfs
from oomctl.procfs.writer import set_floor, write_adj
from oomctl.targets.matching import matcher
from oomctl.targets.words import Target, TargetKind

Report = Callable[[Decision, Change], None]
_RETRY_SECONDS = 1.0
_AT_ONCE = 128
"""Processes between two looks at what has happened meanwhile: some 10 ms, 50 ms if rules match all of them."""
_NEW_FOR = 4
"""Looks for which a process is new: it is forked, takes a user and a name, executes something."""


class Keeper:
    """Applies ``rules`` and calls ``report`` for each value that it changed, or was not permitted to change.

    What is to be looked at waits in line. A look raises OSError where there are no descriptors or no memory for it;
    whom it was about is lost then, and ``look_at_all`` makes up for it.
    """

    def __init__(self, procfs: Procfs, rules: Sequence[Rule], report: Report) -> None:
        self._procfs = procfs
        self._rules = rules
        self._report = report
        self._sieve = _Sieve(procfs, rules)
        self._forest = Forest() if any(rule.scope is RuleScope.TREE for rule in rules) else None
        self._line = Line()
        self._not_yet: set[int] = set()
        """Of those that the last look at all put in line, whose turn has not come."""
        self._looks: dict[int, int] = {}
        """How often each living process was looked at."""
        self._denied: dict[int, int] = {}
        """PID and start time of those that could not be written, so that this is said once."""
        self._floors: dict[int, tuple[int, int]] = {}
        """PID to start time and value of those whose value was written here, not only found there."""

    @property
    def busy(self) -> bool:
        """Whether anything is in line."""
        return len(self._line) > 0

    @property
    def has_seen_all(self) -> bool:
        """Whether everyone has been looked at since ``look_at_all``, whoever may be in line again by now."""
        return not self._not_yet

    def look_at_all(self) -> None:
        """Put every process in line, and forget those that are gone."""
        user_name.cache_clear()  # users are added while a service runs
        self._sieve.look_for_cgroups()
        living = {int(name) for name in os.listdir(self._procfs.root) if is_pid(name)}
        for pid in self._looks.keys() - living:
            self._forget(pid)
        for pid in sorted(living):  # parents mostly before their children
            self._queue(pid)
        self._not_yet = {pid for pid in living if pid in self._line}

    def hear(self, events: Iterable[Event]) -> None:
        """Put in line whom ``events`` are about."""
        for kind, pid, _ in events:
            if kind == "exit":
                was_in_line = pid in self._line
                self._forget(pid)
                if was_in_line:  # only its first thread may have ended, which is no way out of the policy
                    self._queue(pid)
            else:
                if kind == "fork":
                    self._looks.pop(pid, None)
                self._queue(pid)

    def work(self, stop: Callable[[], bool]) -> None:
        """Look at some of those in line; return early when ``stop`` says so."""
        matches: dict[int, _Match] = {}
        for pid in self._line.take(_AT_ONCE):
            if stop():
                return
            self._not_yet.discard(pid)
            match = self._first_look(pid)
            if match is not None:
                matches[pid] = match
        for pid, match in matches.items():
            if stop():
                return
            self._settle(pid, match)

    def _queue(self, pid: int) -> None:
        if pid in self._line:
            return
        user = owner(self._procfs, pid)
        if user is not None:
            self._line.put(pid, user, self._looks.get(pid, 0) < _NEW_FOR)

    def _forget(self, pid: int) -> None:
        self._line.drop(pid)
        self._not_yet.discard(pid)
        self._looks.pop(pid, None)
        self._denied.pop(pid, None)
        self._floors.pop(pid, None)
        if self._forest is not None:
            for child in self._forest.drop(pid):  # it has another parent now
                self._queue(child)

    def _first_look(self, pid: int) -> _Match | None:
        """Find out which rules can decide about a process; None where it is gone or, surely, none can."""
        match = self._sieve.match(pid)
        if match is None:
            self._forget(pid)
            return None
        self._looks[pid] = self._looks.get(pid, 0) + 1
        if self._forest is None:
            return match if match.rules else None
        self._place(pid, match, self._forest)
        return match

    def _place(self, pid: int, match: _Match, forest: Forest) -> None:
        """Note where in the forest a process is, and whoever above it is not known yet."""
        while True:
            for below in forest.put(pid, match.parent, match.trees):
                self._queue(below)
            pid = match.parent
            above = self._sieve.match(pid) if pid and pid not in forest else None
            if above is None:
                return
            self._looks.setdefault(pid, 0)
            match = above

    def _settle(self, pid: int, match: _Match) -> None:
        """Read who a process is, decide about it and write its value: everything that concerns one process."""
        nearest = self._forest.nearest(pid) if self._forest is not None else {}
        rules = self._sieve.rules(match, nearest)
        if not rules:
            return
        with self._procfs.held([pid]):  # whoever takes this PID over meanwhile is another process
            decision = decide(rules, self._with_kin(pid, nearest.values()), self._procfs).get(pid)
            if decision is not None and decision.differs:
                self._write(decision)
            elif decision is not None and decision.sets_floor:
                self._set_floor(decision)

    def _with_kin(self, pid: int, heads: Iterable[int]) -> list[Task]:
        """Return the process and whom a scope asks about: its parent, and the ``heads`` of the trees it is in.

        These stand in a row as if each were the next one's child: who is in between does not matter.
        """
        own = whole_identity(self._procfs, pid)
        parent = whole_identity(self._procfs, own.ppid) if own is not None and own.ppid else None
        if own is None or parent is None:
            return [] if own is None else [own]
        others = dict.fromkeys(head for head in heads if head not in (pid, parent.pid))
        row = [own, parent, *filter(None, (whole_identity(self._procfs, head) for head in others))]
        return [task._replace(ppid=above.pid) for task, above in zip(row, row[1:])] + row[-1:]

    def _write(self, decision: Decision) -> None:
        task, adj = decision.task, decision.rule.adj
        if self._denied.get(task.pid) == task.start_ticks:
            return
        change = write_adj(self._procfs, task, adj)
        if change.status is Status.DENIED:
            self._denied[task.pid] = task.start_ticks
        if change.status is Status.CHANGED:
            self._floors[task.pid] = (task.start_ticks, adj)
        if change.status in (Status.CHANGED, Status.DENIED):
            self._report(decision, change)

    def _set_floor(self, decision: Decision) -> None:
        """Write a value that is there already, once."""
        task, adj = decision.task, decision.rule.adj
        if self._floors.get(task.pid) != (task.start_ticks, adj):
            self._floors[task.pid] = (task.start_ticks, adj)
            set_floor(self._procfs, task, adj)


class _Match(NamedTuple):
    """What the targets alone say of a process."""

    rules: frozenset[int]
    """Numbers of those that match it."""
    trees: frozenset[int]
    """Numbers of the targets of ``tree`` rules that do."""
    parent: int


class _Entry(NamedTuple):
    rule: int
    matches: Callable[[Task], bool]
    tree: int | None
    """Number of the target, if its rule is for trees."""


class _Sieve:
    """Tells cheaply which rules can match a process: for most that start, none."""

    def __init__(self, procfs: Procfs, rules: Sequence[Rule]) -> None:
        self._procfs = procfs
        self._rules = rules
        self._needs_uid = any(
            target.kind in (TargetKind.USER, TargetKind.CMD) for rule in rules for target in rule.targets
        )
        numbered = [(number, target) for number, rule in enumerate(rules) for target in rule.targets]
        self._rule_of_tree = [number for number, _ in numbered if rules[number].scope is RuleScope.TREE]
        self._numbered: Sequence[tuple[int, Target]] = numbered
        self._compile()

    def _compile(self) -> None:
        self._entries: list[_Entry] = []
        self._retry_at: float | None = None
        trees = 0
        for number, target in self._numbered:
            tree = None
            if self._rules[number].scope is RuleScope.TREE:
                tree, trees = trees, trees + 1
            try:
                self._entries.append(_Entry(number, matcher(target, self._procfs), tree))
            except ImpossibleHere:  # a cgroup that may come
                self._retry_at = time.monotonic() + _RETRY_SECONDS

    def look_for_cgroups(self) -> None:
        """See whether those have come that were not there."""
        if self._retry_at is not None:
            self._compile()

    def match(self, pid: int) -> _Match | None:
        """Return what can be said of a process; None when it is gone or hidden. Raises OSError as ``glimpse`` does."""
        task = glimpse(self._procfs, pid, self._needs_uid, bool(self._rule_of_tree))
        if task is None:
            return None
        if self._retry_at is not None and time.monotonic() >= self._retry_at:
            self.look_for_cgroups()
        matching = [entry for entry in self._entries if entry.matches(task)]
        trees = frozenset(entry.tree for entry in matching if entry.tree is not None)
        return _Match(frozenset(entry.rule for entry in matching), trees, task.ppid)

    def rules(self, match: _Match, trees: Iterable[int]) -> list[Rule]:
        """Return those that can decide about a process that is in ``trees``, in their order."""
        return [self._rules[number] for number in sorted({*match.rules, *(self._rule_of_tree[tree] for tree in trees)})]
