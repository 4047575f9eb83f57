"""What systemd knows of the units that targets name: their own names and their main processes."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from oomctl.errors import BadInput
from oomctl.model.listing import Details
from oomctl.targets.trust import UnitFacts
from oomctl.targets.words import Target, TargetKind

if TYPE_CHECKING:
    from oomctl.systemd.manager import UnitState


def resolved(targets: Sequence[Target], user: bool = False) -> tuple[list[Target], dict[str, UnitFacts]]:
    """Return ``targets`` with aliases replaced by the units they mean, and what is known of each unit.

    Where no service manager answers, the targets stay as they are and nothing is known.
    """
    states = _states([target.value for target in targets if target.kind is TargetKind.UNIT], user)
    named = [
        target._replace(value=states[target.value].id)
        if target.kind is TargetKind.UNIT and target.value in states
        else target
        for target in targets
    ]
    return named, {state.id: UnitFacts(state.main_pid, state.cgroup) for state in states.values()}


def declared_values(details: Sequence[Details]) -> dict[tuple[str | None, int | None], int]:
    """Return ``OOMScoreAdjust=`` by unit and manager, of those units whose manager can be asked."""
    values: dict[tuple[str | None, int | None], int] = {}
    for uid in (None, os.geteuid()):
        units = {entry.unit for entry in details if entry.unit is not None and entry.manager_uid == uid}
        for state in _states(sorted(units), user=uid is not None).values():
            if state.adj is not None:
                values[state.id, uid] = state.adj
    return values


def _states(units: Sequence[str], user: bool) -> dict[str, UnitState]:
    askable = [unit for unit in units if _is_name(unit) and not re.search(r"@\.", unit)]
    if not askable:
        return {}
    from oomctl.systemd.manager import Manager, NoAnswer

    try:
        return Manager(user).show(askable)
    except NoAnswer:
        return {}


def _is_name(unit: str) -> bool:
    from oomctl.systemd.units import check_name

    try:
        check_name(unit)
    except BadInput:
        return False
    return True
