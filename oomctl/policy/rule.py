"""What a policy is: rules of target and ``oom_score_adj``, the first that matches a process decides."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from oomctl.targets.selection import Scope
from oomctl.targets.words import Target


class Place(NamedTuple):
    """Where in which file something stands."""

    path: str
    line: int | None = None
    """Counted from 1; None where the whole file is meant."""

    def __str__(self) -> str:
        return self.path if self.line is None else f"{self.path}:{self.line}"


class RuleScope(str, Enum):
    """Which of the processes that a target matches a rule means."""

    ROOT = "root"
    ALL = "all"
    """What ``--all`` says to ``oomctl set``."""
    TREE = "tree"
    """What ``--tree`` says."""


class Rule(NamedTuple):
    """One ``[[rule]]`` of a file."""

    place: Place
    targets: tuple[Target, ...]
    adj: int
    scope: RuleScope = RuleScope.ROOT
    force: bool = False
    """Also login sessions, PID 1, and processes of login users that only have the name."""
    reason: str | None = None

    def meant(self) -> Scope:
        """Return the scope that ``oomctl set`` would be given for it."""
        everyone, tree = self.scope is RuleScope.ALL, self.scope is RuleScope.TREE
        return Scope(everyone, tree, any_user=self.force, force=self.force)


class Mistake(NamedTuple):
    """Something wrong in a file, and what was expected there."""

    place: Place
    message: str
    severity: str = "error"
    """error: nothing is done by such a file. warning: it works, but probably not as meant."""

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class Policy(NamedTuple):
    """All rules of all files, in the order in which they are asked."""

    rules: tuple[Rule, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    precious: tuple[Target, ...] = ()
    """What ``oomctl check`` warns of when it would be killed next; nothing is set for it."""

    @property
    def errors(self) -> list[Mistake]:
        """Return the mistakes for which nothing is done by these files."""
        return [mistake for mistake in self.mistakes if mistake.severity == "error"]
