"""Kills that programs tell of, gathered into reports: several lines, and several programs, tell of one kill."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from oomctl.model.oomreport import KERNEL, Elsewhere, Kill, OomReport
from oomctl.oomlog.dates import epoch_s
from oomctl.oomlog.draft import Draft
from oomctl.oomlog.killers import Told, clock_s, near, time_text_of
from oomctl.oomlog.prefix import Line

_PATIENCE = 100  # lines after which nothing more is expected about a kill
_SAME_KILL_S = 10
_SAME_END_S = 120  # a unit fails when its last process is gone; earlyoom waits between its signals
_REMEMBERED = 64


class _Event(NamedTuple):
    """A kill that may get more lines."""

    host: str | None
    line_number: int
    clock_s: int | None
    report: OomReport
    """Its number is not known yet."""


class Programs:
    """The kills that programs told of lately."""

    def __init__(self) -> None:
        """Begin at the start of a log."""
        self._open: list[_Event] = []
        self._gone: deque[_Event] = deque(maxlen=_REMEMBERED)
        """Those that were given out, and the kernel's: more lines about them are nothing new."""
        self._chosen: Kill | None = None

    @property
    def idle(self) -> bool:
        """Whether no kill waits for more lines."""
        return not self._open

    def take(self, line: Line, told: Told, line_number: int) -> None:
        """Add what a line says to the kill that it is about, or begin one."""
        if told.chosen:
            self._chosen = told.kill
            return
        if told.failed:
            self._open = [event for event in self._open if event.report.elsewhere.killer != told.elsewhere.killer]
            return
        if told.of_the_chosen:
            told, self._chosen = told._replace(kill=self._chosen), None
        time_text = time_text_of(line)
        report = _report(line, time_text, told)
        event = _Event(told.host, line_number, clock_s(time_text), report)
        for index, other in enumerate(self._open):
            if _same(other, event):
                self._open[index] = other._replace(line_number=line_number, report=_merged(other.report, event.report))
                return
        if not any(_same(other, event) for other in self._gone):
            self._open.append(event)

    def belongs(self, draft: Draft, told: Told, line: Line) -> bool:
        """Whether a program's line about one of the kernel's kills is about this one; the draft takes it then."""
        if told.elsewhere.killer not in (KERNEL, None) or not draft.evidence or not _hosts_agree(draft, told):
            return False
        within = _SAME_KILL_S if told.elsewhere.killer == KERNEL else _SAME_END_S
        if not near(clock_s(draft.first.time_text), clock_s(time_text_of(line)), within):
            return False
        if told.kill is not None:
            return told.kill.pid in draft.killed
        return _within(draft.task_memcg, told.elsewhere.unit)

    def absorb(self, draft: Draft) -> None:
        """Give the kernel's report what programs said of it before, and know it when they say more."""
        clock = clock_s(draft.first.time_text)
        for event in list(self._open):
            if event.report.elsewhere.killer == KERNEL and near(event.clock_s, clock, _SAME_KILL_S):
                same_host = event.host is None or draft.first.host in (None, event.host)
                if same_host and _within(draft.task_memcg, event.report.elsewhere.unit) and _is_victim(draft, event):
                    draft.told = merged(draft.told, event.report.elsewhere)
                    self._open.remove(event)
        if clock is not None:
            kernels = OomReport(0, task_memcg=draft.task_memcg, victim=draft.victim, elsewhere=draft.told)
            self._gone.append(_Event(draft.first.host, 0, clock, kernels))

    def over(
        self, line_number: int | None = None, kernels_too: bool = True, patience: int = _PATIENCE
    ) -> list[OomReport]:
        """Return the kills without a line in the last ``patience`` lines: all without ``line_number``."""
        given = [
            event
            for event in self._open
            if (line_number is None or line_number - event.line_number > patience)
            and (kernels_too or event.report.elsewhere.killer != KERNEL)
        ]
        self._open = [event for event in self._open if event not in given]
        self._gone.extend(given)
        return [event.report for event in given]


def merged(one: Elsewhere, other: Elsewhere) -> Elsewhere:
    """Return what both say; of the signals the last one."""
    killer = one.killer or other.killer
    fields = ((name, getattr(one, name) or getattr(other, name)) for name in Elsewhere._fields)
    return Elsewhere(**dict(fields))._replace(killer=killer, signal=other.signal or one.signal)


def _report(line: Line, time_text: str | None, told: Told) -> OomReport:
    return OomReport(
        0,
        time_text=time_text,
        epoch_s=epoch_s(time_text),
        uptime_s=line.uptime_s,
        victim=told.kill,
        killed=(told.kill,) if told.kill else (),
        elsewhere=told.elsewhere,
        missing=(
            "the kernel's own report" if told.elsewhere.killer == KERNEL else "a task table: only kernels print one",
        ),
    )


def _merged(one: OomReport, other: OomReport) -> OomReport:
    victim = one.victim or other.victim
    told = merged(one.elsewhere, other.elsewhere)
    return one._replace(victim=victim, killed=(victim,) if victim else (), elsewhere=told)


def _same(one: _Event, other: _Event) -> bool:
    """Whether two lines tell of the same kill."""
    killers = {one.report.elsewhere.killer, other.report.elsewhere.killer}
    if len(killers - {None}) > 1 or not near(one.clock_s, other.clock_s, _SAME_END_S):
        return False
    if one.host and other.host and one.host != other.host:
        return False
    victims = (one.report.victim, other.report.victim)
    if victims[0] is not None and victims[1] is not None:
        return victims[0].pid == victims[1].pid
    return _same_place(one, other)


def _same_place(one: _Event, other: _Event) -> bool:
    told, also = one.report.elsewhere, other.report.elsewhere
    path = told.cgroup or also.cgroup or one.report.task_memcg
    if told.cgroup and also.cgroup:
        return told.cgroup == also.cgroup and near(one.clock_s, other.clock_s, _SAME_KILL_S)
    if path is not None and (told.unit or also.unit):
        return _within(path, told.unit or also.unit)
    if told.unit is None or also.unit is None:
        return one.report.victim is None and other.report.victim is None and KERNEL in (told.killer, also.killer)
    # A user's manager is a unit itself, in which the same process died.
    nested = told.unit.startswith("user@") != also.unit.startswith("user@")
    return told.unit == also.unit or (nested and near(one.clock_s, other.clock_s, _SAME_KILL_S))


def _within(path: str | None, unit: str | None) -> bool:
    """Whether a cgroup lies in a unit, as far as both are known."""
    return path is None or unit is None or unit in path.split("/")


def _is_victim(draft: Draft, event: _Event) -> bool:
    return event.report.victim is None or event.report.victim.pid in draft.killed


def _hosts_agree(draft: Draft, told: Told) -> bool:
    return told.host is None or draft.first.host is None or told.host == draft.first.host
