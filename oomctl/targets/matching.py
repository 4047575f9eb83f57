"""Which processes a target matches."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterable, Sequence

from oomctl.errors import BadInput, ImpossibleHere
from oomctl.kernel.constraint import below
from oomctl.model.kernel import Task
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.cgrouppaths import hierarchies
from oomctl.procfs.details import unit_in, user_of
from oomctl.procfs.identity import identity, text_of
from oomctl.procfs.provenance import executable_name
from oomctl.procfs.reader import Procfs
from oomctl.procfs.workers import shared_out
from oomctl.targets.words import Target, TargetKind, expression


def matching(targets: Iterable[Target], tasks: Sequence[Task], procfs: Procfs | None) -> dict[Target, list[Task]]:
    """Return the processes that each target matches, in the order of ``tasks``.

    Without ``procfs`` the tasks are those of a document, and only what it says of them can match.
    Patterns never match oomctl itself, those that started it (``cmd:``), or kernel threads.
    """
    return {target: _matches(target, tasks, procfs) for target in targets}


def no_match(word: str, hidden: int) -> str:
    """Say that ``word`` matches nothing; where ``hidden`` processes could not be read it may be one of those."""
    why, where = why_hidden()
    hint = f"; {hidden} {'is' if hidden == 1 else 'are'} hidden from you ({why}): {where}" if hidden else ""
    return f"{word}: no process matches{hint}"


def nobody_visible(hidden: int) -> tuple[str, str]:
    """Say that no process at all can be seen of so many, and what would help."""
    why, where = why_hidden()
    seen = f"no process is visible from here: {hidden} {'is' if hidden == 1 else 'are'} hidden from you ({why})"
    return seen, f"{where}, or mount the host's /proc and say --proc DIR: oomctl-guide(7)"


def why_hidden() -> tuple[str, str]:
    """Say what hides processes from this user, and where to ask to see them."""
    if os.geteuid() == 0:
        return "in other PID namespaces, or by hidepid", "ask on the host"
    return "hidepid", "ask as root"


def matcher(target: Target, procfs: Procfs | None) -> Callable[[Task], bool]:
    """Return what tells whether ``target`` matches a process, of which it asks no more than pid, comm, uid and kthread.

    Raises ImpossibleHere for a cgroup that does not exist.
    """
    if target.kind is TargetKind.PID:
        if procfs is not None and procfs.of_another_namespace:
            raise ImpossibleHere(
                f"{procfs.root} is that of another PID namespace, where {target.value} is not the process that it is"
                f" here; mount this one's own (mount -t proc proc /proc), or say --proc {procfs.root} to mean that"
            )
        pid = int(target.value)
        return lambda task: task.pid == pid
    match = _pattern_matcher(target, procfs)
    own_pid = procfs.own_pid if procfs is not None else None
    return lambda task: not task.kthread and task.pid != own_pid and match(task)


def is_there(target: Target, procfs: Procfs) -> bool:
    """Whether the cgroup is there that ``target`` names; whatever else it names need not be there to be asked about.

    Raises ImpossibleHere where no cgroup can be looked up.
    """
    if target.kind is not TargetKind.CGROUP:
        return True
    memcgs = _memcgs(target.value, procfs)
    try:
        memcgs.resolve(target.value)
    except ImpossibleHere:
        return False
    return True


def _matches(target: Target, tasks: Sequence[Task], procfs: Procfs | None) -> list[Task]:
    match = matcher(target, procfs)
    if procfs is None or target.kind in (TargetKind.PID, TargetKind.USER):
        return [task for task in tasks if match(task)]
    # Each takes a look at a file or two more.
    parts = shared_out(lambda part: [task.pid for task in part if match(task)], tasks, procfs.workers)
    pids = {pid for part in parts for pid in part}
    return [task for task in tasks if task.pid in pids]


def _pattern_matcher(target: Target, procfs: Procfs | None) -> Callable[[Task], bool]:
    value = target.value
    if target.kind is TargetKind.USER:
        return lambda task: value in (user_of(procfs, task.uid), str(task.uid))
    if target.kind is TargetKind.CGROUP:
        return _cgroup_matcher(value, procfs)
    if target.kind is TargetKind.UNIT:
        return lambda task: _in_unit(task, value, procfs)
    if target.kind is TargetKind.CMD:
        if procfs is None:
            raise BadInput(f"target {target.word!r}: the document has no command lines to match")
        return _command_line_matcher(expression(target.word, value), procfs)
    pattern = wildcards(value)
    if procfs is None:
        return lambda task: bool(pattern.fullmatch(task.comm))
    return lambda task: bool(pattern.fullmatch(task.comm) or pattern.fullmatch(executable_name(procfs, task.pid)))


def _command_line_matcher(pattern: re.Pattern[str], procfs: Procfs) -> Callable[[Task], bool]:
    from oomctl.targets.patience import TooLong, finds  # brings signal, which other targets have no use for

    starters = functools.cache(lambda: _starters(procfs))  # asked for only when something matches
    costly: set[int] = set()
    """Users one of whose command lines took too long to search; with thousands they could take all the time."""

    def match(task: Task) -> bool:
        if task.uid in costly:
            return False
        try:
            return finds(pattern, text_of(procfs, task.pid, "cmdline")) and task.pid not in starters()
        except TooLong:
            if task.uid != 0:
                costly.add(task.uid)
            return False

    return match


def _cgroup_matcher(name: str, procfs: Procfs | None) -> Callable[[Task], bool]:
    if procfs is None:
        path = "/" + name.strip("/")
        return lambda task: task.memcg is not None and below(task.memcg, path)
    memcgs = _memcgs(name, procfs)
    path = memcgs.resolve(name)

    def match(task: Task) -> bool:
        own = task.memcg or memcgs.path_of_pid(task.pid)
        return own is not None and below(own, path)

    return match


def _memcgs(name: str, procfs: Procfs) -> Memcgs:
    memcgs = Memcgs.of(procfs)
    if memcgs is None:
        raise ImpossibleHere(f"target cgroup:{name}: no memory controller is mounted here")
    return memcgs


def _in_unit(task: Task, unit: str, procfs: Procfs | None) -> bool:
    cgroups = text_of(procfs, task.pid, "cgroup") if procfs else f"0::{task.memcg or '/'}"
    if unit.endswith(".slice"):
        return any(unit in path.split("/") for _, path in hierarchies(cgroups))
    return unit_in(cgroups) == unit


def wildcards(name: str) -> re.Pattern[str]:
    """Compile a name in which ``*`` and ``?`` are wildcards and nothing else is."""
    return re.compile(re.escape(name).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def _starters(procfs: Procfs) -> set[int]:
    """PIDs of the shell, sudo and whoever else is above this process: their command line holds the pattern, too."""
    own = identity(procfs, procfs.own_pid) if procfs.own_pid is not None else None
    pids: set[int] = set()
    # Ends at one that is hidden, as with hidepid: whom we may not see we cannot match either.
    while own is not None and own.ppid and own.ppid not in pids:
        pids.add(own.ppid)
        own = identity(procfs, own.ppid)
    return pids
