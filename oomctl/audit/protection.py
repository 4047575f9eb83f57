"""Checks of values that protect: where they were inherited, lost, drifted, or never meant what they say."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from oomctl.audit import remedies
from oomctl.audit.facts import Look, Suspect
from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN
from oomctl.model.audit import Finding, Severity
from oomctl.model.origin import OriginKind
from oomctl.render.text import count, named, visible
from oomctl.systemd.manager import SYSTEM_DIRECTORY, UnitState
from oomctl.systemd.units import DEBIAN_POSTGRES, DROP_IN, LOGINS

_PROTECTED = -900
"""At that or less a process is hardly ever chosen."""
_OLDEST, _NEWEST = -17, 15  # OOM_DISABLE and OOM_ADJUST_MAX, include/uapi/linux/oom.h
_BY_ITSELF = (OriginKind.PROGRAM, OriginKind.RUNTIME, OriginKind.KUBELET)


def session_protected(look: Look) -> Iterator[Finding]:
    """Yield each topmost process of a login that the killer hardly takes, with what is below it."""
    protected = [one for one in look.suspects if one.in_session and one.task.adj <= _PROTECTED]
    for top, pids in _families(protected):
        task = top.task
        below = f", and {count(len(pids) - 1, 'process', 'processes')} below it" if len(pids) > 1 else ""
        yield Finding(
            "session-protected",
            Severity.CRITICAL,
            f"{named(task)} is in a login session and has {task.adj}{below}: whatever its user starts cannot be killed"
            " either; other processes die instead",
            remedies.of_pids("reset", pids, force=True),
            process=task,
            unit=top.details.unit,
            pids=pids,
        )


def ssh_unit_value(look: Look) -> Iterator[Finding]:
    """Yield the unit of sshd where it declares a negative value: every login inherits that."""
    for unit in look.units.values():
        if LOGINS.fullmatch(unit.id) and unit.adj is not None and unit.adj < 0:
            yield Finding(
                "ssh-unit-value",
                Severity.CRITICAL,
                f"{unit.id} declares OOMScoreAdjust={unit.adj}, which every login inherits; sshd protects its own"
                " listener without it",
                _without_value(unit),
                unit=unit.id,
                pids=frozenset([unit.main_pid] if unit.main_pid else ()),
            )


def _without_value(unit: UnitState) -> str:
    """Return what takes the value out of the files that a machine's administrator has, and restarts the unit."""
    name = shlex.quote(unit.id)
    start_anew = f"systemctl daemon-reload && systemctl try-restart {name}"
    own = [path for path in unit.files if path.startswith(f"{SYSTEM_DIRECTORY}/")]
    by_hand = [path for path in own if not path.endswith(f"/{DROP_IN}")]
    files = " ".join(map(shlex.quote, by_hand))
    commands = [f"oomctl reset --persist --force {name}"] if len(by_hand) < len(own) else []
    commands += [f"sed -i '/^[[:space:]]*OOMScoreAdjust[[:space:]]*=/d' {files}"] if by_hand else []
    if commands:
        return " && ".join([*commands, start_anew])
    directory = shlex.quote(f"{SYSTEM_DIRECTORY}/{unit.id}.d")
    text = r"'[Service]\nOOMScoreAdjust=0\n'"
    return f"mkdir -p {directory} && printf {text} > {directory}/zz-oom.conf && {start_anew}"


def inherited_protection(look: Look) -> Iterator[Finding]:
    """Yield the processes of people that inherited a protection which nobody meant for them."""
    inherited = [
        one
        for one in look.suspects
        if one.of_person and one.task.adj < 0 and one.origin.kind is OriginKind.INHERITED and not one.in_container
        if not (one.in_session and one.task.adj <= _PROTECTED)
        # A service that runs as somebody who also logs in, and has a value of its own, may give it to its workers.
        if one.in_session or one.source is None or one.source.uid != one.task.uid
    ]
    for top, pids in _families(inherited):
        yield Finding(
            "inherited-protection",
            Severity.WARNING,
            f"{named(top.task)} of {visible(top.details.user or str(top.task.uid))} has {top.task.adj}, which it"
            f" inherited from {named(top.parent) if top.parent else 'its parent'}; so does what it starts",
            remedies.of_pids("reset", pids),
            process=top.task,
            unit=top.details.unit,
            pids=pids,
        )


