"""What users write for processes, ``sshd``, ``812``, ``sshd.service``, ``user:postgres``, and what it matches."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from oomctl.errors import BadInput, ImpossibleHere
from oomctl.kernel.constraint import below
from oomctl.model import LeftAlone, Task
from oomctl.procfs.cgroup import Memcgs, hierarchies
from oomctl.procfs.details import unit_in, user_name
from oomctl.procfs.reader import Procfs, read_at

PID_MAX_LIMIT = 4194304  # include/linux/threads.h
_LONGEST_NUMBER = 32
_UNIT = re.compile(r".\.(service|scope|slice|socket|mount|swap)$")
_FIRST_LOGIN_UID = 1000
_LOGIN_DEFS = "/etc/login.defs"
_SESSION_COMMS = {"sshd-session", "sshd-auth", "login"}


class Target(NamedTuple):
    """One word of the user's, understood."""

    word: str
    kind: str
    """pid, name, unit, cgroup, user or cmd."""
    value: str


class Scope(NamedTuple):
    """Which of the processes that a target matches are meant."""

    everyone: bool = False
    """``--all``: every match, not only its root."""
    tree: bool = False
    """``--tree``: all descendants as well."""
    any_user: bool = False
    """``--any-user``: also processes of login users, when lowering by name."""
    force: bool = False


class Selection(NamedTuple):
    meant: list[Task]
    left_alone: list[LeftAlone]
    refused: list[LeftAlone]
    unmatched: list[Target]


def parse(word: str) -> Target:
    """Understand one target; BadInput when it can be none."""
    if re.fullmatch(r"[+-]?\d+", word, re.ASCII):
        # int() itself refuses thousands of digits, with a traceback.
        if len(word) > _LONGEST_NUMBER or not 1 <= int(word) <= PID_MAX_LIMIT:
            shown = word if len(word) <= _LONGEST_NUMBER else word[:_LONGEST_NUMBER] + "..."
            raise BadInput(f"target {shown}: not a PID, they run from 1 to {PID_MAX_LIMIT}")
        return Target(word, "pid", str(int(word)))
    prefix, colon, value = word.partition(":")
    if colon and prefix in ("cgroup", "user", "cmd"):
        if not value:
            raise BadInput(f"target {word!r}: nothing behind {prefix}:")
        if prefix == "cmd":
            _regex(word, value)
        return Target(word, prefix, value)
    if not word.strip():
        raise BadInput("target: an empty word names no process")
    return Target(word, "unit" if _UNIT.search(word) else "name", word)


def matching(targets: Iterable[Target], tasks: Sequence[Task], procfs: Procfs | None) -> dict[Target, list[Task]]:
    """Return the processes that each target matches, in the order of ``tasks``.

    Without ``procfs`` the tasks are those of a document, and only what it says of them can match.
    Patterns never match oomctl itself, those that started it (``cmd:``), or kernel threads.
    """
    return {target: _matches(target, tasks, procfs) for target in targets}


def no_match(word: str, hidden: int) -> str:
    """Say that ``word`` matches nothing; where ``hidden`` processes could not be read it may be one of those."""
    hint = f"; {hidden} are hidden from you (hidepid): ask as root" if hidden else ""
    return f"{word}: no process matches{hint}"


