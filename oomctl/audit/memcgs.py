"""Checks of memory cgroups: in which nobody can be killed, or too many at once, and which are nearly full."""

from __future__ import annotations

from collections.abc import Iterator

from oomctl.audit import remedies
from oomctl.audit.facts import Look
from oomctl.kernel.badness import ADJ_MIN
from oomctl.model.audit import Enrolled, Finding, Group, Severity
from oomctl.render.cgroups import pod_or_path
from oomctl.render.text import count, named, size

_CONMON = "conmon"
"""Meant to be unkillable: it outlives the container that it watches."""


def memcg_unkillable(look: Look) -> Iterator[Finding]:
    """Yield the limited cgroups in which the killer finds nobody: who needs memory there waits in vain."""
    for group in look.groups:
        exempt = _exempt(look, group)
        if group.limit is not None and exempt and len(exempt) == len(group.pids):
            yield _finding(
                "memcg-unkillable",
                Severity.CRITICAL,
                f"nobody in {pod_or_path(group.path)} can be killed when its {size(group.limit)} are used up:"
                f" {_names(exempt)} at {ADJ_MIN}; whoever needs memory there tries in vain, again and again",
                group,
                exempt,
                look,
            )


def memcg_exempt(look: Look) -> Iterator[Finding]:
    """Yield who is exempt from the kills of its own limit while others are not."""
    for group in look.groups:
        exempt = [one for one in _exempt(look, group) if one.pid not in look.containers and one.comm != _CONMON]
        if group.limit is not None and exempt and len(exempt) < len(group.pids):
            yield _finding(
                "memcg-exempt",
                Severity.WARNING,
                f"{_names(exempt)} at {ADJ_MIN} in {pod_or_path(group.path)}: when its {size(group.limit)} are used"
                " up, everybody else there dies first",
                group,
                exempt,
                look,
            )


def group_survivor(look: Look) -> Iterator[Finding]:
    """Yield who would outlive a kill of its whole cgroup."""
    for group in look.groups:
        exempt = _exempt(look, group)
        if group.kills_as_one and exempt and len(exempt) < len(group.pids):
            yield _finding(
                "group-survivor",
                Severity.WARNING,
                f"{pod_or_path(group.path)} is killed as a whole (memory.oom.group), but for {_names(exempt)} at"
                f" {ADJ_MIN}",
                group,
                exempt,
                look,
            )


def group_blast(look: Look) -> Iterator[Finding]:
    """Yield the cgroups that die as a whole and hold a login, or very many processes."""
    for group in look.groups:
        number = len(group.pids)
        has_login = group.path in look.in_sessions
        if group.kills_as_one and (has_login or number > look.asked.thresholds.group_blast_processes):
            yield Finding(
                "group-blast",
                Severity.WARNING,
                f"a kill in {pod_or_path(group.path)} takes all {count(number, 'process', 'processes')} in it"
                f" (memory.oom.group){', a login session among them' if has_login else ''}; in a unit's file"
                " OOMPolicy=continue keeps that off",
                remedies.write("0", group, "memory.oom.group"),
                cgroup=group.path,
                pids=frozenset(group.pids),
            )


def container_unkillable(look: Look) -> Iterator[Finding]:
    """Yield the containers of which a process is at -1000: by mistake of their runtime, nearly always."""
    by_cgroup: dict[str, list[Enrolled]] = {}
    containers = look.containers
    for one in look.roll.listed:
        if one.adj == ADJ_MIN and one.comm != _CONMON and one.pid in containers:
            by_cgroup.setdefault(containers[one.pid], []).append(one)
    for cgroup, exempt in by_cgroup.items():
        pids = frozenset(one.pid for one in exempt)
        yield Finding(
            "container-unkillable",
            Severity.CRITICAL,
            f"{_container(cgroup)} cannot be killed: {_names(exempt)} at {ADJ_MIN}, which it got from a"
            " runtime that was protected itself; restart that, then the container",
            remedies.of_pids("reset", pids),
            process=next(one.task for one in look.suspects if one.task.pid in pids),
            cgroup=cgroup,
            pids=pids,
        )


def v1_oom_disabled(look: Look) -> Iterator[Finding]:
    """Yield the cgroups of v1 whose members hang instead of being killed."""
    for group in look.groups:
        if group.kill_disabled:
            yield Finding(
                "v1-oom-disabled",
                Severity.CRITICAL,
                f"{pod_or_path(group.path)} has oom_kill_disable: at its limit nobody is killed, and everybody who"
                " needs memory there hangs until something else frees some",
                remedies.write("0", group, "memory.oom_control"),
                cgroup=group.path,
                pids=frozenset(group.pids),
            )


def limit_near(look: Look) -> Iterator[Finding]:
    """Yield the cgroups that are nearly full of what reclaim cannot drop."""
    least = look.asked.thresholds.limit_near_percent
    for group in look.groups:
        if group.limit and not group.has_high and group.pids and group.used * 100 > group.limit * least:
            yield Finding(
                "limit-near",
                Severity.WARNING,
                f"{pod_or_path(group.path)} uses {size(group.used)} of {size(group.limit)}, page cache not counted,"
                " and nothing throttles it before somebody is killed",
                remedies.throttled(look, group)
                if remedies.is_of_a_person(group)
                else remedies.raised_limit(look, group, remedies.more_than(max(group.used, group.limit))),
                cgroup=group.path,
                pids=frozenset(group.pids),
            )


def java_heap(look: Look) -> Iterator[Finding]:
    """Yield the Java processes that may use more than their cgroup has."""
    for process, of_person, heap, group in look.heaps:
        if group.limit is not None and heap > group.limit:
            yield Finding(
                "java-heap",
                Severity.WARNING,
                f"{named(process)} may have a heap of {size(heap)} (-Xmx), and its {pod_or_path(group.path)} has"
                f" {size(group.limit)}: it is killed before Java collects its garbage; a lower -Xmx mends that, too",
                # Who asks for more does not get it by that.
                None
                if of_person or remedies.is_of_a_person(group)
                else remedies.raised_limit(look, group, remedies.more_than(heap)),
                cgroup=group.path,
                pids=frozenset([process.pid]),
            )


def _exempt(look: Look, group: Group) -> list[Enrolled]:
    """Return the members of a cgroup that no kill can take."""
    members = frozenset(group.pids)
    return [one for one in look.roll.listed if one.adj == ADJ_MIN and one.pid in members and not one.zombie]


def _finding(check: str, severity: Severity, message: str, group: Group, exempt: list[Enrolled], look: Look) -> Finding:
    pids = frozenset(one.pid for one in exempt)
    return Finding(check, severity, message, remedies.nearly_protected(look, pids), cgroup=group.path, pids=pids)


def _container(cgroup: str) -> str:
    place = pod_or_path(cgroup)
    return f"the container in {place}" if place.startswith("cgroup ") else place


def _names(processes: list[Enrolled]) -> str:
    shown = ", ".join(map(named, processes[:3]))
    rest = len(processes) - 3
    return f"{shown} and {rest} more are" if rest > 0 else f"{shown} {'is' if len(processes) == 1 else 'are'}"
