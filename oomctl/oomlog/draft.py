"""One report while its lines come in: takes what each line says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oomctl.model.oomreport import Counter, Elsewhere, Kill, Selected, TableRow
from oomctl.oomlog.lines import (
    Cause,
    Choice,
    Cpuset,
    Culprit,
    Current,
    Detail,
    Event,
    Exiting,
    Group,
    Header,
    Killing,
    LimitOf,
    MemcgCounter,
    MemcgPaths,
    Node,
    NoKillable,
    Note,
    Panic,
    Rage,
    Reaped,
    Request,
    Sharer,
    StatsOf,
    Sum,
    Summary,
    Total,
)
from oomctl.oomlog.meminfo import Counted
from oomctl.oomlog.memorylines import COUNTED, MemoryLines
from oomctl.oomlog.prefix import Line
from oomctl.oomlog.table import Gap, TableHeader

MOST_ROWS = 1 << 15
"""Of one table, and of all that are open; the kernel's log buffer holds far fewer."""
_MOST_EVENTS = 4096  # of the group kills, reaped processes of one report


class Draft:
    """What the lines of one report have said so far; whose line it is decides ``Parser``."""

    requested = False
    """Somebody asked for it by hand."""
    allocating_task = False
    no_killable = False
    exiting: int | None = None
    panic: str | None = None
    container: str | None = None
    """OpenVZ: the one that ran out."""
    told = Elsewhere()
    """What programs say of it."""

    def __init__(self, line: Line, boot_kernel: str | None = None) -> None:
        """Begin at ``line``; ``boot_kernel``: the release that the log's last boot message named."""
        self.first = line
        self.last_line_number = 0
        self.last_uptime_s = line.uptime_s
        self.last_time_text = line.time_text
        self.last_message = ""
        self.cut_summary: str | None = None
        """A summary that stopped too early; its rest may be the next line."""

        self.announced = False
        """It was told already; its last lines are still awaited."""
        self.evidence = False
        """It is about an OOM kill, not only about memory."""
        self.culprits: set[Culprit] = set()
        """What the lines about the kill say ran out."""
        self.about_memcg = False
        """There is a cgroup's own memory in it."""
        self.mixed = False
        """Lines contradict each other: they are of two reports."""
        self.notes: set[Note] = set()

        self.boot_kernel = boot_kernel
        self.kernel: str | None = None
        self.constraint: str | None = None
        self.trigger_comm: str | None = None
        self.trigger_pid: int | None = None
        self.order: int | None = None
        self.nodemask: frozenset[int] | None = None
        self.mems_allowed: frozenset[int] | None = None
        self.gfp_mask: str | None = None
        self.cpuset: str | None = None

        self.oom_memcg: str | None = None
        self.task_memcg: str | None = None
        self.stats_memcg: str | None = None
        self.counters: dict[str, Counter] = {}
        self.totals: dict[Sum, int] = {}
        self.memory = MemoryLines()

        self.table: TableHeader | None = None
        self.rows: dict[tuple[int, int], TableRow] = {}
        """By thread and process."""
        self.too_many_rows = False
        self.damaged_rows = 0
        self.elided_rows = False

        self.selected: Selected | None = None
        self.victim: Kill | None = None
        self.summary_victim: Kill | None = None
        self.killed: dict[int, Kill] = {}
        """By PID, in the order of their deaths."""
        self.reaped: dict[Reaped, None] = {}
        self.group: str | None = None

    @property
    def over(self) -> bool:
        """Whether the report has its end: what follows is an afterthought, or another report."""
        return self.victim is not None or self.panic is not None or self.no_killable

    @property
    def only_requested(self) -> bool:
        """Whether all that is known is that somebody asked for it by hand."""
        return self.requested and not self.evidence

    @property
    def only_rage(self) -> bool:
        """Whether all that is known is how many processes OpenVZ has killed."""
        return self.told.processes is not None and not (self.victim or self.selected or self.table or self.trigger_comm)

    @property
    def open_table(self) -> TableHeader | None:
        """The table whose rows may follow."""
        if self.over or self.table is None or self.table.row_pattern is None:
            return None
        return self.table

    def take(self, value: Event | Detail) -> None:
        """Add what a line says."""
        _TAKE[type(value)](self, value)

    # The trigger

    def _header(self, value: Header) -> None:
        self.evidence = self.evidence or value.comm is not None
        self.trigger_comm, self.order, self.nodemask = value.comm or None, value.order, value.nodemask
        self.gfp_mask = value.gfp_mask
        self._in_container(value.container)
        if value.order == -1:
            self.requested = True

    def _in_container(self, container: str | None) -> None:
        self.container = self.container or container or None

    def _current(self, value: Current) -> None:
        if self.kernel is None:
            self.kernel = value.release
        if self.trigger_pid is None:
            self.trigger_pid = value.pid

    def _cpuset(self, value: Cpuset) -> None:
        self.mems_allowed, self.cpuset = value.mems_allowed, value.name

    def _note(self, value: Note) -> None:
        self.notes.add(value)
        if value is Note.CALLED_BY_HAND:
            self.requested = True

    # Memory

    def _memcg_paths(self, value: MemcgPaths) -> None:
        self.evidence = self.about_memcg = True
        self.task_memcg, self.oom_memcg = value

    def _limit_of(self, value: LimitOf) -> None:
        self.about_memcg = True
        if self.oom_memcg is None:
            self.oom_memcg = value.oom_memcg

    def _stats_of(self, value: StatsOf) -> None:
        self.about_memcg = True
        if self.stats_memcg is None:
            self.stats_memcg = value.memcg
        if value.whole is not None:
            self.memory.take(value.whole)
        self.memory.take_own_stat(value.memcg, value.own)

    def _counter(self, value: MemcgCounter) -> None:
        if self.counters.setdefault(value.kind, value.counter) != value.counter:
            self.mixed = True
        if value.kind == "memory":
            self.about_memcg = True
        self.memory.page_kib = self.memory.page_kib or value.page_kib

    def _total(self, value: Total) -> None:
        if self.totals.setdefault(value.of, value.number) != value.number:
            self.mixed = True

    def _counted(self, value: Counted | Node) -> None:
        self.memory.take(value)

    # The table

    def _table_header(self, value: TableHeader) -> None:
        self.evidence = True
        if self.table is not None:
            self.mixed = True
            return
        self.table = value
        if value.row_pattern is None:
            self.damaged_rows += 1

    def _row(self, value: TableRow) -> None:
        if len(self.rows) >= MOST_ROWS:
            self.too_many_rows = True
        elif self.rows.setdefault((value.pid, value.tgid), value) != value:
            self.mixed = True

    def _gap(self, value: Gap) -> None:
        if value is Gap.DAMAGED_ROW:
            self.damaged_rows += 1
        else:
            self.elided_rows = True

    # The kill

    def _summary(self, value: Summary) -> None:
        self.evidence = True
        if value.constraint is not None:
            self.mixed |= self.constraint not in (None, value.constraint)
            self.constraint = self.constraint or value.constraint
        if value.nodemask is not None:
            self.nodemask = value.nodemask.nodes
        if value.cpuset is not None:
            self.mems_allowed = value.cpuset.mems_allowed
            self.cpuset = value.cpuset.name or self.cpuset
        if value.task_memcg is not None:
            self.task_memcg = value.task_memcg
        if value.oom_memcg is not None:
            self.oom_memcg, self.about_memcg = value.oom_memcg, True
        if value.victim is not None:
            self.mixed |= self.summary_victim not in (None, value.victim)
            self.summary_victim = value.victim
        self.cut_summary = value.cut

    def _cause(self, cause: Cause) -> None:
        self.evidence = True
        if cause.culprit is not None:
            self.culprits.add(cause.culprit)
        if cause.allocating_task:
            self.allocating_task = True

    def _choice(self, value: Choice) -> None:
        self._cause(value.cause)
        self.selected = self.selected or value.selected

    def _killing(self, value: Killing) -> None:
        self._cause(value.cause)
        self._in_container(value.container)
        if value.kill.pid in self.killed or len(self.killed) >= _MOST_EVENTS:
            return
        if value.score is not None:
            self.selected = self.selected or Selected(value.kill.pid, value.kill.comm, value.score)
        self.victim = self.victim or value.kill
        self.killed[value.kill.pid] = value.kill

    def _sharer(self, value: Sharer) -> None:
        if len(self.killed) < _MOST_EVENTS:
            self.killed.setdefault(value.kill.pid, value.kill)

    def _reaped(self, value: Reaped) -> None:
        self.evidence = True
        if len(self.reaped) < _MOST_EVENTS:
            self.reaped.setdefault(value)

    def _group(self, value: Group) -> None:
        self.evidence = True
        self.group = value.memcg

    def _rage(self, value: Rage) -> None:
        self.evidence = True
        self._in_container(value.container)
        self.told = self.told._replace(processes=value.processes)

    def _request(self, value: Request) -> None:
        self.requested = True
        self.no_killable = self.no_killable or value.ignored

    def _panic(self, value: Panic) -> None:
        self._cause(value.cause)
        self.panic = self.panic or value.text

    def _no_killable(self, value: NoKillable) -> None:
        self._cause(value.cause)
        self.no_killable = True

    def _exiting(self, value: Exiting) -> None:
        self._cause(value.cause)
        self.exiting = value.pid


_TAKE: dict[type, Callable[[Draft, Any], None]] = {
    Header: Draft._header,
    Current: Draft._current,
    Cpuset: Draft._cpuset,
    Note: Draft._note,
    MemcgPaths: Draft._memcg_paths,
    LimitOf: Draft._limit_of,
    StatsOf: Draft._stats_of,
    MemcgCounter: Draft._counter,
    Total: Draft._total,
    **dict.fromkeys(COUNTED, Draft._counted),
    TableHeader: Draft._table_header,
    TableRow: Draft._row,
    Gap: Draft._gap,
    Summary: Draft._summary,
    Choice: Draft._choice,
    Killing: Draft._killing,
    Rage: Draft._rage,
    Request: Draft._request,
    Sharer: Draft._sharer,
    Reaped: Draft._reaped,
    Group: Draft._group,
    Panic: Draft._panic,
    NoKillable: Draft._no_killable,
    Exiting: Draft._exiting,
}
