"""Changes that are only thought of: marked in the ranking, shown in a question, written by nobody here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN
from oomctl.live.standing import Standing
from oomctl.model.changes import Change, Status
from oomctl.model.kernel import Task
from oomctl.render import changes as render
from oomctl.render.changes import Report
from oomctl.render.text import count, named, visible
from oomctl.targets.selection import MOST_RAISED


class Mark(NamedTuple):
    """The adj that one process might get."""

    task: Task
    """As it was when it was marked; PID and start time say which process is meant."""
    adj: int
    group: int = 0
    """The same for all that were marked by one key; 0: by itself."""


class Marks(NamedTuple):
    """All of them, the latest last; at most one for each process."""

    marks: tuple[Mark, ...] = ()

    @property
    def what_if(self) -> dict[int, int]:
        """The adj by PID."""
        return {mark.task.pid: mark.adj for mark in self.marks}

    def with_adj(self, task: Task, adj: int) -> Marks:
        """Mark ``task``; ``task.adj`` is what it really has, and to mark it with that takes the mark away."""
        return self.with_all([Mark(task, adj)])

    def with_all(self, marks: Sequence[Mark]) -> Marks:
        """Add ``marks``, one for each process, which are taken away together."""
        group = max((mark.group for mark in self.marks), default=0) + 1 if len(marks) > 1 else 0
        anew = {mark.task.pid for mark in marks}
        rest = (mark for mark in self.marks if mark.task.pid not in anew)
        return Marks((*rest, *(mark._replace(group=group) for mark in marks if mark.adj != mark.task.adj)))

    def last(self) -> tuple[Mark, ...]:
        """Return the latest mark, or all of the group that was marked last."""
        group = self.marks[-1].group if self.marks else 0
        return tuple(mark for mark in self.marks if mark.group == group) if group else self.marks[-1:]

    def without_last(self) -> Marks:
        """Take that away."""
        last = {mark.task.pid for mark in self.last()}
        return Marks(tuple(mark for mark in self.marks if mark.task.pid not in last))

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


def question(asked: Report, verb: str = "Write", risks: Sequence[str] = ()) -> list[str]:
    """Return the question before anything is written: what follows, what is risky, who gets what, who does not and why.

    ``risks``: what could be lost, a line each.
    """
    changes = possible(asked.changes)
    if not changes:
        return ["Nothing can be written.", "", *outcome(asked)]
    title = f"{verb} oom_score_adj of {count(len(changes), 'process', 'processes')}?"
    raised = sum((change.after or 0) > (change.before or 0) for change in changes)
    many = [f"careful: {raised} processes would be raised at once"] if raised > MOST_RAISED else []
    *lines, victim = outcome(asked)
    return [title, victim, *many, *risks, "", *lines]


def summary(done: Report) -> str:
    """Return in one line what was written without a refusal."""
    *lines, victim = render.text(done).splitlines()
    if len(lines) > 1:
        lines = [f"{count(len(lines), 'process', 'processes')} changed"]
    return "; ".join([*lines, victim])


def outcome(done: Report) -> list[str]:
    """Return what became of it, the refusals first."""
    refused = [
        f"{named(change)}: {change.status.value}: {visible(change.whole_reason or '')}"
        for change in done.changes
        if change.status in (Status.REFUSED, Status.DENIED, Status.VANISHED)
    ]
    return [*refused, *render.text(done).splitlines()]
