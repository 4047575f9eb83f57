"""oomctl for other Python programs: five functions, which say and do what the commands of these names do.

What they take and give are the values of ``oomctl.model.kernel`` and ``oomctl.model.oomreport``, and what they raise on
purpose are the errors of ``oomctl.errors``; ``ValueError`` and ``TypeError`` are mistakes of the caller. In these four
modules names stay, and values get new fields only behind those they have: use fields by name. Everything else of the
package may change. oomctl-api(3) has all of it on one page.

Unlike oomctl, the program that calls is a process like others: it stays, so it may be the next victim. It is not
forked, and nothing is printed. Calls share nothing, so that any thread may make them; only targets ``cmd:REGEX``, asked
in the main thread, take SIGVTALRM and its timer for as long as they search.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from operator import index

from oomctl.errors import NotPermitted, Refused, Vanished
from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN
from oomctl.kernel.invocation import out_of_memory
from oomctl.kernel.scenario_rules import rules_of
from oomctl.kernel.selection import scan
from oomctl.model.changes import Change, Status
from oomctl.model.kernel import Candidate, Round, Scenario, Task
from oomctl.model.oomreport import OomReport, Replayed
from oomctl.procfs import survey
from oomctl.procfs.identity import identity, process_of
from oomctl.procfs.reader import Procfs
from oomctl.procfs.writer import write_adj
from oomctl.render import refusals
from oomctl.render.text import named
from oomctl.scenario.question import Question, Shortage, at_once, live
from oomctl.scenario.supposed import Supposed, suppose
from oomctl.targets.selection import Scope, select
from oomctl.targets.words import PID_MAX_LIMIT, Target, parse_target

__all__ = ["history", "rank", "set_adj", "simulate", "snapshot"]

_NEAREST = 5


def snapshot(*, cgroup: str | None = None, target: str | int | None = None, root: str = "/proc") -> Scenario:
    """Return everything that the kernel would decide by if its memory ran out now, as a value to keep and to ask.

    The memory is that of the whole machine, with ``cgroup`` (a path or a unit) what that cgroup is limited to, with
    ``target`` (a PID, or a word that commands take for a TARGET) the nearest limit that this process would hit. A
    cgroup without a limit has ``context.unlimited``, and no OOM. ``root`` is where the /proc in question is mounted.

    Raises ImpossibleHere: no such cgroup, or no /proc of Linux; NothingMatched: no such process; BadInput: no target.
    """
    return live(_procfs(root), _shortage(cgroup, target)).scenario


def simulate(
    scenario: Scenario | None = None,
    *,
    cgroup: str | None = None,
    target: str | int | None = None,
    adjs: Mapping[str | int, int] | None = None,
    without: str | int | Iterable[str | int] = (),
    sudden: bool = False,
    root: str = "/proc",
) -> Round:
    """Return whom the kernel would kill in ``scenario``, or now if it is None, how sure that is, and why.

    ``cgroup`` and ``target`` say which memory runs out now, as for ``snapshot``. What if: ``adjs`` gives the processes
    that a target means an oom_score_adj, as ``oomctl set`` would, those of ``without`` are not there, and ``sudden`` is
    an OOM without reclaim before it, as by SysRq f. In a scenario targets mean what it knows of processes: PID, comm,
    user, cgroup.

    ``certainty`` is about the victim, and where it is close, the victim is one of ``contenders``. ``ranking`` has at
    least the nearest few; ``rank`` has all. Raises what ``snapshot`` raises.
    """
    scope = _shortage(cgroup, target)
    supposed = Supposed(
        adjs=[(_target(word), _checked_adj(adj)) for word, adj in (adjs or {}).items()],
        gone=[_target(word) for word in ([without] if isinstance(without, (str, int)) else without)],
    )
    if scenario is None:
        question = live(_procfs(root), scope, None if any(supposed) else _NEAREST)
    elif any(scope):
        raise ValueError("cgroup and target ask about now, and a scenario says which memory ran out: give one of them")
    else:
        question = Question(scenario, None, None)
    asked = at_once(question.scenario) if sudden else question.scenario
    return out_of_memory(suppose(asked, question, supposed).scenario)


def rank(scenario: Scenario | None = None, limit: int | None = None, *, root: str = "/proc") -> list[Candidate]:
    """Return who can be chosen in ``scenario``, or now if it is None, the next victim first, each with its badness.

    With ``limit`` at most so many; now, that saves reading the others. To know the memory cgroup of each
    (``task.memcg``), rank a ``snapshot``. Raises ImpossibleHere: no /proc of Linux.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit {limit}: expected 1 or more, or None")
    if scenario is None:
        procfs = _procfs(root)
        if limit is None:
            scenario = survey.machine(procfs, cgroups=False)
        else:
            scenario = survey.machine_front(procfs, limit, contenders=False)
    return list(scan(scenario.tasks, scenario.context, rules_of(scenario)).ranking[:limit])


def history(log: str | os.PathLike[str] | Iterable[bytes] | None = None) -> Iterator[Replayed]:
    """Yield past OOM kills, the oldest first: what the log says of each, and whether the rules choose the same.

    The log is a file, plain or packed by gzip or xz; or plain bytes in pieces of any size, such as a file that is open
    in binary mode; or, if it is None, the kernel's ring buffer, which has what was logged since the machine started,
    the latest of it. The journal is not asked: that would start a program.

    Raises, when the first is asked for, BadInput: no such file, or no file; NotPermitted: reading it was refused;
    ImpossibleHere: no ring buffer is to be seen here.
    """
    # What reads logs, with its patterns, takes longer to import than all the rest.
    from oomctl.oomlog.replay import replay

    for report in _reports(log):
        yield Replayed(report, replay(report))


