"""Which rules can never decide anything, because every process they mean is another rule's already."""

from __future__ import annotations

import functools
import os.path
from collections.abc import Sequence

from oomctl.kernel.badness import ADJ_MAX
from oomctl.kernel.constraint import below
from oomctl.policy.rule import Mistake, Rule
from oomctl.targets.trust import DOUBTFUL
from oomctl.targets.words import Target, TargetKind

_MOST_COMPARISONS = 50_000
_LONGEST_NAME = 255  # NAME_MAX of include/uapi/linux/limits.h: no program is called more
_WILDCARDS = set("*?")


def unreachable(rules: Sequence[Rule]) -> list[Mistake]:
    """Return a warning for each rule whose every target is covered by an earlier rule.

    Only what follows from the words alone: two regular expressions that mean the same stay unnoticed. So does what
    is found only after very many comparisons: a policy may have thousands of rules.
    """
    warnings = []
    earlier = _Earlier()
    for rule in rules:
        covers = [earlier.covering(rule, target) for target in rule.targets]
        if covers and None not in covers:
            places = ", ".join(dict.fromkeys(f"{cover.place}" for cover in covers if cover is not None))
            message = f"rule {' '.join(target.word for target in rule.targets)} never matches: {places} covers it"
            warnings.append(Mistake(rule.place, message, "warning"))
        earlier.add(rule)
    return warnings


class _Earlier:
    """The rules so far, by what they can cover."""

    def __init__(self) -> None:
        self._same: dict[tuple[TargetKind, str], list[tuple[int, Rule, Target]]] = {}
        """By kind and value: most rules name something, and cover only what names the same."""
        self._wider: list[tuple[int, Rule, Target]] = []
        self._rules = 0
        self._left = _MOST_COMPARISONS

    def add(self, rule: Rule) -> None:
        for target in rule.targets:
            entry = (self._rules, rule, target)
            self._same.setdefault((target.kind, target.value), []).append(entry)
            if target.kind is TargetKind.CGROUP or (target.kind is TargetKind.NAME and _WILDCARDS & set(target.value)):
                self._wider.append(entry)
        self._rules += 1

    def covering(self, rule: Rule, target: Target) -> Rule | None:
        """Return the first rule that decides about everything that ``target`` of ``rule`` matches."""
        covers: list[tuple[int, Rule]] = []
        for entries in (self._same.get((target.kind, target.value), []), self._wider):
            for number, above, wider in entries:
                self._left -= 1
                if self._left < 0:
                    return None
                if _keeps(above, wider, rule, target) and _covers(wider, target):
                    covers.append((number, above))
                    break
        return min(covers, key=lambda entry: entry[0])[1] if covers else None


def _keeps(above: Rule, wider: Target, rule: Rule, target: Target) -> bool:
    """Whether ``above`` leaves nothing of what ``wider`` matches to ``rule``: whom it distrusts it does not decide.

    It distrusts only whom it would lower. What it distrusts is no gain for a rule that distrusts the same.
    """
    if above.force or above.adj == ADJ_MAX or wider.kind not in DOUBTFUL:
        return True
    return wider.kind == target.kind and rule.adj <= above.adj and not rule.force


def _covers(wider: Target, target: Target) -> bool:
    """Whether every process that ``target`` matches is certain to match ``wider``."""
    if wider.value == target.value and wider.kind == target.kind:
        return True
    if wider.kind is TargetKind.NAME and set(wider.value) == {"*"}:
        return True
    if wider.kind != target.kind:
        return False
    if target.kind is TargetKind.NAME:
        return max(len(wider.value), len(target.value)) <= _LONGEST_NAME and _pattern_covers(wider.value, target.value)
    return target.kind is TargetKind.CGROUP and below(_normal(target.value), _normal(wider.value))


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
    ends = set(places)
    for place in places:
        while pattern[place : place + 1] == "*":
            place += 1  # noqa: PLW2901 - walks on
            ends.add(place)
    return ends


def _normal(cgroup: str) -> str:
    return os.path.normpath("/" + cgroup.strip("/"))
