"""``--persist``: a value that the next start of a service has as well, and its running processes at once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from oomctl.changes.outcome import complain_if_unrecorded
from oomctl.changes.recording import Record
from oomctl.changes.writing import Chosen, choose
from oomctl.errors import BadInput, ImpossibleHere, NothingMatched, NotPermitted, OomctlError, Refused
from oomctl.model.changes import DropIn, LeftAlone, Persisted, Status
from oomctl.model.kernel import Scenario, Task
from oomctl.procfs.details import DetailReader
from oomctl.procfs.reader import Procfs
from oomctl.render.text import named
from oomctl.systemd.manager import Manager, NoAnswer, UnitState
from oomctl.systemd.units import check_name, check_persistable, drop_in_text
from oomctl.targets.matching import no_match
from oomctl.targets.selection import Scope, select
from oomctl.targets.words import Target, TargetKind

_NO_SYSTEMD = (
    "--persist needs systemd, and it does not answer here ({}); set the value where the program is started:"
    " oomctl run -n {} -- COMMAND, OpenRC's start-stop-daemon --oom-score-adj, or a container's --oom-score-adj"
)


class Unit(NamedTuple):
    """A service that is to keep a value."""

    state: UnitState
    manager: Manager


class Wanted(NamedTuple):
    """What the user's words mean when the value is to last."""

    units: list[Unit]
    left_alone: list[LeftAlone]
    refused: list[LeftAlone]
    unmatched: Mapping[str, str]
    """The words that mean nothing, each with the sentence that says so."""


def _wanted(
    targets: Sequence[Target],
    scenario: Scenario,
    procfs: Procfs,
    setting: int | None,
    scope: Scope,
    missing_ok: bool,
) -> Wanted:
    """Find the units meant, and refuse every one that must not be given ``setting``, before anything is written.

    None takes back what was given. Raises NothingMatched for a unit that is not known, unless ``missing_ok``.
    """
    adj = setting or 0
    named = [target for target in targets if target.kind is TargetKind.UNIT]
    others = [target for target in targets if target.kind is not TargetKind.UNIT]
    selection = select(others, scenario.tasks, procfs, adj, scope)
    units: list[Unit] = []
    unknown: dict[str, str] = {}
    try:
        for target in named:
            try:
                units.append(_named(target.value, Manager(scope.own_units), setting))
            except NothingMatched as error:
                if not missing_ok:
                    raise
                unknown[target.word] = str(error)
        units += _units_of(selection.meant, procfs, setting)
    except NoAnswer as error:
        raise ImpossibleHere(_NO_SYSTEMD.format(error, adj)) from None
    if setting is not None:
        for unit in units:
            _check_reach(unit, setting, procfs)
    distinct = {(unit.state.id, unit.manager.user): unit for unit in units}
    refused = [*selection.refused, *(LeftAlone(task.pid, task.comm, reason) for task, reason in selection.risky)]
    unmatched = {target.word: no_match(target.word, scenario.hidden) for target in selection.unmatched}
    return Wanted(list(distinct.values()), selection.left_alone, refused, {**unknown, **unmatched})


def _named(name: str, manager: Manager, setting: int | None) -> Unit:
    check_name(name)
    check_persistable(name, setting)
    state = manager.show([name])[name]
    if not state.loaded:
        whose = "your own service manager" if manager.user else "the system's service manager"
        other = "" if manager.user else "; --user asks your own"
        raise NothingMatched(f"{name}: {whose} knows no such unit{other}")
    check_persistable(state.id, setting)  # sshd.service is an alias of ssh.service
    return Unit(state, manager)


def _units_of(tasks: Sequence[Task], procfs: Procfs, setting: int | None) -> list[Unit]:
    """Return the services whose main processes are among ``tasks``."""
    reader = DetailReader(procfs)
    members: dict[tuple[str, int | None], list[Task]] = {}
    for task in tasks:
        details = reader.details(task)
        if details.unit is None:
            raise ImpossibleHere(
                f"{named(task)} is in no unit of systemd; set the value where it is started:"
                f" oomctl run -n {setting or 0} -- COMMAND"
            )
        members.setdefault((details.unit, details.manager_uid), []).append(task)
    return [_unit_of(unit, uid, processes, setting) for (unit, uid), processes in members.items()]


def _unit_of(name: str, manager_uid: int | None, members: Sequence[Task], setting: int | None) -> Unit:
    if manager_uid not in (None, os.geteuid()):
        raise NotPermitted(f"{name} belongs to the service manager of uid {manager_uid}; ask as that user")
    unit = _named(name, Manager(manager_uid is not None), setting)
    if unit.state.main_pid not in [task.pid for task in members]:
        first = members[0]
        raise Refused(
            f"{named(first)} is not the main process of {unit.state.id}, and all of that unit would get"
            f" the value; name {unit.state.id} if you mean that"
        )
    return unit


