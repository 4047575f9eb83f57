"""One look at the machine, with all that the checks ask about."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress

from oomctl.audit import counted
from oomctl.audit.facts import Asked, Drifted, Heap, Look, PolicyFacts, Precious
from oomctl.audit.surroundings import KILLERS
from oomctl.audit.suspects import IN_CONTAINER, SESSION, is_unusual, suspects
from oomctl.errors import BadInput
from oomctl.kernel.invocation import out_of_memory
from oomctl.model.audit import Enrolled, Group, Roll
from oomctl.model.kernel import Round, Task
from oomctl.model.listing import Details
from oomctl.policy import loading
from oomctl.policy.decision import decide
from oomctl.policy.rule import Policy
from oomctl.procfs import settings as machine_settings
from oomctl.procfs import survey
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.details import DetailReader, unit_in
from oomctl.procfs.groups import groups
from oomctl.procfs.identity import identity, text_of
from oomctl.procfs.privilege import anybody_has_sys_resource, has_sys_resource, without_sys_resource
from oomctl.procfs.reader import Procfs
from oomctl.procfs.roll import roll
from oomctl.systemd.manager import Manager, NoAnswer, UnitState, is_booted
from oomctl.targets.matching import matching, why_hidden
from oomctl.targets.selection import trusted
from oomctl.targets.trust import first_login_uid
from oomctl.targets.words import Target, parse_target

_NEAREST = 5
_DELIBERATE = -900
_SSHD_UNITS = ("ssh.service", "sshd.service", "dropbear.service")
_HEAP = re.compile(r"(?:^|\s)-Xmx(\d{1,15})([kmgt]?)(?=\s|$)", re.IGNORECASE | re.ASCII)
_UNITS_OF_SIZES = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}
_POSTGRES = ("postgres", "postmaster")
_JAVA = ("java",)
_NAMES = frozenset(name.encode() for name in (*_POSTGRES, *_JAVA, *KILLERS))
_MOST_OF_ONE_NAME = 500
"""Processes that are looked at closer for their name: anybody can start thousands of them."""


def look(procfs: Procfs, asked: Asked) -> Look:
    """Read the machine once. Raises ImpossibleHere where its /proc cannot be read."""
    scenario = survey.machine_front(procfs, _NEAREST)
    result = out_of_memory(scenario, procfs.rules)
    everyone = roll(procfs, is_unusual, _NAMES, _DELIBERATE)
    memcgs = Memcgs.of(procfs)
    details = DetailReader(procfs, memcgs)
    units, units_unknown = _units(procfs)
    mains = {state.id: main for state in units.values() if (main := _main(procfs, state)) is not None}
    limited = groups(procfs, memcgs) if memcgs else []
    policy = _policy()
    kills, kills_seen = _kills(procfs)
    precious = tuple(dict.fromkeys((*asked.precious, *(policy.precious if policy else ()))))
    return Look(
        asked=asked,
        scenario=scenario,
        result=result,
        victim=details.details(result.victim.task) if result.victim else Details(),
        roll=everyone,
        suspects=suspects(procfs, everyone, details, units, mains),
        precious_named=precious,
        precious=_precious(procfs, result, precious, policy),
        largest=_largest(procfs, everyone, result),
        groups=tuple(limited),
        in_sessions=frozenset(group.path for group in limited if group.kills_as_one and _has_a_login(procfs, group)),
        heaps=tuple(_heaps(procfs, everyone, memcgs, limited)),
        postgres=frozenset(_postmasters(procfs, everyone)),
        first_person=first_login_uid(),
        units=units,
        units_unknown=units_unknown,
        mains=mains,
        can_lower=anybody_has_sys_resource(procfs),
        runs_systemd=procfs.is_own and is_booted(),
        policy=_policy_facts(procfs, policy),
        settings=machine_settings.settings(procfs),
        swaps=machine_settings.swaps(procfs),
        kills=kills,
        kills_seen=kills_seen,
        hidden_why=why_hidden()[0],
        shows_another_namespace=procfs.of_another_namespace,
        capability=without_sys_resource(procfs) if os.geteuid() == 0 and not has_sys_resource(procfs) else None,
    )


def _units(procfs: Procfs) -> tuple[dict[str, UnitState], str]:
    """Return services by name, and why there are none where systemd runs and does not say."""
    if not (procfs.is_own and is_booted()):
        return {}, ""
    try:
        return {state.id: state for state in Manager().running_services(*_SSHD_UNITS)}, ""
    except NoAnswer as error:
        return {}, str(error)


def _main(procfs: Procfs, state: UnitState) -> Task | None:
    return None if state.main_pid is None else identity(procfs, state.main_pid)


def _precious(procfs: Procfs, result: Round, named: Sequence[Target], policy: Policy | None) -> tuple[Precious, ...]:
    """Return whom the next kill may take of those that were named, or that the policy protects."""
    near = {task.pid: task for task in (*result.killed, *result.contenders)}
    tasks = list(near.values())
    called = {task.pid for target in named for task in matching([target], tasks, procfs)[target]}
    found = {task.pid for target in named for task in trusted(target, tasks, procfs)}
    protecting = [rule for rule in policy.rules if rule.adj < 0] if policy and not policy.errors else []
    if protecting:
        family = {task.pid: task for one in near.values() for task in (one, *procfs.ancestors(one))}
        decided = decide(protecting, list(family.values()), procfs)
        found |= {pid for pid, decision in decided.items() if decision.left_alone is None}
    return tuple(Precious(task, pid in found) for pid, task in near.items() if pid in called | found)


def _largest(procfs: Procfs, everyone: Roll, result: Round) -> Task | None:
    """Return who holds the most memory and swap, of those that nobody protected on purpose."""
    known = {candidate.task.pid: candidate.task for candidate in result.ranking}
    for one in everyone.largest:
        with suppress(OSError):
            known.setdefault(one.pid, procfs.task(one.pid))
    held = [task for task in known.values() if task.adj > _DELIBERATE]
    return max(held, key=lambda task: task.rss_pages + task.swap_pages, default=None)


def _has_a_login(procfs: Procfs, group: Group) -> bool:
    return any(SESSION.fullmatch(unit_in(text_of(procfs, pid, "cgroup")) or "") for pid in group.pids)


def _heaps(procfs: Procfs, everyone: Roll, memcgs: Memcgs | None, limited: Sequence[Group]) -> list[Heap]:
    by_path = {group.path: group for group in limited if group.limit is not None}
    if memcgs is None or not by_path:
        return []
    found = []
    for one in _called(everyone, _JAVA):
        heap = _HEAP.findall(text_of(procfs, one.pid, "cmdline"))
        path = memcgs.path_of_pid(one.pid)
        if not heap or path is None:
            continue
        above = [by_path[memcg] for memcg in memcgs.ancestors(path) if memcg in by_path]
        if above:
            number, unit = heap[-1]  # the last one counts
            size = int(number) << _UNITS_OF_SIZES[unit.lower()]
            owner = identity(procfs, one.pid)
            of_person = owner is None or owner.uid >= first_login_uid()
            found.append(Heap(one, of_person, size, min(above, key=lambda group: group.limit or 0)))
    return found


def _postmasters(procfs: Procfs, everyone: Roll) -> list[int]:
    """Return those that are what they are called: root is going to be told to protect them."""
    named = {one.pid: one for one in _called(everyone, _POSTGRES)}
    tops = [
        task
        for pid, one in named.items()
        if one.ppid not in named and not IN_CONTAINER.search(text_of(procfs, pid, "cgroup"))
        if (task := identity(procfs, pid)) is not None
    ]
    targets = [parse_target(name) for name in _POSTGRES]
    return [task.pid for target in targets for task in trusted(target, tops, procfs)]


def _called(everyone: Roll, names: Sequence[str]) -> list[Enrolled]:
    return [one for one in everyone.listed if one.comm in names and not one.zombie][:_MOST_OF_ONE_NAME]


def _policy() -> Policy | None:
    try:
        return loading.load(())
    except BadInput:  # there is none
        return None


def _policy_facts(procfs: Procfs, policy: Policy | None) -> PolicyFacts | None:
    if policy is None:
        return None
    if policy.errors:
        return PolicyFacts(tuple(map(str, policy.errors)))
    if not policy.rules:
        return PolicyFacts()
    decided = decide(policy.rules, procfs.tasks().read, procfs)
    drifted = [
        Drifted(decision.task, decision.rule.adj, str(decision.rule.place))
        for decision in decided.values()
        if decision.differs
    ]
    ruled = frozenset(pid for pid, decision in decided.items() if decision.left_alone is None)
    return PolicyFacts(drifted=tuple(drifted), ruled=ruled)


def _kills(procfs: Procfs) -> tuple[int | None, int]:
    """Return the kills since the start, and those that the last check knew of; before the first one all are known."""
    kills = machine_settings.kills(procfs)
    known = counted.at_last_check(procfs.boot_id())
    return kills, (kills or 0) if known is None else known