def select(
    targets: Sequence[Target],
    tasks: Sequence[Task],
    procfs: Procfs | None,
    adj: int,
    scope: Scope,
    main_pids: Mapping[str, int] | None = None,
) -> Selection:
    """Decide who gets ``adj``, who is left alone and who must not be touched.

    Lowering protects whatever the process starts later, so it is for the root of each match (of a unit in
    ``main_pids``: for its main process); raising is for every match.
    """
    meant: dict[int, Task] = {}
    left_alone: dict[int, LeftAlone] = {}
    refused: dict[int, LeftAlone] = {}
    found = matching(targets, tasks, procfs)
    for target, matches in found.items():
        followers = {} if scope.everyone or scope.tree else _followers(target, matches, main_pids or {})
        for task in _with_descendants(matches, tasks) if scope.tree else matches:
            lowering = adj < task.adj
            # Distrust first: an impostor is one as the child of another, too.
            if lowering and (reason := _distrust(target, task, scope)):
                left_alone.setdefault(task.pid, LeftAlone(task.pid, task.comm, reason, distrusted=True))
            elif lowering and task.pid in followers:
                left_alone[task.pid] = LeftAlone(task.pid, task.comm, followers[task.pid])
            elif reason := _refusal(task, procfs, lowering, scope):
                refused[task.pid] = LeftAlone(task.pid, task.comm, reason)
            else:
                meant[task.pid] = task
    return Selection(
        list(meant.values()),
        [entry for pid, entry in left_alone.items() if pid not in meant and pid not in refused],
        [entry for pid, entry in refused.items() if pid not in meant],
        [target for target, matches in found.items() if not matches],
    )


def _followers(target: Target, matches: Sequence[Task], main_pids: Mapping[str, int]) -> dict[int, str]:
    """Return the matches that are not to be lowered themselves, each with the reason."""
    pids = {task.pid for task in matches}
    main_pid = main_pids.get(target.value) if target.kind == "unit" else None
    if main_pid in pids:
        return dict.fromkeys(pids - {main_pid}, f"not the main process of {target.value} (--all takes it)")
    return {task.pid: "child of another match (--all takes it)" for task in matches if task.ppid in pids}


def matcher(target: Target, procfs: Procfs | None) -> Callable[[Task], bool]:
    """Return what tells whether ``target`` matches a process, of which it asks no more than pid, comm, uid and kthread.

    Raises ImpossibleHere for a cgroup that does not exist.
    """
    if target.kind == "pid":
        pid = int(target.value)
        return lambda task: task.pid == pid
    match = _pattern_matcher(target, procfs)
    own_pid = procfs.own_pid if procfs is not None else None
    return lambda task: not task.kthread and task.pid != own_pid and match(task)


def _matches(target: Target, tasks: Sequence[Task], procfs: Procfs | None) -> list[Task]:
    match = matcher(target, procfs)
    return [task for task in tasks if match(task)]


def _pattern_matcher(target: Target, procfs: Procfs | None) -> Callable[[Task], bool]:
    value = target.value
    if target.kind == "user":
        return lambda task: value in (user_name(task.uid), str(task.uid))
    if target.kind == "cgroup":
        return _cgroup_matcher(value, procfs)
    if target.kind == "unit":
        return lambda task: _in_unit(task, value, procfs)
    if target.kind == "cmd":
        if procfs is None:
            raise BadInput(f"target {target.word!r}: the document has no command lines to match")
        searched = _regex(target.word, value)
        starters = functools.cache(_starters)  # asked for only when something matches
        return lambda task: bool(searched.search(_text(procfs, task.pid, "cmdline"))) and task.pid not in starters()
    pattern = _wildcards(value)
    return lambda task: bool(pattern.fullmatch(task.comm) or pattern.fullmatch(_executable(procfs, task)))


def _cgroup_matcher(name: str, procfs: Procfs | None) -> Callable[[Task], bool]:
    if procfs is None:
        path = "/" + name.strip("/")
        return lambda task: task.memcg is not None and below(task.memcg, path)
    memcgs = Memcgs.of(procfs)
    if memcgs is None:
        raise ImpossibleHere(f"target cgroup:{name}: no memory controller is mounted here")
    path = memcgs.resolve(name)

    def match(task: Task) -> bool:
        own = task.memcg or memcgs.path_of_pid(task.pid)
        return own is not None and below(own, path)

    return match


def _in_unit(task: Task, unit: str, procfs: Procfs | None) -> bool:
    cgroups = _text(procfs, task.pid, "cgroup") if procfs else f"0::{task.memcg or '/'}"
    if unit.endswith(".slice"):
        return any(unit in path.split("/") for _, path in hierarchies(cgroups))
    return unit_in(cgroups) == unit


