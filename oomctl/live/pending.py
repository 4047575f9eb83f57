"""Changes that are only thought of: marked in the ranking, shown in a question, written by nobody here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN
from oomctl.live.standing import Standing
from oomctl.model.changes import Change, Status
from oomctl.model.kernel import Task
from oomctl.render import changes as render
from oomctl.render.changes import Report
from oomctl.render.text import count, named, visible


class Mark(NamedTuple):
    """The adj that one process might get."""

    task: Task
    """As it was when it was marked; PID and start time say which process is meant."""
    adj: int
    step: int = 0
    """Those of one key have the same number, and are taken back together."""


class Marks(NamedTuple):
    """All of them, the latest last; at most one for each process."""

    marks: tuple[Mark, ...] = ()

    @property
    def what_if(self) -> dict[int, int]:
        """The adj by PID."""
        return {mark.task.pid: mark.adj for mark in self.marks}

    def with_adj(self, task: Task, adj: int) -> Marks:
        """Mark ``task``; ``task.adj`` is what it really has, and to mark it with that takes the mark away."""
        return self.with_all([task], adj)

    def with_all(self, tasks: Sequence[Task], adj: int) -> Marks:
        """Mark each of them like that, in one step."""
        step = self.marks[-1].step + 1 if self.marks else 1
        pids = {task.pid for task in tasks}
        rest = (mark for mark in self.marks if mark.task.pid not in pids)
        return Marks((*rest, *(Mark(task, adj, step) for task in tasks if task.adj != adj)))

    @property
    def latest(self) -> tuple[Mark, ...]:
        """Those of the latest step."""
        return tuple(mark for mark in self.marks if mark.step == self.marks[-1].step)

    def without_latest(self) -> Marks:
        """Take the latest step back."""
        return Marks(self.marks[: len(self.marks) - len(self.latest)])

    def still_true(self, tasks: Iterable[Task]) -> tuple[Marks, tuple[Mark, ...]]:
        """Return the marks whose processes live and still have another adj, and those whose processes are gone."""
        if not self.marks:
            return self, ()
        now = {task.pid: task for task in tasks}
        alive = [mark for mark in self.marks if _is_same(now.get(mark.task.pid), mark.task)]
        gone = tuple(mark for mark in self.marks if not _is_same(now.get(mark.task.pid), mark.task))
        return Marks(tuple(mark for mark in alive if now[mark.task.pid].adj != mark.adj)), gone


def _is_same(task: Task | None, other: Task) -> bool:
    return task is not None and task.start_ticks == other.start_ticks


def stepped(adj: int, step: int) -> int:
    """Return ``adj`` a step further, within the kernel's range."""
    return max(ADJ_MIN, min(adj + step, ADJ_MAX))


def report(standing: Standing, changes: Sequence[Change]) -> Report:
    """Return what ``changes`` do to ranks and victim; ``standing`` has been judged with exactly those in mind."""
    return render.report_of(changes, standing.now, standing.then)


def possible(changes: Iterable[Change]) -> list[Change]:
    """Return those of a dry run that can be written."""
    return [change for change in changes if change.status is Status.DRY_RUN]


def question(asked: Report, risks: Mapping[int, str] | None = None) -> list[str]:
    """Return the question before anything is written: who gets which value, who does not and why.

    ``risks``: what would be lost by raising some PIDs; it stands above the rest.
    """
    changes = possible(asked.changes)
    number = len(changes)
    title = f"Write oom_score_adj of {count(number, 'process', 'processes')}?" if number else "Nothing can be written."
    warned = [(change, (risks or {}).get(change.pid)) for change in changes]
    return [title, "", *(f"{named(change)}: {visible(risk)}" for change, risk in warned if risk), *outcome(asked)]


def in_short(done: Report) -> str:
    """Return how many were changed."""
    number = sum(change.status is Status.CHANGED for change in done.changes)
    return f"{count(number, 'process', 'processes')} changed"


def outcome(done: Report) -> list[str]:
    """Return what became of it, the refusals first."""
    refused = [
        f"{named(change)}: {change.status.value}: {visible(change.whole_reason or '')}"
        for change in done.changes
        if change.status in (Status.REFUSED, Status.DENIED, Status.VANISHED)
    ]
    return [*refused, *render.text(done).splitlines()]
