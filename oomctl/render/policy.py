"""What a policy says: its mistakes, what it would change, and which rule decides about a process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from oomctl.model.changes import WhyLeftAlone
from oomctl.render import refusals
from oomctl.render.document import json_line
from oomctl.render.text import aligned, count, named, visible


class MistakeLine(NamedTuple):
    """A mistake and where it stands."""

    file: str
    line: int | None
    severity: str
    message: str


class RuleLine(NamedTuple):
    """A rule as people and scripts see it."""

    file: str
    line: int | None
    target: tuple[str, ...]
    adj: int
    scope: str
    force: bool
    reason: str | None


class DistrustLine(NamedTuple):
    """A rule that left a process to later rules, and why."""

    rule: RuleLine
    reason: WhyLeftAlone

    def __str__(self) -> str:
        return f"{_place(self.rule)} leaves it to later rules: {refusals.left_alone(self.reason)}"


class Decided(NamedTuple):
    """One process and the rule that decides about it."""

    pid: int
    comm: str
    before: int
    rule: RuleLine | None
    left_alone: WhyLeftAlone | None = None
    distrusting: tuple[DistrustLine, ...] = ()


def check_document(rules: int, mistakes: Sequence[MistakeLine]) -> str:
    """Return the JSON document of ``policy check``."""
    entries = [mistake._asdict() for mistake in mistakes]
    return json_line({"schema": "oomctl.policy-check/1", "rules": rules, "mistakes": entries})


def check_text(rules: int, mistakes: Sequence[MistakeLine]) -> str:
    """Return the same for people: a line for each mistake, or that there is none."""
    lines = []
    for file, line, severity, message in mistakes:
        where = file if line is None else f"{file}:{line}"
        lines.append(visible(f"{where}: {'warning: ' if severity == 'warning' else ''}{message}"))
    return "".join(line + "\n" for line in lines) or f"{count(rules, 'rule')}, no mistakes\n"


def diff_document(differing: Sequence[Decided], hidden: int) -> str:
    """Return the JSON document of ``policy diff``."""
    changes = [_entry(entry) for entry in differing]
    return json_line({"schema": "oomctl.policy-diff/1", "hidden_processes": hidden, "changes": changes})


_DIFF_TITLES = ["PID", "COMMAND", "ADJ", "RULE"]


def diff_text(differing: Sequence[Decided]) -> str:
    """Titles, and a line for each process that has another value than the policy says; empty without any."""
    if not differing:
        return ""
    rows = [_DIFF_TITLES]
    for pid, comm, before, rule, _, distrusting in differing:
        assert rule is not None  # noqa: S101 - for mypy: nothing differs without a rule
        why = "; ".join((_place(rule) + _because(rule), *map(str, distrusting)))
        rows.append([str(pid), visible(comm), f"{before} -> {rule.adj}", visible(why)])
    return aligned(rows, [True, False, False, False]) + "\n"


def explain_document(entries: Sequence[Decided]) -> str:
    """Return the JSON document of ``policy explain``."""
    return json_line({"schema": "oomctl.policy-explain/1", "processes": [_entry(entry) for entry in entries]})


def explain_text(entries: Sequence[Decided]) -> str:
    """Return the same for people, a few lines for each process."""
    return "".join(_explained(entry) for entry in entries)


def _explained(entry: Decided) -> str:
    head = f"{named(entry)}: oom_score_adj is {entry.before}"
    rule = entry.rule
    if rule is None:
        return f"{head}; no rule matches it\n"
    says = f"left alone: {refusals.left_alone(entry.left_alone)}" if entry.left_alone else f"the policy says {rule.adj}"
    target = ", ".join(visible(word) for word in rule.target)
    forced = ", force" if rule.force else ""
    trusting = " and trusts it" if entry.distrusting else ""
    lines = [
        f"{head}, {says}",
        f"  rule    {visible(_place(rule))}, the first that matches{trusting}",
        f"  target  {target}, scope {rule.scope}{forced}",
    ]
    if rule.reason:
        lines.append(f"  reason  {visible(rule.reason)}")
    lines += [f"  passed  {visible(str(distrust))}" for distrust in entry.distrusting]
    return "".join(line + "\n" for line in lines)


def _entry(entry: Decided) -> dict[str, object]:
    rule = entry.rule
    after = entry.before if rule is None or entry.left_alone else rule.adj
    return {
        "pid": entry.pid,
        "comm": entry.comm,
        "before": entry.before,
        "after": after,
        "left_alone": entry.left_alone and refusals.left_alone(entry.left_alone),
        "rule": rule and rule._asdict(),
        "distrusting": [
            {"rule": rule._asdict(), "reason": refusals.left_alone(reason)} for rule, reason in entry.distrusting
        ],
    }


def _place(rule: RuleLine) -> str:
    return rule.file if rule.line is None else f"{rule.file}:{rule.line}"


def _because(rule: RuleLine) -> str:
    return f" ({rule.reason})" if rule.reason else ""