def set_adj(
    pid: int,
    adj: int,
    *,
    start_ticks: int | None = None,
    force: bool = False,
    record: bool = False,
    root: str = "/proc",
) -> int:
    """Set the oom_score_adj of one process, read it back, and return the value before.

    The process is held open meanwhile, so that no other is written whatever becomes of the PID. ``start_ticks``
    (``Task.start_ticks``) says which process the PID meant when it was looked at. What ``oomctl set ADJ PID`` would
    refuse or ask about is refused; ``force`` is its option. With ``record`` the change is one that ``oomctl undo``
    knows of, or is not made.

    Raises Vanished: no such process, or not the one meant; Refused: to write it would do harm; NotPermitted: the kernel
    refused it, or ``record`` cannot be kept; ImpossibleHere: no /proc of Linux. Nothing was changed then, except where
    something else sets the value, too, which NotPermitted says.
    """
    if not 1 <= index(pid) <= PID_MAX_LIMIT:
        raise ValueError(f"pid {pid}: PIDs run from 1 to {PID_MAX_LIMIT}")
    adj = _checked_adj(adj)
    procfs = _procfs(root)
    with procfs.held([pid]):
        task = _meant(procfs, pid, start_ticks)
        _refuse(procfs, task, adj, force)

        def write(dry_run: bool) -> list[Change]:
            return [write_adj(procfs, task, adj, dry_run)]

        if record:
            from oomctl.changes.recording import Record

            (change,) = Record(f"set_adj({pid}, {adj})", procfs, required=True).carry_out(write, [task])
        else:
            (change,) = write(False)
    return _value_before(change)


def _procfs(root: str) -> Procfs:
    return Procfs(root, on_purpose=root != "/proc", stays=True, workers=1)


def _shortage(cgroup: str | None, target: str | int | None) -> Shortage:
    if cgroup is not None and target is not None:
        raise ValueError("cgroup and target ask about different memory: give one of them")
    return Shortage(cgroup=cgroup, nearest_for=None if target is None else _target(target))


def _target(word: str | int) -> Target:
    return parse_target(str(word))


def _checked_adj(adj: int) -> int:
    if not ADJ_MIN <= index(adj) <= ADJ_MAX:
        raise ValueError(f"oom_score_adj {adj}: expected {ADJ_MIN} to {ADJ_MAX}")
    return int(adj)


def _reports(log: str | os.PathLike[str] | Iterable[bytes] | None) -> Iterator[OomReport]:
    from oomctl.oomlog import sources
    from oomctl.oomlog.parser import parse_blocks
    from oomctl.oomlog.wanted import epoch_of, known_kernel

    if log is None:
        procfs = _procfs("/proc")
        boot_time = procfs.boot_time()
        for report in known_kernel(parse_blocks(sources.whole_lines(sources.kmsg_records())), procfs.kernel):
            yield report._replace(epoch_s=epoch_of(report, boot_time))
    elif isinstance(log, (str, os.PathLike)):
        path = os.fspath(log)
        yield from parse_blocks(sources.file_blocks("./-" if path == "-" else path))
    else:
        yield from parse_blocks(sources.whole_lines(_chunks(log, sources.BLOCK_BYTES)))


def _chunks(pieces: Iterable[bytes], least_bytes: int) -> Iterator[bytes]:
    """Yield ``pieces`` in chunks as large as those of a file: which way a log runs is told from many lines."""
    gathered: list[bytes] = []
    size = 0
    for piece in pieces:
        if not isinstance(piece, bytes):
            raise TypeError(f"log: expected pieces of bytes, as of open(path, 'rb'), got {type(piece).__name__}")
        gathered.append(piece)
        size += len(piece)
        if size >= least_bytes:
            yield b"".join(gathered)
            gathered, size = [], 0
    yield b"".join(gathered)


def _meant(procfs: Procfs, pid: int, start_ticks: int | None) -> Task:
    task = identity(procfs, pid)
    if task is None:
        tried = write_adj(procfs, Task(pid, ""), 0, dry_run=True)
        if tried.status is Status.DENIED:  # it is there, and hidden
            raise NotPermitted(f"{pid}: {tried.whole_reason}")
        raise Vanished(f"{pid}: no such process")
    process = process_of(procfs, pid)
    if process not in (None, pid):
        raise Vanished(f"{pid}: no such process; it is a thread of {process}")
    if start_ticks is not None and task.start_ticks != start_ticks:
        raise Vanished(f"{named(task)}: its PID belongs to another process than the one meant; it was not touched")
    return task


def _refuse(procfs: Procfs, task: Task, adj: int, force: bool) -> None:
    """Raise Refused where ``oomctl set`` would refuse, or ask for a yes."""
    chosen = select([parse_target(str(task.pid))], [task], procfs, adj, Scope(force=force))
    reasons = [entry.reason for entry in chosen.refused] + [reason for _, reason in chosen.risky]
    for why in reasons:
        lifted = "; force=True overrides" if refusals.lifted_by(why) else ""
        raise Refused(f"{named(task)}: {refusals.cause(why)}{lifted}")


def _value_before(change: Change) -> int:
    """Return it. Raises what became of the change if it was not made."""
    failed = {Status.DENIED: NotPermitted, Status.VANISHED: Vanished}.get(change.status)
    if failed is not None or change.before is None:
        raise (failed or Vanished)(f"{named(change)}: {change.whole_reason}")
    return change.before
