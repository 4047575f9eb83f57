"""What a policy is: rules of target and ``oom_score_adj``, the first that matches a process decides."""

from __future__ import annotations

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


class Rule(NamedTuple):
    """One ``[[rule]]`` of a file."""

    place: Place
    targets: tuple[Target, ...]
    adj: int
    scope: str = "root"
    """root, all or tree: what ``--all`` and ``--tree`` say to ``oomctl set``."""
    force: bool = False
    """Also login sessions, PID 1, and processes of login users that only have the name."""
    reason: str | None = None

    def meant(self) -> Scope:
        """Return the scope that ``oomctl set`` would be given for it."""
        return Scope(everyone=self.scope == "all", tree=self.scope == "tree", any_user=self.force, force=self.force)


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

    @property
    def errors(self) -> list[Mistake]:
        """Return the mistakes for which nothing is done by these files."""
        return [mistake for mistake in self.mistakes if mistake.severity == "error"]
