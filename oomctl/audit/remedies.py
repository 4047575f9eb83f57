"""Commands that mend, for root's shell: quoted, whatever a name holds."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from oomctl.audit.facts import Look
from oomctl.kernel.badness import ADJ_MIN
from oomctl.model.audit import Group
from oomctl.systemd.units import DEBIAN_POSTGRES, LOGINS
from oomctl.targets.selection import MOST_RAISED

_UNITS = (".service", ".scope", ".slice")
_KEEPS = re.compile(f"{LOGINS.pattern}|{DEBIAN_POSTGRES.pattern}")
"""Units whose declared value ``--persist`` leaves alone."""
_THROTTLED_FROM = 90
"""Percent of the limit."""


def of_pids(command: str, pids: Iterable[int], force: bool = False) -> str:
    """Return ``oomctl COMMAND PID…``, with ``--force`` where so many are only raised with it."""
    numbers = sorted(pids)
    forced = " --force" if force or len(numbers) > MOST_RAISED else ""
    return f"oomctl {command}{forced} {' '.join(map(str, numbers))}"


def nearly_protected(look: Look, pids: frozenset[int]) -> str:
    """Return what takes processes from -1000 to the next level, for good where it is their unit that declares -1000."""
    units = {
        unit.main_pid: unit.id
        for unit in look.units.values()
        if unit.main_pid in pids and unit.adj == ADJ_MIN and not _KEEPS.fullmatch(unit.id)
    }
    level, others = f"protect --level {ADJ_MIN + 1}", pids - units.keys()
    named = " ".join(shlex.quote(unit) for unit in sorted(units.values()))
    commands = [f"oomctl {level} --persist {named}"] if units else []
    return " && ".join([*commands, of_pids(level, others)] if others else commands)


def sysctl(name: str, value: int) -> str:
    """Return what sets a sysctl until the next start."""
    return f"sysctl {name}={value}"


def write(text: str, group: Group, name: str) -> str:
    """Return what writes to a control file of a cgroup."""
    return f"echo {shlex.quote(text)} > {shlex.quote(f'{group.directory}/{name}')}"


def raised_limit(look: Look, group: Group, to_bytes: int) -> str:
    """Return what gives a cgroup more memory: by systemd where it is a unit's, else by its control file."""
    unit = _unit_of(look, group)
    if unit is not None:
        return f"systemctl set-property {shlex.quote(unit)} MemoryMax={to_bytes}"
    return write(str(to_bytes), group, "memory.max" if group.version == 2 else "memory.limit_in_bytes")


def throttled(look: Look, group: Group) -> str | None:
    """Return what slows a cgroup down before its limit; None on v1, which cannot."""
    if group.version == 1 or group.limit is None:
        return None
    to_bytes, unit = group.limit * _THROTTLED_FROM // 100, _unit_of(look, group)
    if unit is not None:
        return f"systemctl set-property {shlex.quote(unit)} MemoryHigh={to_bytes}"
    return write(str(to_bytes), group, "memory.high")


def is_of_a_person(group: Group) -> bool:
    """Whether it is a login's, whose limit is there to hold."""
    return group.path.startswith("/user.slice/")


def more_than(used: int) -> int:
    """Return a quarter more, in whole MiB."""
    return ((used * 5 // 4 >> 20) + 1) << 20


def _unit_of(look: Look, group: Group) -> str | None:
    """Return the unit of the system's manager that has this cgroup: below slices only.

    A container, or a service that may make cgroups, calls one ssh.service as it likes.
    """
    *above, name = group.path.strip("/").split("/")
    is_unit = name.endswith(_UNITS) and all(one.endswith(".slice") for one in above)
    return name if look.runs_systemd and is_unit else None
