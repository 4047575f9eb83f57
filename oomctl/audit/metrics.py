"""What monitoring is told in numbers: whom the kernel would take, how sure that is, and what the checks found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from oomctl.audit.catalogue import IDS
from oomctl.audit.facts import Look
from oomctl.model.audit import Finding, Severity
from oomctl.model.kernel import Certainty, Outcome, Round, Scenario
from oomctl.model.listing import Details
from oomctl.model.metrics import Family, Sample

MACHINE = "machine"


class Scope(NamedTuple):
    """A memory that may run out, and what the kernel would do then."""

    name: str
    """``machine``, or the path of a memory cgroup."""
    scenario: Scenario
    result: Round
    victim: Details
    """Of the victim; empty without one."""
    left_bytes: int | None


class Precious(NamedTuple):
    """What was named as not to be lost, and where it stands."""

    name: str
    dies_next: bool
    rank: int | None
    """Of the first of those processes that would die; None where none can be killed, or is there."""


class Run(NamedTuple):
    """This run of oomctl."""

    ended: float
    """Seconds since the epoch."""
    seconds: float
    version: str


def families(
    look: Look, scopes: Sequence[Scope], precious: Sequence[Precious], found: Sequence[Finding], run: Run, names: bool
) -> Iterator[Family]:
    """Yield every family of metrics; ``names``: with those of processes and units."""
    yield from _predictions(scopes, names)
    yield _states(look)
    yield _family(
        "oomctl_precious_dies_next",
        "Whether a process of this name is among those who would be killed next.",
        [Sample(int(one.dies_next), {"name": one.name}) for one in precious],
    )
    yield _family(
        "oomctl_precious_rank",
        "Place in the order in which the kernel would kill, 1 is next; of the first process of this name.",
        [Sample(one.rank, {"name": one.name}) for one in precious if one.rank is not None],
    )
    if look.policy is not None and not look.policy.broken:
        drifted = [Sample(len(look.policy.drifted))]
        yield _family("oomctl_policy_drift_processes", "Processes that have not what the policy says.", drifted)
    yield from _findings(found)
    yield _family(
        "oomctl_last_run_timestamp_seconds", "When these numbers were gathered.", [Sample(round(run.ended, 3))]
    )
    yield _family("oomctl_run_duration_seconds", "How long that took.", [Sample(round(run.seconds, 3))])
    labels = {"version": run.version, "kernel": look.scenario.kernel}
    yield _family("oomctl_build_info", "The version of oomctl, and the kernel that it asked.", [Sample(1, labels)])


def _predictions(scopes: Sequence[Scope], names: bool) -> Iterator[Family]:
    outcomes = [
        Sample(int(scope.result.outcome is outcome), {"scope": scope.name, "outcome": outcome.value})
        for scope in scopes
        for outcome in Outcome
    ]
    yield _family("oomctl_outcome", "How it would end if this memory ran out now: 1 for one of them.", outcomes)
    certain = [
        Sample(int(scope.result.certainty is Certainty.CERTAIN), {"scope": scope.name})
        for scope in scopes
        if scope.result.victim is not None
    ]
    yield _family("oomctl_prediction_certain", "Whether nobody else can be the next victim.", certain)
    if names:
        victims = [
            Sample(1, {"scope": scope.name, "comm": scope.result.victim.task.comm, "unit": scope.victim.unit or ""})
            for scope in scopes
            if scope.result.victim is not None
        ]
        yield _family("oomctl_next_victim_info", "Whom the kernel would kill next.", victims)
    yield from _sizes(scopes)


def _sizes(scopes: Sequence[Scope]) -> Iterator[Family]:
    helps = {
        "oomctl_next_victim_badness_bytes": "What the kernel judges the next victim by.",
        "oomctl_next_victim_freed_bytes": "What its death would free.",
        "oomctl_next_victim_oom_score_adj": "The oom_score_adj of the next victim.",
        "oomctl_margin_bytes": "How far the next victim is ahead of the second.",
        "oomctl_limit_left_bytes": "What is left before this memory runs out; page cache and free swap count as left.",
    }
    numbers = {scope.name: _numbers(scope) for scope in scopes}
    for name, help_ in helps.items():
        samples = [
            Sample(value, {"scope": scope}) for scope, known in numbers.items() if (value := known[name]) is not None
        ]
        yield _family(name, help_, samples)


def _numbers(scope: Scope) -> Mapping[str, int | None]:
    result, page = scope.result, scope.scenario.page_size
    victim, margin = result.victim, result.margin_pages
    return {
        "oomctl_next_victim_badness_bytes": None if victim is None else victim.badness * page,
        "oomctl_next_victim_freed_bytes": None if victim is None else result.freed_pages * page,
        "oomctl_next_victim_oom_score_adj": None if victim is None else victim.task.adj,
        "oomctl_margin_bytes": None if margin is None else margin * page,
        "oomctl_limit_left_bytes": scope.left_bytes,
    }


def _states(look: Look) -> Family:
    scenario, result = look.scenario, look.result
    counts = {
        "killable": len(result.ranking) + scenario.unread_candidates,
        "unkillable": len(result.spared) + scenario.unread_unkillable,
        "protected": sum(one.adj < 0 for one in look.roll.listed),
        "hidden": scenario.hidden,
    }
    help_ = "Processes by what the kernel may do to them; protected have an adj below 0, and are counted above as well."
    return _family("oomctl_processes", help_, [Sample(number, {"state": state}) for state, number in counts.items()])


def _findings(found: Sequence[Finding]) -> Iterator[Family]:
    severities = [finding.severity for finding in found]
    by_severity = [Sample(severities.count(severity), {"severity": severity.value}) for severity in Severity]
    yield _family("oomctl_check_findings", "What oomctl check finds, by severity.", by_severity)
    ids = {finding.id for finding in found}
    by_id = [Sample(int(check in ids), {"id": check}) for check in IDS]
    yield _family("oomctl_check_finding", "Whether this check finds something.", by_id)


def _family(name: str, help_: str, samples: Sequence[Sample]) -> Family:
    return Family(name, help_, tuple(samples))
