"""Which rules can never decide anything, because every process they mean is another rule's already."""

from __future__ import annotations

import functools
import os.path
from collections.abc import Sequence

from oomctl.kernel.badness import ADJ_MAX
from oomctl.kernel.constraint import below
from oomctl.policy.rules import Mistake, Rule
from oomctl.targets import Target

_DISTRUSTED = ("name", "cmd", "unit")
"""Kinds of targets that somebody can pretend to be."""


def unreachable(rules: Sequence[Rule]) -> list[Mistake]:
    """Return a warning for each rule whose every target is covered by an earlier rule.

    Only what follows from the words alone: two regular expressions that mean the same stay unnoticed.
    """
    found = []
    for index, rule in enumerate(rules):
        covers = [_covering(rule, target, rules[:index]) for target in rule.targets]
        if covers and None not in covers:
            places = ", ".join(dict.fromkeys(f"{cover.place}" for cover in covers if cover is not None))
            message = f"rule {' '.join(target.word for target in rule.targets)} never matches: {places} covers it"
            found.append(Mistake(rule.place, message, "warning"))
    return found


def _covering(rule: Rule, target: Target, earlier: Sequence[Rule]) -> Rule | None:
    return next(
        (
            above
            for above in earlier
            if any(_covers(wider, target) and _keeps(above, wider, rule, target) for wider in above.targets)
        ),
        None,
    )


def _keeps(above: Rule, wider: Target, rule: Rule, target: Target) -> bool:
    """Whether ``above`` leaves nothing of what ``wider`` matches to ``rule``: whom it distrusts it does not decide.

    It distrusts only whom it would lower. What it distrusts is no gain for a rule that distrusts the same.
    """
    if above.force or above.adj == ADJ_MAX or wider.kind not in _DISTRUSTED:
        return True
    return wider.kind == target.kind and rule.adj <= above.adj and not rule.force


def _covers(wider: Target, target: Target) -> bool:
    """Whether every process that ``target`` matches is certain to match ``wider``."""
    if wider.kind == "name" and set(wider.value) == {"*"}:
        return True
    if wider.kind != target.kind:
        return False
    if target.kind == "name":
        return _pattern_covers(wider.value, target.value)
    if target.kind == "cgroup":
        return below(_normal(target.value), _normal(wider.value))
    return wider.value == target.value


@functools.lru_cache(maxsize=4096)
def _pattern_covers(wider: str, narrower: str) -> bool:
    """Whether ``wider`` matches all that ``narrower`` does; a wildcard of the latter needs one to meet it."""
    reached = {0}
    """Positions in ``wider`` that can have been reached."""
    for char in narrower:
        reached = _past_stars(wider, reached)
        following = {place for place in reached if wider[place : place + 1] == "*"}
        if char != "*":
            following |= {place + 1 for place in reached if wider[place : place + 1] in (char, "?")}
        reached = following
    return len(wider) in _past_stars(wider, reached)


def _past_stars(pattern: str, places: set[int]) -> set[int]:
    """A star may also stand for nothing."""
    found = set(places)
    for place in places:
        while pattern[place : place + 1] == "*":
            place += 1  # noqa: PLW2901 - walks on
            found.add(place)
    return found


def _normal(cgroup: str) -> str:
    return os.path.normpath("/" + cgroup.strip("/"))
