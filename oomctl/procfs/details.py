"""What people want to know of a process: user, unit, cgroup, command line."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from oomctl.model.kernel import Task
from oomctl.model.listing import Details, Row
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.cgrouppaths import cgroups_at, hierarchies
from oomctl.procfs.reader import Procfs
from oomctl.procfs.reading import read_at
from oomctl.procfs.statfiles import start_ticks_at, state_at

_UNIT_TYPES = (".service", ".scope", ".socket", ".mount", ".swap")
_LONGEST_CMDLINE = 1 << 12


class DetailReader:
    """Reads the details of processes of one machine."""

    def __init__(self, procfs: Procfs, memcgs: Memcgs | None = None) -> None:
        self._procfs = procfs
        self._memcgs = memcgs or Memcgs.of(procfs)
        self._boot_time = procfs.boot_time()

    @property
    def sees_memcgs(self) -> bool:
        """Whether memory cgroups are mounted here; if not, the cgroups of the details are only names."""
        return self._memcgs is not None

    def details(self, task: Task, cmdline: bool = False) -> Details:
        """Return the details of ``task``; only its user where the process is gone meanwhile."""
        start_time = round(self._boot_time + task.start_ticks / self._procfs.clock_ticks, 2)
        plain = Details(user_of(self._procfs, task.uid), start_time, cgroup=task.memcg)
        try:
            with self._procfs.open_task(task.pid) as directory:
                if start_ticks_at(directory) != task.start_ticks:
                    return plain
                cgroups = cgroups_at(directory)
                return plain._replace(
                    cgroup=self._memcgs.path_in(cgroups, directory) if self._memcgs else cgroup_in(cgroups),
                    unit=unit_in(cgroups),
                    manager_uid=manager_uid_in(cgroups),
                    cmdline=_cmdline(directory) if cmdline else None,
                )
        except OSError:
            return plain


def unit_in(cgroups: str) -> str | None:
    """Return the systemd unit in the text of ``/proc/PID/cgroup``: the innermost service or scope, else slice."""
    parts = systemd_path(cgroups).split("/")
    for suffixes in (_UNIT_TYPES, (".slice",)):
        for part in reversed(parts):
            if part.endswith(suffixes):
                return part
    return None


def cgroup_in(cgroups: str) -> str | None:
    """Return the cgroup in the text of ``/proc/PID/cgroup``, where none is mounted to look it up.

    That of the memory controller, else that of v2; None for the root, which everything is in.
    """
    by_controller = {name: path for names, path in hierarchies(cgroups) for name in names.split(",")}
    path = by_controller.get("memory", by_controller.get("", "/")).removesuffix(" (deleted)")
    return None if path == "/" else path


def manager_uid_in(cgroups: str) -> int | None:
    """Return whose service manager has that unit; None for the system's."""
    match = re.search(r"/user@(\d{1,10})\.service/", systemd_path(cgroups))
    return int(match[1]) if match else None


def systemd_path(cgroups: str) -> str:
    """Return the path in systemd's hierarchy in the text of ``/proc/PID/cgroup``; empty at its root."""
    path = ""
    for controllers, candidate in hierarchies(cgroups):
        if controllers in ("", "name=systemd") and candidate != "/":
            path = candidate
    return path


def user_of(procfs: Procfs | None, uid: int) -> str:
    """Return the name of ``uid``; its number where ``procfs`` shows a place that has other names than here."""
    return user_name(uid) if procfs is None or procfs.has_names_of_here else str(uid)


@functools.cache
def user_name(uid: int) -> str:
    """Return the name of ``uid`` here, or its number where it has none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def cmdline_of(procfs: Procfs, task: Task) -> str | None:
    """Return the command line of ``task`` alone; None as well where the process is gone."""
    try:
        with procfs.open_task(task.pid) as directory:
            return _cmdline(directory) if start_ticks_at(directory) == task.start_ticks else None
    except OSError:
        return None


def _cmdline(directory: int) -> str | None:
    """Return the arguments joined by spaces; None for a process without any.

    Reading them takes the process's mmap lock; a process in uninterruptible sleep may hold it
    for as long as memory is short, and whoever reads then hangs with it.
    """
    if state_at(directory) == "D":
        return None
    arguments = read_at(directory, "cmdline", _LONGEST_CMDLINE).rstrip(b"\0")
    return arguments.replace(b"\0", b" ").decode(errors="replace") or None


def with_details(rows: Sequence[Row], procfs: Procfs, cmdline: bool = False) -> list[Row]:
    """Return ``rows`` with the details of each process; the command line only if asked for."""
    reader = DetailReader(procfs)
    return [row._replace(details=reader.details(row.task, cmdline)) for row in rows]
