"""Commands that mend, for root's shell: quoted, whatever a name holds."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from oomctl.audit.facts import Look
from oomctl.model.audit import Group
from oomctl.targets.selection import MOST_RAISED

_UNITS = (".service", ".scope", ".slice")
_THROTTLED_FROM = 90
"""Percent of the limit."""


def of_pids(command: str, pids: Iterable[int], force: bool = False) -> str:
    """Return ``oomctl COMMAND PID…``, with ``--force`` where so many are only raised with it."""
    numbers = sorted(pids)
    forced = " --force" if force or len(numbers) > MOST_RAISED else ""
    return f"oomctl {command}{forced} {' '.join(map(str, numbers))}"


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


def _unit_of(look: Look, group: Group) -> str | None:
    """Return the unit of the system's manager that has this cgroup."""
    name = group.path.rpartition("/")[2]
    return name if look.runs_systemd and name.endswith(_UNITS) and "/user@" not in group.path else None
