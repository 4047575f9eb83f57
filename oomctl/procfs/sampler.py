"""The same memory looked at again and again, at little cost: 10,000 processes need not be read whole each time.

The kernel's rounded ``oom_score`` of everyone is read every time. Read whole is who is new, whose score moved,
who may be the first, whom the caller has on the screen, and of the rest a share in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from oomctl.kernel.badness import badness, score_slack
from oomctl.kernel.certainty import best_lower_bound, precision
from oomctl.kernel.selection import scan_order
from oomctl.model.kernel import Candidate, Constraint, Context, Scenario, Task
from oomctl.model.listing import Details
from oomctl.model.look import Look
from oomctl.procfs import survey
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.closer import closer_look
from oomctl.procfs.details import DetailReader
from oomctl.procfs.heldscores import HeldScores
from oomctl.procfs.pressure import memory_pressure
from oomctl.procfs.reader import Procfs, Score
from oomctl.procfs.sharing import with_shared_memory

SHARE = 500
"""Where there are no more processes, all are read whole at each look."""
IN_TURN = 200
"""Where there are more, so many are read whole in turn."""
MOST_NEAR = 1000
"""Of those whose score leaves them in the running so many are read whole at each look."""


class _Known(NamedTuple):
    score: int
    task: Task
    details: Details


class Sampler:
    """Looks at one machine, or at one memory cgroup of it, and remembers what it read."""

    def __init__(self, root: str | Callable[[], Procfs], cgroup: str | None = None) -> None:
        """``root``: where /proc is, or what gives it anew for each look."""
        self._procfs: Callable[[], Procfs] = root if callable(root) else lambda: Procfs(root)
        self.cgroup = cgroup
        """The memory cgroup to look at, None for the whole machine; may be changed between two looks."""
        self._known: dict[int, _Known] = {}
        self._scores = HeldScores()
        self._looks = 0

    def look(self, fresh: Collection[int] = (), sharers_of: Collection[int] = ()) -> tuple[Look, Procfs]:
        """Return what there is now, and the /proc it was read from.

        ``fresh``: PIDs whose numbers must be of now. ``sharers_of``: PIDs of which it must be known who else
        runs on their memory; of the first, and on small machines of everybody, it is known anyway.
        Raises ImpossibleHere without /proc or without the cgroup.
        """
        procfs = self._procfs()
        self._looks += 1
        if self.cgroup is not None:
            return self._memcg(procfs, self.cgroup), procfs
        return self._machine(procfs, frozenset(fresh), sharers_of), procfs

    def glance(self, count: int) -> tuple[Look, Procfs] | None:
        """Return a look at no more than the ``count`` processes nearest to being killed.

        None where they are few anyway, or cannot be told from the others. The next ``look`` begins from nothing.
        """
        procfs = self._procfs()
        if self.cgroup is not None or not procfs.scores_keep_order or len(procfs.pids()[0]) <= SHARE:
            return None
        scenario = survey.machine_front(procfs, count, contenders=False)
        reader = DetailReader(procfs, Memcgs.of(procfs))
        details = {task.pid: reader.details(task) for task in scenario.tasks}
        return Look(scenario, details, memory_pressure(procfs)), procfs

    def _memcg(self, procfs: Procfs, path: str) -> Look:
        scenario, memcgs = survey.memcg(procfs, path)
        reader = DetailReader(procfs, memcgs)
        return Look(scenario, {task.pid: reader.details(task) for task in scenario.tasks}, memory_pressure(procfs))

    def _machine(self, procfs: Procfs, fresh: frozenset[int], sharers_of: Collection[int]) -> Look:
        scores = self._scores.read(procfs)
        for pid in self._known.keys() - {score.pid for score in scores.listed}:
            del self._known[pid]
        context = survey.context_of(procfs, Constraint.NONE, procfs.totalpages)
        memcgs = Memcgs.of(procfs)
        reader = DetailReader(procfs, memcgs)
        turns = _turns(len(scores.listed)) if procfs.scores_keep_order else 1
        due = self._due(scores.listed, fresh, turns)
        hidden = self._read(procfs, reader, due, turns)
        near = self._near(procfs, scores.listed, context)
        read = {score.pid for score in due}
        late = [score for score in near if score.pid not in read]
        hidden += self._read(procfs, reader, late[:MOST_NEAR], turns)
        tasks = sorted((known.task for known in self._known.values()), key=scan_order)
        tasks = _with_sharers(procfs, tasks, [*(score.pid for score in near[:1]), *sharers_of])
        scenario = _scenario(procfs, memcgs, tasks, context, scores.hidden + hidden)
        scenario = _with_closer_look(procfs, scenario, {score.pid for score in near})
        details = {pid: known.details for pid, known in self._known.items()}
        read |= {score.pid for score in late[:MOST_NEAR]}
        of_now = None if turns == 1 else frozenset(read)
        return Look(scenario, details, memory_pressure(procfs), max(len(late) - MOST_NEAR, 0), of_now)

    def _due(self, scores: Sequence[Score], fresh: frozenset[int], turns: int) -> list[Score]:
        """Those that must be read whole whoever is near the first; each of the others once in ``turns`` looks."""
        turn, known = self._looks % turns, self._known
        return [
            score
            for score in scores
            if score.pid % turns == turn
            or score.pid not in known
            or known[score.pid].score != score.oom_score
            or score.pid in fresh
        ]

    def _near(self, procfs: Procfs, scores: Sequence[Score], context: Context) -> list[Score]:
        """Those whose score does not rule out that they are first, or too near to it to tell; the worst first."""
        alive = [score for score in scores if score.pid in self._known]
        highest = max((score.oom_score for score in alive), default=0)
        off = precision(procfs.rules.counters, context)
        likely = _ranked(procfs, self._tasks_within(procfs, alive, highest, 2 * off.most))
        if not likely:
            return []
        reach = likely[0].badness - best_lower_bound(likely, context, off) + off.most
        wider = _ranked(procfs, self._tasks_within(procfs, alive, highest, max(reach, 2 * off.most)))
        near = {candidate.task.pid: candidate.badness for candidate in wider}
        return sorted((score for score in alive if score.pid in near), key=lambda score: -near[score.pid])

    def _tasks_within(self, procfs: Procfs, alive: Sequence[Score], highest: int, reach: int) -> list[Task]:
        """Return what is known of those whose score leaves them within ``reach`` pages of the highest."""
        if not procfs.scores_keep_order:
            return [self._known[score.pid].task for score in alive]
        least = max(highest - score_slack(reach, procfs.totalpages, procfs.rules), 1)
        return [self._known[score.pid].task for score in alive if score.oom_score >= least]

    def _read(self, procfs: Procfs, reader: DetailReader, scores: Iterable[Score], turns: int) -> int:
        """Read processes whole, forget those that are gone; return how many could not be read.

        Their details, which seldom change, are read when it is their turn.
        """
        of = {score.pid: score.oom_score for score in scores}
        tasks = procfs.tasks(of)
        for pid in of.keys() - {task.pid for task in tasks.read}:
            self._known.pop(pid, None)
        for task in tasks.read:
            known = self._known.get(task.pid)
            same = known is not None and known.task.start_ticks == task.start_ticks
            in_turn = task.pid % turns == self._looks % turns
            details = known.details if known is not None and same and not in_turn else reader.details(task)
            memcg = details.cgroup if reader.sees_memcgs else None
            self._known[task.pid] = _Known(of[task.pid], task._replace(memcg=memcg), details)
        return tasks.hidden


def _turns(processes: int) -> int:
    return 1 if processes <= SHARE else processes // IN_TURN


def _with_closer_look(procfs: Procfs, scenario: Scenario, near: Collection[int]) -> Scenario:
    """Look closely at those of ``near`` that may be first; the others cannot be."""
    nearest = scenario._replace(tasks=tuple(task for task in scenario.tasks if task.pid in near))
    seen = {task.pid: task for task in closer_look(procfs, nearest).tasks}
    return scenario._replace(tasks=tuple(seen.get(task.pid, task) for task in scenario.tasks))


def _ranked(procfs: Procfs, tasks: Iterable[Task]) -> list[Candidate]:
    candidates = [badness(task, procfs.totalpages, procfs.rules) for task in tasks]
    return sorted(candidates, key=lambda candidate: -candidate.badness)


def _with_sharers(procfs: Procfs, tasks: list[Task], of: Iterable[int]) -> list[Task]:
    """Mark who shares memory: everybody who does, or where that is too many to ask those that share with ``of``."""
    if not procfs.is_own:
        return tasks
    if len(tasks) <= SHARE:
        return with_shared_memory(tasks)
    by_pid = {task.pid: task for task in tasks}
    for pid in of:
        if pid in by_pid:
            tasks = with_shared_memory(tasks, of=by_pid[pid])
    return tasks


def _scenario(procfs: Procfs, memcgs: Memcgs | None, tasks: list[Task], context: Context, hidden: int) -> Scenario:
    groups: set[str] = set()
    if memcgs is not None and memcgs.version == 2:
        groups = {path for path in survey.with_ancestors(tasks, memcgs) if memcgs.kills_as_group(path)}
    context = context._replace(oom_groups=frozenset(groups))
    return survey.as_read(Scenario(procfs.kernel, context, tuple(tasks), procfs.page_size, hidden=hidden), procfs)
