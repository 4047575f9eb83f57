"""Checks of what was watched for a while: which limits are reached soon."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from oomctl.audit import remedies
from oomctl.audit.facts import Look
from oomctl.model.audit import Finding, Severity
from oomctl.model.trend import LimitForecast, Seconds
from oomctl.render.forecast import sentence

SOON_SECONDS = 3600.0
"""What is reached later is no finding."""
_CRITICAL_SECONDS = 300.0


def runs_out_soon(look: Look) -> Iterator[Finding]:
    """Yield the limits that are reached within an hour, by the middle of the interval in which that lies."""
    for one in look.forecasts:
        if one.left is None or one.left.mid > SOON_SECONDS:
            continue
        result = one.choice and one.choice.result
        concerned = [*result.killed, *result.contenders] if result else []
        victim = result.victim.task if result and result.victim else None
        yield Finding(
            "runs-out-soon",
            _severity(one.left),
            sentence(one, look.scenario.page_size),
            _remedy(look, one),
            # Its sizes here are those that it is going to have.
            process=victim and victim._replace(rss_pages=0, swap_pages=0, pgtables_pages=0),
            cgroup=one.limit.memcg,
            pids=frozenset(task.pid for task in (*concerned, *(grower.task for grower in one.growing))),
            forecast=one,
        )


def _severity(left: Seconds) -> Severity:
    """By the middle: of the low end one in forty comes true. Nobody is called for what may never come."""
    return Severity.CRITICAL if left.mid < _CRITICAL_SECONDS and left.high is not None else Severity.WARNING


def _remedy(look: Look, one: LimitForecast) -> str:
    """Return what lets a cgroup go on like that for an hour, if the machine has as much; else what tells more."""
    group = next((group for group in look.groups if group.path == one.limit.memcg), None)
    if group is not None and group.version == 2 and group.limit and one.rate and not remedies.is_of_a_person(group):
        more = remedies.more_than(round(one.rate.mid * SOON_SECONDS))
        if more <= min((other.limit.left_bytes for other in look.forecasts if other.limit.memcg is None), default=0):
            return remedies.raised_limit(look, group, group.limit + more)
    if one.growing:
        return remedies.of_pids("explain", [one.growing[0].task.pid])
    return "oomctl forecast" + (f" --cgroup {shlex.quote(one.limit.memcg)}" if one.limit.memcg else "")
