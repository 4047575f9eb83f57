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
from oomctl.patience import TooLong, finds
from oomctl.procfs.cgroup import Memcgs, hierarchies
from oomctl.procfs.details import unit_in, user_name
from oomctl.procfs.identity import identity, text_of
from oomctl.procfs.provenance import executable_name
from oomctl.procfs.reader import Procfs
from oomctl.trust import UnitFacts, distrust_of_descendant, distrust_of_name, distrust_of_unit, refusal, risk_of_raising

PID_MAX_LIMIT = 4194304  # include/linux/threads.h
_LONGEST_NUMBER = 32
_UNIT = re.compile(r".\.(service|scope|slice|socket|mount|swap)$")


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
    """``--any-user``: also those that may not be what they are called, when lowering."""
    force: bool = False
    own_units: bool = False
    """``--user``: units are those of the service manager of whoever runs this."""


class Selection(NamedTuple):
    meant: list[Task]
    left_alone: list[LeftAlone]
    refused: list[LeftAlone]
    unmatched: list[Target]
    risky: list[tuple[Task, str]]
    """Those whose raising would cost the way into the machine, and how: only if somebody confirms it."""
    named_by: dict[int, Target]
    """The target that means each of ``meant`` and ``risky``, by PID."""


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
    units: Mapping[str, UnitFacts] | None = None,
) -> Selection:
    """Decide who gets ``adj``, who is left alone and who must not be touched.

    Lowering protects whatever the process starts later, so it is for the root of each match (of a unit in
    ``units``: for its main process), and only for what is what it is called; raising is for every match.
    """
    meant: dict[int, Task] = {}
    left_alone: dict[int, LeftAlone] = {}
    refused: dict[int, LeftAlone] = {}
    risky: dict[int, tuple[Task, str]] = {}
    named_by: dict[int, Target] = {}
    matches_of = matching(targets, tasks, procfs)
    for target, matches in matches_of.items():
        facts = (units or {}).get(target.value, UnitFacts())
        direct = {task.pid for task in matches}
        followers = {} if scope.everyone or scope.tree else _followers(target, matches, facts.main_pid)
        for task in _with_descendants(matches, tasks) if scope.tree else matches:
            lowering = adj < task.adj
            # Distrust first: an impostor is one as the child of another, too.
            if lowering and (reason := _distrust(target, task, procfs, scope, facts, task.pid in direct)):
                left_alone.setdefault(task.pid, LeftAlone(task.pid, task.comm, reason, distrusted=True))
            elif lowering and task.pid in followers:
                left_alone[task.pid] = LeftAlone(task.pid, task.comm, followers[task.pid])
            elif reason := refusal(task, procfs, lowering, scope.force):
                refused[task.pid] = LeftAlone(task.pid, task.comm, reason)
            elif adj > task.adj and not scope.force and (reason := risk_of_raising(task, procfs)):
                risky[task.pid] = task, reason
                named_by[task.pid] = target
            else:
                meant[task.pid] = task
                named_by[task.pid] = target
    return Selection(
        list(meant.values()),
        [entry for pid, entry in left_alone.items() if pid not in named_by and pid not in refused],
        [entry for pid, entry in refused.items() if pid not in named_by],
        [target for target, matches in matches_of.items() if not matches],
        [entry for pid, entry in risky.items() if pid not in meant],
        named_by,
    )


def still_meant(
    target: Target,
    task: Task,
    procfs: Procfs,
    adj: int,
    scope: Scope,
    facts: UnitFacts = UnitFacts(),  # noqa: B008 - a value without state
) -> bool:
    """Whether the process that has this PID now is the one that ``target`` meant when ``task`` was read.

    To be asked while the process is held open (``Procfs.held``), just before it is written: a PID can be taken over
    within one tick of the clock that start times are measured in, and a process can become another program.
    """
    now = identity(procfs, task.pid)
    if now is None:
        return True  # it has ended or is hidden, as the write will find
    if now.start_ticks != task.start_ticks:
        return False
    if target.kind == "pid":
        return not scope.tree or task.pid == int(target.value) or _same(task, now)
    direct = matcher(target, procfs)(now)
    if not direct:
        return scope.tree and _same(task, now)
    return not (adj < now.adj and _distrust(target, now, procfs, scope, facts, direct=True))


def _same(task: Task, now: Task) -> bool:
    """Whether a descendant, that no target names, is the one that was found."""
    return (now.comm, now.uid, now.ppid) == (task.comm, task.uid, task.ppid)


def _distrust(
    target: Target, task: Task, procfs: Procfs | None, scope: Scope, facts: UnitFacts, direct: bool
) -> str | None:
    """Say why ``task`` is not lowered by this target; ``direct``: it matches itself, not an ancestor of it."""
    if scope.any_user or target.kind not in ("name", "cmd", "unit"):
        return None
    if not direct:
        return distrust_of_descendant(task, procfs)
    if target.kind == "unit":
        return distrust_of_unit(task, procfs, target.value, facts, os.geteuid() if scope.own_units else None)
    return distrust_of_name(task, procfs, _wildcards(target.value) if target.kind == "name" else None)


def _followers(target: Target, matches: Sequence[Task], main_pid: int | None) -> dict[int, str]:
    """Return the matches that are not to be lowered themselves, each with the reason."""
    pids = {task.pid for task in matches}
    if main_pid in pids:
        return dict.fromkeys(pids - {main_pid}, f"not the main process of {target.value} (--all takes it)")
    return {task.pid: "child of another match (--all takes it)" for task in matches if task.ppid in pids}


def matcher(target: Target, procfs: Procfs | None) -> Callable[[Task], bool]:
    """Return what tells whether ``target`` matches a process, of which it asks no more than pid, comm, uid and kthread.

    Raises ImpossibleHere for a cgroup that does not exist.
    """
    if target.kind == "pid":
        if procfs is not None and procfs.of_another_namespace:
            raise ImpossibleHere(
                f"{procfs.root} is that of another PID namespace, where {target.value} is not the process that it is"
                f" here; mount this one's own (mount -t proc proc /proc), or set OOMCTL_PROC={procfs.root} to mean that"
            )
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
        return _command_line_matcher(_regex(target.word, value), procfs)
    pattern = _wildcards(value)
    if procfs is None:
        return lambda task: bool(pattern.fullmatch(task.comm))
    return lambda task: bool(pattern.fullmatch(task.comm) or pattern.fullmatch(executable_name(procfs, task.pid)))


def _command_line_matcher(pattern: re.Pattern[str], procfs: Procfs) -> Callable[[Task], bool]:
    starters = functools.cache(_starters)  # asked for only when something matches
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
    memcgs = Memcgs.of(procfs)
    if memcgs is None:
        raise ImpossibleHere(f"target cgroup:{name}: no memory controller is mounted here")
    path = memcgs.resolve(name)

    def match(task: Task) -> bool:
        own = task.memcg or memcgs.path_of_pid(task.pid)
        return own is not None and below(own, path)

    return match


def _in_unit(task: Task, unit: str, procfs: Procfs | None) -> bool:
    cgroups = text_of(procfs, task.pid, "cgroup") if procfs else f"0::{task.memcg or '/'}"
    if unit.endswith(".slice"):
        return any(unit in path.split("/") for _, path in hierarchies(cgroups))
    return unit_in(cgroups) == unit


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