def _executable(procfs: Procfs | None, task: Task) -> str:
    """Return the basename of the executable; empty where it is not readable."""
    if procfs is None:
        return ""
    try:
        path = os.readlink(f"{procfs.root}/{task.pid}/exe")
    except OSError:
        return ""
    return os.path.basename(path.removesuffix(" (deleted)"))


def _text(procfs: Procfs | None, pid: int, name: str) -> str:
    if procfs is None:
        return ""
    try:
        with procfs.open_task(pid) as directory:
            text = read_at(directory, name, 1 << 16)
    except OSError:
        return ""
    return text.decode(errors="replace").rstrip("\0").replace("\0", " ")


def _wildcards(name: str) -> re.Pattern[str]:
    """Compile a name in which ``*`` and ``?`` are wildcards and nothing else is."""
    return re.compile(re.escape(name).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def _regex(word: str, value: str) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a later Python may read differently
            return re.compile(value)
    except (re.error, ValueError, OverflowError, RecursionError) as error:  # ValueError: thousands of digits
        raise BadInput(f"target {word!r}: not a regular expression: {error}") from None


def _starters() -> set[int]:
    """PIDs of the shell, sudo and whoever else is above this process: their command line holds the pattern, too."""
    import psutil

    found: set[int] = set()
    with contextlib.suppress(psutil.Error):  # with hidepid: whom we may not see we cannot match either
        process = psutil.Process().parent()
        while process is not None:
            found.add(process.pid)
            process = process.parent()
    return found


def _with_descendants(roots: Sequence[Task], tasks: Sequence[Task]) -> list[Task]:
    children: dict[int, list[Task]] = {}
    for task in tasks:
        children.setdefault(task.ppid, []).append(task)
    found = {task.pid: task for task in roots}
    waiting = list(roots)
    while waiting:
        for child in children.get(waiting.pop().pid, []):
            if child.pid not in found:
                found[child.pid] = child
                waiting.append(child)
    return list(found.values())


def _distrust(target: Target, task: Task, scope: Scope) -> str | None:
    """Anyone can name a program ``sshd``: a name alone does not earn a login user's process protection."""
    if scope.any_user or target.kind not in ("name", "cmd") or task.uid < first_login_uid():
        return None
    return f"belongs to {user_name(task.uid)}, and anyone can use that name (--any-user takes it)"


def _refusal(task: Task, procfs: Procfs | None, lowering: bool, scope: Scope) -> str | None:
    if task.zombie:
        return "it has already exited and only waits to be reaped"
    if scope.force:
        return None
    if task.kthread:
        return "kernel thread: it is never chosen, whatever its adj (--force overrides)"
    if task.pid == 1:
        return (
            "PID 1: the OOM killer never takes it, and everything started later would inherit the value"
            " (--force overrides)"
        )
    if lowering and _is_login_session(task, procfs):
        return "a login session: everything its user starts would inherit the protection (--force overrides)"
    return None


def _is_login_session(task: Task, procfs: Procfs | None) -> bool:
    """Before OpenSSH 9.8 sessions are called sshd as well and say so in their title: ``sshd: user@pts/0``."""
    if task.comm in _SESSION_COMMS:
        return True
    title = _text(procfs, task.pid, "cmdline") if task.comm == "sshd" else ""
    return title.startswith("sshd: ") and "[listener]" not in title


def first_login_uid() -> int:
    """Return UID_MIN of /etc/login.defs: the first number of a person."""
    try:
        with open(_LOGIN_DEFS, encoding="utf-8", errors="replace") as file:
            match = re.search(r"^\s*UID_MIN\s+(\d+)", file.read(), re.MULTILINE)
    except OSError:
        match = None
    return int(match[1]) if match else _FIRST_LOGIN_UID