def unit_drift(look: Look) -> Iterator[Finding]:
    """Yield the services whose main process has not what the unit declares.

    Unless it is known to set that itself, or the policy has the last word about it.
    """
    suspects = {one.task.pid: one for one in look.suspects}
    ruled = look.policy.ruled if look.policy else frozenset()
    for unit in look.units.values():
        main = look.mains.get(unit.id)
        if main is None or unit.adj is None or main.adj == unit.adj or LOGINS.fullmatch(unit.id):
            continue
        suspect = suspects.get(main.pid)
        origin = suspect.origin.kind if suspect else OriginKind.UNKNOWN
        if origin in _BY_ITSELF or main.pid in ruled or (unit.adj < main.adj and not look.can_lower):
            continue
        meant = main.adj if origin is OriginKind.OOMCTL else unit.adj
        keeps = DEBIAN_POSTGRES.fullmatch(unit.id)
        remedy = f"oomctl set --persist {meant} {shlex.quote(unit.id)}"
        yield Finding(
            "unit-drift",
            # Without a value of its own in the unit, the program may have set it.
            Severity.WARNING if unit.adj or origin is OriginKind.OOMCTL else Severity.INFO,
            f"{unit.id} declares OOMScoreAdjust={unit.adj}, and its main process {named(main)} has {main.adj}: its next"
            " start changes that",
            remedies.of_pids(f"set {unit.adj}", [main.pid]) if keeps else remedy,
            process=main,
            unit=unit.id,
            pids=frozenset([main.pid]),
        )


def policy_drift(look: Look) -> Iterator[Finding]:
    """Yield that the policy is broken, or which processes have not what it says."""
    if look.policy is None:
        return
    if look.policy.broken:
        first, *more = look.policy.broken
        rest = f" (and {len(more)} more)" if more else ""
        message = f"nothing is done by the policy, for it is broken: {visible(first)}{rest}"
        yield Finding("policy-drift", Severity.WARNING, message, None)
    elif look.policy.drifted:
        drifted = look.policy.drifted
        first_one = drifted[0]
        others = f", and {count(len(drifted) - 1, 'other')} likewise" if len(drifted) > 1 else ""
        yield Finding(
            "policy-drift",
            Severity.WARNING,
            f"{named(first_one.task)} has {first_one.task.adj}, and {visible(first_one.place)} says"
            f" {first_one.says}{others}",
            "oomctl policy apply",
            process=first_one.task,
            pids=frozenset(one.task.pid for one in drifted),
        )


def old_scale(look: Look) -> Iterator[Finding]:
    """Yield who has a value that is next to nothing here and was a strong one on the scale of oom_adj."""
    for one in look.suspects:
        adj = one.task.adj
        if not (_OLDEST <= adj <= _NEWEST and adj) or one.origin.kind is not OriginKind.UNKNOWN:
            continue
        # proc_oom_adj_write() of the kernels that had both.
        meant = ADJ_MAX if adj == _NEWEST else int(adj * ADJ_MAX / -_OLDEST)
        # What was inherited from who has ended looks the same, and a person's process has not earned more of it.
        remedy = "reset" if one.of_person and meant < 0 else f"set {max(meant, ADJ_MIN)}"
        yield Finding(
            "old-scale",
            Severity.WARNING,
            f"{named(one.task)} has {adj}, which changes next to nothing; on the old scale of oom_adj, from -17 to 15,"
            f" it was {meant}",
            remedies.of_pids(remedy, [one.task.pid]),
            process=one.task,
            unit=one.details.unit,
            pids=frozenset([one.task.pid]),
        )


def postgres_unguarded(look: Look) -> Iterator[Finding]:
    """Yield postmasters that die like anybody else, and backends that do not."""
    backends: dict[int, list[int]] = {}
    for one in look.roll.listed:
        if one.ppid in look.postgres and one.adj < 0:
            backends.setdefault(one.ppid, []).append(one.pid)
    for master in look.roll.listed:
        if master.pid not in look.postgres:
            continue
        if master.adj >= 0:
            yield Finding(
                "postgres-unguarded",
                Severity.WARNING,
                f"{named(master)}, which all of PostgreSQL depends on, has {master.adj}; give it -900, its backends 0"
                " (OOMScoreAdjust=-900 in the unit, and PG_OOM_ADJUST_FILE=/proc/self/oom_score_adj)",
                remedies.of_pids("protect --level -900", [master.pid]),
                pids=frozenset([master.pid]),
            )
        if master.pid in backends:
            pids = frozenset(backends[master.pid])
            yield Finding(
                "postgres-unguarded",
                Severity.WARNING,
                f"{count(len(pids), 'backend')} of PostgreSQL, below {named(master)}, inherited its protection: without"
                " PG_OOM_ADJUST_FILE=/proc/self/oom_score_adj in its environment the whole server dies last",
                remedies.of_pids("reset", pids),
                pids=pids,
            )


def _families(suspects: list[Suspect]) -> Iterator[tuple[Suspect, frozenset[int]]]:
    """Yield each of ``suspects`` whose parent is none, with the PIDs of it and of all below it that are."""
    by_pid = {one.task.pid: one for one in suspects}
    pids_of: dict[int, set[int]] = {}
    for one in suspects:
        seen, top = {one.task.pid}, one
        while top.task.ppid in by_pid and top.task.ppid not in seen:
            seen.add(top.task.ppid)
            top = by_pid[top.task.ppid]
        pids_of.setdefault(top.task.pid, set()).add(one.task.pid)
    for pid, pids in pids_of.items():
        yield by_pid[pid], frozenset(pids)
