"""Who has an unusual oom_score_adj, and what tells whether that was meant."""

from __future__ import annotations

import re
from collections.abc import Mapping

from oomctl.audit.facts import Suspect
from oomctl.model.audit import Roll
from oomctl.model.kernel import Task
from oomctl.model.listing import Details, Row
from oomctl.origins import known as origins
from oomctl.origins.facts import facts_of
from oomctl.procfs.details import DetailReader
from oomctl.procfs.identity import identity
from oomctl.procfs.provenance import is_machine_init
from oomctl.procfs.reader import Procfs
from oomctl.systemd.manager import UnitState
from oomctl.targets.trust import first_login_uid, is_login_session

IN_CONTAINER = re.compile(rf"{origins.CONTAINER}|.*/kubepods")
"""Of a cgroup's path."""
SESSION = re.compile(r"session-.*\.scope|user@\d+\.service")
"""The unit of a login."""
_OLD_SCALE = 15
_LAST_LOGIN_UID = 60_000  # UID_MAX of login.defs; above are nobody, and users of containers
_MOST_RAISED = 500
"""Anybody can raise thousands of processes of his own."""


def is_unusual(adj: int) -> bool:
    """Whether it protects, or may be a number of the old scale."""
    return adj < 0 or 0 < adj <= _OLD_SCALE


def suspects(
    procfs: Procfs,
    everyone: Roll,
    details: DetailReader,
    units: Mapping[str, UnitState],
    mains: Mapping[str, Task],
) -> tuple[Suspect, ...]:
    """Read what is known of those with an unusual adj, and of main processes of services with any."""
    unusual = [one for one in everyone.listed if is_unusual(one.adj) and not one.zombie]
    raised = [one.pid for one in unusual if one.adj > 0][:_MOST_RAISED]
    pids = {one.pid for one in unusual if one.adj < 0} | {*raised}
    pids |= {main.pid for main in mains.values() if main.adj}
    tasks = [
        task
        for pid in sorted(pids)
        if not is_machine_init(procfs, pid) and (task := identity(procfs, pid)) is not None and not task.kthread
    ]
    rows = [Row(task, details.details(task, cmdline=True)) for task in tasks]
    declared: dict[tuple[str | None, int | None], int] = {
        (state.id, None): state.adj for state in units.values() if state.adj is not None
    }
    found = facts_of(rows, procfs, declared)
    ancestry = origins.Ancestry(lambda pid: identity(procfs, pid))
    return tuple(
        Suspect(
            facts.task,
            facts.details,
            origins.origin(facts),
            facts.parent,
            facts.source,
            _in_session(procfs, facts.task, facts.details, ancestry),
            bool(IN_CONTAINER.match(facts.details.cgroup or "")),
            first_login_uid() <= facts.task.uid <= _LAST_LOGIN_UID,
        )
        for facts in found
    )


def _in_session(procfs: Procfs, task: Task, details: Details, ancestry: origins.Ancestry) -> bool:
    """Whether systemd or a login above it says so."""
    if details.manager_uid is not None or SESSION.fullmatch(details.unit or ""):
        return True
    seen: set[int] = set()
    above: Task | None = task
    while above is not None and above.pid not in seen:
        if is_login_session(above, procfs):
            return True
        seen.add(above.pid)
        above = ancestry.parent(above)
    return False
