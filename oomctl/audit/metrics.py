"""What monitoring is told in numbers: whom the kernel would take, how sure that is, and what the checks found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from oomctl.audit.catalogue import AT_ONCE
from oomctl.audit.facts import Look
from oomctl.model.audit import Finding, Severity
from oomctl.model.kernel import Candidate, Certainty, Outcome, Round, Scenario
from oomctl.model.listing import Details
from oomctl.model.metrics import Family, Sample
from oomctl.pods import Named

MACHINE = "machine"
MEANINGS = {
    "oomctl_outcome": "How it would end if this memory ran out now: 1 for one of them.",
    "oomctl_prediction_certain": "Whether nobody else can be the next victim.",
    "oomctl_next_victim_info": "Whom the kernel would kill next.",
    "oomctl_next_victim_badness_bytes": "What the kernel judges the next victim by.",
    "oomctl_next_victim_freed_bytes": "What its death would free.",
    "oomctl_next_victim_oom_score_adj": "The oom_score_adj of the next victim.",
    "oomctl_margin_bytes": "How far the next victim is ahead of the second.",
    "oomctl_limit_left_bytes": "What is left before this memory runs out; page cache and free swap count as left.",
    "oomctl_processes": "Processes by state; those with an adj below 0 are protected, and killable or not as well.",
    "oomctl_precious_dies_next": "Whether a process of this name is among those who would be killed next.",
    "oomctl_precious_rank": "Place in the order in which the kernel would kill, 1 is next; the first of this name.",
    "oomctl_policy_drift_processes": "Processes that have not what the policy says.",
    "oomctl_check_findings": "What oomctl check finds, by severity.",
    "oomctl_check_finding": "Whether this check finds something.",
    "oomctl_last_run_timestamp_seconds": "When these numbers were gathered.",
    "oomctl_run_duration_seconds": "How long that took.",
    "oomctl_build_info": "The version of oomctl, and the kernel that it asked.",
}
"""Every family, in the order in which they are told. Names are an interface: they only grow."""


class Scope(NamedTuple):
    """A memory that may run out, and what the kernel would do then."""

    name: str
    """``machine``, or the path of a memory cgroup."""
    scenario: Scenario
    result: Round
    victim: Details
    """Of the victim; empty without one."""
    left_bytes: int | None
    pod: Named | None = None
    """What the pod is called whose memory it is; None: it is none, or that is not to be told."""
    victims_pod: Named | None = None


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
    """Yield every family of metrics; ``names``: with those of processes and units. One without samples is not known."""
    samples = {
        **_predictions(scopes, names),
        "oomctl_processes": _states(look),
        **_precious(precious),
        "oomctl_policy_drift_processes": _drift(look),
        **_findings(found),
        "oomctl_last_run_timestamp_seconds": [Sample(round(run.ended, 3))],
        "oomctl_run_duration_seconds": [Sample(round(run.seconds, 3))],
        "oomctl_build_info": [Sample(1, {"version": run.version, "kernel": look.scenario.kernel})],
    }
    for name, meaning in MEANINGS.items():
        yield Family(name, meaning, tuple(samples[name]))


def _predictions(scopes: Sequence[Scope], names: bool) -> dict[str, list[Sample]]:
    victims = [scope for scope in scopes if scope.result.victim is not None]
    told = {
        "oomctl_outcome": [
            Sample(int(scope.result.outcome is outcome), {**_scope(scope), "outcome": outcome.value})
            for scope in scopes
            for outcome in Outcome
        ],
        "oomctl_prediction_certain": [
            Sample(int(scope.result.certainty is Certainty.CERTAIN), _scope(scope)) for scope in victims
        ],
        "oomctl_next_victim_info": [
            Sample(1, _victim(scope, scope.result.victim)) for scope in victims if scope.result.victim and names
        ],
    }
    for name, number in _NUMBERS.items():
        known = [(scope, number(scope)) for scope in scopes]
        told[name] = [Sample(value, _scope(scope)) for scope, value in known if value is not None]
    return told


def _scope(scope: Scope) -> dict[str, str]:
    return {"scope": scope.name, **_pod(scope.pod)}


def _victim(scope: Scope, victim: Candidate) -> dict[str, str]:
    called = {"comm": victim.task.comm, "unit": scope.victim.unit or ""}
    return {"scope": scope.name, **called, **_pod(scope.victims_pod)}


def _pod(pod: Named | None) -> dict[str, str]:
    """Return the labels by which kubelet and kube-state-metrics know it."""
    if pod is None:
        return {}
    inside = {} if pod.container is None else {"container": pod.container}
    return {"namespace": pod.namespace, "pod": pod.name, **inside}


def _badness(scope: Scope) -> int | None:
    victim = scope.result.victim
    return None if victim is None else victim.badness * scope.scenario.page_size


def _freed(scope: Scope) -> int | None:
    return None if scope.result.victim is None else scope.result.freed_pages * scope.scenario.page_size


def _adj(scope: Scope) -> int | None:
    return None if scope.result.victim is None else scope.result.victim.task.adj


def _margin(scope: Scope) -> int | None:
    margin = scope.result.margin_pages
    return None if margin is None else margin * scope.scenario.page_size


_NUMBERS: dict[str, Callable[[Scope], int | None]] = {
    "oomctl_next_victim_badness_bytes": _badness,
    "oomctl_next_victim_freed_bytes": _freed,
    "oomctl_next_victim_oom_score_adj": _adj,
    "oomctl_margin_bytes": _margin,
    "oomctl_limit_left_bytes": lambda scope: scope.left_bytes,
}


def _states(look: Look) -> list[Sample]:
    scenario, result = look.scenario, look.result
    counts = {
        "killable": len(result.ranking) + scenario.unread_candidates,
        "unkillable": len(result.spared) + scenario.unread_unkillable,
        "protected": sum(one.adj < 0 for one in look.roll.listed),
        "hidden": scenario.hidden,
    }
    return [Sample(number, {"state": state}) for state, number in counts.items()]


def _precious(precious: Sequence[Precious]) -> dict[str, list[Sample]]:
    return {
        "oomctl_precious_dies_next": [Sample(int(one.dies_next), {"name": one.name}) for one in precious],
        "oomctl_precious_rank": [Sample(one.rank, {"name": one.name}) for one in precious if one.rank is not None],
    }


def _drift(look: Look) -> list[Sample]:
    return [] if look.policy is None or look.policy.broken else [Sample(len(look.policy.drifted))]


def _findings(found: Sequence[Finding]) -> dict[str, list[Sample]]:
    severities = [finding.severity for finding in found]
    ids = {finding.id for finding in found}
    return {
        "oomctl_check_findings": [
            Sample(severities.count(severity), {"severity": severity.value}) for severity in Severity
        ],
        "oomctl_check_finding": [Sample(int(check in ids), {"id": check}) for check in AT_ONCE],
    }