def _check_reach(unit: Unit, adj: int, procfs: Procfs) -> None:
    """A user's manager cannot go below its own value, and says nothing when it is asked to."""
    if not unit.manager.user or os.geteuid() == 0 or unit.state.main_pid is None:
        return
    above = procfs.ancestors(Task(0, "", ppid=unit.state.main_pid))[1:2]
    if above and adj < above[0].adj:
        raise NotPermitted(
            f"{unit.state.id}: your service manager has an oom_score_adj of {above[0].adj} and cannot give its services"
            " less; make it a service of the system"
        )


def keep(unit: Unit, adj: int | None, dry_run: bool) -> Persisted:
    """Write the drop-in (None: remove it), load it, and ask what the unit has now."""
    manager, name = unit.manager, unit.state.id
    path, before = manager.drop_in_path(name), manager.drop_in(name)
    outcome = Persisted(DropIn(name, manager.user, before, adj), path, Status.CHANGED)
    if dry_run:
        return outcome._replace(status=Status.DRY_RUN, text=None if adj is None else drop_in_text(name, adj))
    if adj is None and before is None:
        return outcome._replace(status=Status.UNCHANGED)
    try:
        manager.write_drop_in(name, adj)
        now = manager.show([name])[name]
    except NoAnswer as error:
        return outcome._replace(status=Status.INEFFECTIVE, reason=f"it is written, but not in effect: {error}")
    if adj is not None and now.adj != adj:
        later = " ".join(file for file in now.files if file != path)
        reason = f"the unit still has OOMScoreAdjust={now.adj}; one of its other files wins: {later}"
        return outcome._replace(status=Status.INEFFECTIVE, reason=reason)
    return outcome


def next_value(unit: Unit, adj: int | None, dry_run: bool) -> int:
    """Return the value that the unit's next start has once the drop-in is written (None: removed)."""
    if adj is not None:
        return adj
    if dry_run:
        return unit.manager.without_drop_in(unit.state)
    return unit.manager.show([unit.state.id])[unit.state.id].adj or 0


def put_back(drop_in: DropIn, dry_run: bool) -> Persisted:
    """Undo what ``keep`` did, unless something else has changed the file since."""
    try:
        check_name(drop_in.unit)
    except BadInput as error:
        return Persisted(drop_in, "", Status.INEFFECTIVE, str(error))
    manager = Manager(drop_in.user)
    path, now = manager.drop_in_path(drop_in.unit), manager.drop_in(drop_in.unit)
    if now == drop_in.before != drop_in.after:  # oomctl was killed before it had written it
        return Persisted(drop_in._replace(before=now, after=now), path, Status.UNCHANGED)
    if now != drop_in.after:
        reason = "something else has changed it since; it was not touched"
        return Persisted(drop_in._replace(before=now, after=now), path, Status.INEFFECTIVE, reason)
    back = drop_in._replace(before=drop_in.after, after=drop_in.before)
    try:
        return keep(Unit(UnitState(drop_in.unit, True, None, None), manager), drop_in.before, dry_run)
    except (NoAnswer, NotPermitted) as error:
        return Persisted(back, path, Status.INEFFECTIVE, str(error))


def persist(
    targets: Sequence[Target],
    scenario: Scenario,
    procfs: Procfs,
    setting: int | None,
    scope: Scope,
    dry_run: bool,
    record: Record,
    missing_ok: bool = False,
) -> tuple[Chosen, list[Persisted]]:
    """Let the units that are meant keep ``setting`` (None: no value any more), and choose who has to get it now.

    Raises what stands in the way of any unit before anything is written; a later failure leaves in ``record`` what was.
    """
    wanted = _wanted(targets, scenario, procfs, setting, scope, missing_ok)
    unit_changes = _keep(wanted.units, setting, dry_run, record)
    chosen = Chosen([], wanted.left_alone, wanted.refused, wanted.unmatched, [])
    for unit in wanted.units:
        target = Target(unit.state.id, TargetKind.UNIT, unit.state.id)
        value = next_value(unit, setting, dry_run)
        members = choose([target], scenario, procfs, value, scope._replace(own_units=unit.manager.user))
        chosen.meant.extend(members.meant)
        chosen.left_alone.extend(members.left_alone)
        chosen.refused.extend(members.refused)
        chosen.risky.extend(members.risky)
    return chosen, unit_changes


def _keep(units: Sequence[Unit], setting: int | None, dry_run: bool, record: Record) -> list[Persisted]:
    """Write the drop-ins, each of which may be refused when others are written already."""
    record.note([], [], [keep(unit, setting, dry_run=True) for unit in units])
    unit_changes: list[Persisted] = []
    try:
        for unit in units:
            unit_changes.append(keep(unit, setting, dry_run))
    except OomctlError:
        record.note([], [], unit_changes)
        complain_if_unrecorded(record)
        raise
    return unit_changes
