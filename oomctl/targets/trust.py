"""What a name earns: anyone can call a program ``sshd``, and what is protected is not killed any more.

Each answer is a reason, or None where nothing stands in the way.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from oomctl.guard import files
from oomctl.kernel.constraint import below
from oomctl.model.changes import Doubt, Refusal, Risk, WhyLeftAlone
from oomctl.model.kernel import Task
from oomctl.procfs.details import systemd_path, user_of
from oomctl.procfs.identity import text_of
from oomctl.procfs.provenance import Provenance, is_machine_init, provenance
from oomctl.procfs.reader import Procfs
from oomctl.targets.words import TargetKind

_FIRST_LOGIN_UID = 1000
_LOGIN_DEFS = "/etc/login.defs"
_MOST_BYTES = 1 << 20
DOUBTFUL = (TargetKind.NAME, TargetKind.CMD, TargetKind.UNIT)
"""Kinds of targets that somebody can pretend to be."""
_SESSION_COMMS = {"sshd-session", "sshd-auth", "login"}


class UnitFacts(NamedTuple):
    """What a service manager says of a unit that is running."""

    main_pid: int | None = None
    cgroup: str | None = None
    """Its path in systemd's hierarchy; None where the manager was not asked or does not say."""


def distrust_of_name(task: Task, procfs: Procfs | None, name: re.Pattern[str] | None) -> WhyLeftAlone | None:
    """Say why a process that calls itself so may be something else.

    ``name`` is what its executable has to be called unless root runs it; None where its command line was searched,
    which says whatever the process wants it to say.
    """
    if task.uid >= first_login_uid():
        return WhyLeftAlone(Doubt.LOGIN_USER, user=user_of(procfs, task.uid))
    if procfs is None:
        return None
    if name is None and task.uid != 0:
        return WhyLeftAlone(Doubt.COMMAND_LINE, user=user_of(procfs, task.uid))
    seen = provenance(procfs, task.pid)
    if seen is None:
        return WhyLeftAlone(Doubt.UNSEEN)
    reason = _distrust_of_program(seen)
    if reason is None and task.uid != 0 and name is not None and not name.fullmatch(seen.name):
        return WhyLeftAlone(Doubt.OTHER_NAME, user=user_of(procfs, task.uid), path=seen.path)
    return reason


def distrust_of_descendant(task: Task, procfs: Procfs | None) -> WhyLeftAlone | None:
    """Say why a descendant of what was named is not lowered with it: a login's and a container's processes are not."""
    if task.uid >= first_login_uid():
        return WhyLeftAlone(Doubt.USER_NOT_NAMED, user=user_of(procfs, task.uid))
    seen = provenance(procfs, task.pid) if procfs is not None else None
    if seen is not None and not seen.same_namespaces:
        return WhyLeftAlone(Doubt.OTHER_NAMESPACE)
    return None


def _distrust_of_program(seen: Provenance) -> WhyLeftAlone | None:
    if not seen.same_namespaces:
        return WhyLeftAlone(Doubt.OTHER_NAMESPACE)
    if not seen.same_file_here:
        return WhyLeftAlone(Doubt.OTHER_FILE, path=seen.path)
    if not seen.only_root_can_change_it:
        return WhyLeftAlone(Doubt.CHANGEABLE, path=seen.path)
    if seen.set_user_id:
        return WhyLeftAlone(Doubt.SET_USER_ID, path=seen.path)
    return None


def distrust_of_unit(
    task: Task, procfs: Procfs | None, unit: str, facts: UnitFacts, user: int | None
) -> WhyLeftAlone | None:
    """Say why a process in a cgroup of that name does not belong to the unit of the service manager that is meant.

    ``user`` is whose own service manager it is; None: the system's.
    """
    if procfs is None:
        return None
    path = systemd_path(text_of(procfs, task.pid, "cgroup")) or "/"
    top = _top_of(procfs)
    if facts.cgroup is not None:
        belongs = below(path, top + facts.cgroup)
    else:
        belongs = below(path, top or "/") and _is_in_unit(path[len(top) :], unit, user)
    if belongs:
        return None
    return WhyLeftAlone(Doubt.NOT_OF_SYSTEM_UNIT if user is None else Doubt.NOT_OF_OWN_UNIT, path=path, unit=unit)


def _top_of(procfs: Procfs) -> str:
    """Return where systemd's own tree begins: "" but for a container without a cgroup namespace of its own."""
    path = systemd_path(text_of(procfs, 1, "cgroup"))
    return re.sub(r"/(init\.scope|system\.slice|system)$", "", path)


def _is_in_unit(path: str, unit: str, user: int | None) -> bool:
    """Whether ``path`` is where a service manager without special settings has ``unit``: below slices only."""
    parts = [part for part in path.split("/") if part]
    if user is not None:
        manager = f"user@{user}.service"
        if manager not in parts:
            return False
        parts = parts[parts.index(manager) + 1 :]
    for part in parts:
        if part == unit:
            return True
        if not part.endswith(".slice"):
            return False
    return False


def refusal(task: Task, procfs: Procfs | None, lowering: bool, force: bool) -> WhyLeftAlone | None:
    """Say why nothing is written to this process, however it was named."""
    if task.zombie:
        return WhyLeftAlone(Refusal.ZOMBIE)
    if force:
        return None
    if task.kthread:
        return WhyLeftAlone(Refusal.KTHREAD)
    if not lowering:
        return None
    if _is_init(task, procfs):
        return WhyLeftAlone(Refusal.INIT)
    if is_login_session(task, procfs):
        return WhyLeftAlone(Refusal.LOGIN_SESSION)
    return None


def risk_of_raising(task: Task, procfs: Procfs | None) -> WhyLeftAlone | None:
    """Say what would be lost if this process were killed first: the way into the machine.

    Only of what root runs and is what it says: nobody escapes a higher value by calling himself sshd.
    """
    if _is_init(task, procfs):
        return WhyLeftAlone(Risk.INIT)
    if task.uid != 0 or (procfs is not None and not _is_trusted(procfs, task.pid)):
        return None
    if is_login_session(task, procfs):
        return WhyLeftAlone(Risk.LOGIN_SESSION)
    if task.comm == "sshd":
        return WhyLeftAlone(Risk.SSHD)
    return None


def _is_trusted(procfs: Procfs, pid: int) -> bool:
    seen = provenance(procfs, pid)
    return seen is not None and _distrust_of_program(seen) is None


def _is_init(task: Task, procfs: Procfs | None) -> bool:
    """Only the machine's: PID 1 of a container is its main process, and the killer may take it."""
    return task.pid == 1 and (is_machine_init(procfs, 1) if procfs is not None else task.init)


def is_login_session(task: Task, procfs: Procfs | None) -> bool:
    """Whether it is the server's end of a login.

    Before OpenSSH 9.8 sessions are called sshd as well and say so in their title: ``sshd: user@pts/0``.
    """
    if task.comm in _SESSION_COMMS:
        return True
    title = text_of(procfs, task.pid, "cmdline") if task.comm == "sshd" and procfs is not None else ""
    return title.startswith("sshd: ") and "[listener]" not in title


@functools.cache
def first_login_uid() -> int:
    """Return UID_MIN of /etc/login.defs: the first number of a person."""
    try:
        text = files.read_regular(_LOGIN_DEFS, _MOST_BYTES).decode(errors="replace")
    except OSError:
        return _FIRST_LOGIN_UID
    match = re.search(r"^\s*UID_MIN\s+(\d{1,10})", text, re.MULTILINE)
    return int(match[1]) if match else _FIRST_LOGIN_UID
