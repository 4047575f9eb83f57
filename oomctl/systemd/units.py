"""Names of units, which of them may get an ``OOMScoreAdjust=`` of their own, and the text that sets it."""

from __future__ import annotations

import re

from oomctl.errors import BadInput, ImpossibleHere, Refused
from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN

DROP_IN = "90-oomctl.conf"
_LONGEST = 255  # UNIT_NAME_MAX of systemd
_NAME = re.compile(r"[A-Za-z0-9:_.\\@-]+\.(service|socket|mount|swap|scope|slice)", re.ASCII)
_SECTIONS = {"service": "Service", "socket": "Socket", "mount": "Mount", "swap": "Swap"}
LOGINS = re.compile(r"(ssh|sshd|dropbear)(@.*|-.*)?\.(service|socket)")
DEBIAN_POSTGRES = re.compile(r"postgresql@.+\.service")  # postgresql-common: pg_ctlcluster
_SETTING = re.compile(r"^\s*OOMScoreAdjust\s*=\s*([+-]?\d{1,4})\s*$", re.MULTILINE)


def check_name(unit: str) -> None:
    """Refuse what can be no unit, before it becomes part of a path."""
    if len(unit) > _LONGEST or _NAME.fullmatch(unit) is None or unit.startswith("."):
        raise BadInput(f"{unit!r} is not the name of a unit: letters, digits and :-_.\\@, with .service at the end")


def check_persistable(unit: str, setting: int | None) -> None:
    """Refuse units for which ``setting`` (None: nothing any more) would be wrong or without effect.

    Raises Refused for logins and for services that override it, ImpossibleHere for units that start no process,
    BadInput for a template.
    """
    adj = setting or 0
    kind = unit.rpartition(".")[2]
    if kind not in _SECTIONS:
        raise ImpossibleHere(
            f"{unit}: systemd starts no process for a {kind}, so it has no OOMScoreAdjust=; start the program with"
            f" oomctl run -n {adj} -- COMMAND, or with systemd-run -p OOMScoreAdjust={adj} COMMAND"
        )
    if "@." in unit:
        raise BadInput(f"{unit} is a template; name its instances, such as {unit.replace('@.', '@1.')}")
    if setting is None:
        return
    if DEBIAN_POSTGRES.fullmatch(unit):
        raise Refused(
            f"{unit}: pg_ctlcluster, which starts it, sets the postmaster to -900 every time, whatever the unit says;"
            " without --persist the running one can be changed; nothing was written"
        )
    if LOGINS.fullmatch(unit):
        raise Refused(
            f"{unit}: sshd protects its own listener, and a value in its unit would be inherited by every login;"
            " nothing was written"
        )


def drop_in_text(unit: str, adj: int) -> str:
    """Return the file that gives ``unit`` an ``OOMScoreAdjust=``."""
    section = _SECTIONS[unit.rpartition(".")[2]]
    return f"# Written by oomctl; oomctl reset --persist {unit} removes it.\n[{section}]\nOOMScoreAdjust={adj}\n"


def setting_in(text: str) -> int | None:
    """Return the last ``OOMScoreAdjust=`` in the text of a unit file; None without a valid one."""
    values = [int(value) for value in _SETTING.findall(text)]
    return values[-1] if values and ADJ_MIN <= values[-1] <= ADJ_MAX else None
