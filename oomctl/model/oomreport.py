"""What one kernel report of the OOM killer says, as values; no I/O in here.

Sizes say their unit; None: the log does not say.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from oomctl.model.kernel import Constraint
from oomctl.model.shortage import MemorySeen


class TableRow(NamedTuple):
    """One line of the task table (``dump_tasks``)."""

    pid: int
    """The thread that holds the memory: another one than ``tgid`` when the leader has exited."""
    tgid: int
    uid: int
    total_vm_pages: int
    rss_pages: int
    oom_score_adj: int | None
    """None: the kernel is older than oom_score_adj (before 2.6.36)."""
    comm: str
    swap_pages: int | None = None
    """None: the layout has no such column (before 3.5), although the kernel counted it."""
    table_pages: int | None = None
    """Page tables counted in tables, one page each: nr_ptes, and nr_pmds and nr_puds where printed."""
    pgtables_bytes: int | None = None
    rss_anon_pages: int | None = None
    rss_file_pages: int | None = None
    rss_shmem_pages: int | None = None

    def pgtables_pages(self, page_size: int) -> int:
        """Page tables in pages; 0 where the layout does not show them."""
        if self.pgtables_bytes is not None:
            return self.pgtables_bytes // page_size
        return self.table_pages or 0


class SeenIn(str, Enum):
    """Where a log says who died."""

    KILL_LINE = "kill line"
    SUMMARY = "summary"
    """``oom-kill:constraint=…,task=…,pid=…``"""
    REAPER = "oom_reaper"
    PROGRAM = "a program's log"
    """Of a killer in user space, or of one that tells of the kernel's kills."""


class Kill(NamedTuple):
    """One "Killed process" line, or what other lines say about that death."""

    pid: int
    """Of the process. The line itself may name a thread of it: ``thread``."""
    comm: str
    uid: int | None = None
    oom_score_adj: int | None = None
    total_vm_bytes: int | None = None
    anon_rss_bytes: int | None = None
    file_rss_bytes: int | None = None
    shmem_rss_bytes: int | None = None
    thread: int | None = None
    """The thread that the line named, where it was not the leader."""
    seen_in: SeenIn = SeenIn.KILL_LINE
    whole_rss_bytes: int | None = None
    """Where the line has RSS as one number, as OpenVZ's and those of programs have."""
    cut: bool = False
    """Some of the sizes that such a line ends with are not there."""

    @property
    def rss_bytes(self) -> int | None:
        """All resident memory in bytes; None: the line does not print all of it."""
        if self.whole_rss_bytes is not None:
            return self.whole_rss_bytes
        if self.cut or self.anon_rss_bytes is None or self.file_rss_bytes is None:
            return None
        return self.anon_rss_bytes + self.file_rss_bytes + (self.shmem_rss_bytes or 0)


class Selected(NamedTuple):
    """``Kill process N (comm) score S or sacrifice child``: the choice, up to 5.0."""

    pid: int
    """May be a thread of the process that dies."""
    comm: str
    score: int | None
    """points * 1000 / totalpages, rounded down."""


class Zone(NamedTuple):
    """A memory zone of a NUMA node (``show_free_areas``)."""

    node: int
    name: str
    present_bytes: int


class MachineMemory(NamedTuple):
    """The totals of a Mem-Info block."""

    ram_pages: int | None = None
    reserved_pages: int | None = None
    total_swap_bytes: int | None = None
    """0 where the kernel has no swap at all and prints no such line."""
    free_swap_bytes: int | None = None
    zones: tuple[Zone, ...] = ()
    """Only the zones that were printed: from 6.1 on those above the requested one are left out."""
    nodes: frozenset[int] = frozenset()
    """Every NUMA node that a line names."""


class Counter(NamedTuple):
    """``memory: usage 65536kB, limit 65536kB, failcnt 80``."""

    usage_bytes: int
    limit_bytes: int | None
    """None: unlimited."""


class MemcgMemory(NamedTuple):
    """The counters of the memory cgroup that ran out."""

    memory: Counter | None = None
    memsw: Counter | None = None
    """cgroup v1: memory and swap together."""
    swap: Counter | None = None
    """cgroup v2."""


KERNEL = "kernel"
"""The killer that is meant where nothing else is said."""


class Ended(str, Enum):
    """How a run of the OOM killer ended."""

    KILL = "kill"
    PANIC = "panic"
    NO_KILLABLE = "no_killable"
    """The kernel said that nobody could be killed."""
    UNKNOWN = "unknown"
    """The log does not say."""


class Elsewhere(NamedTuple):
    """What a killer in user space says of its kill, or a program of one of the kernel's."""

    killer: str | None = KERNEL
    """``kernel``, or a program such as ``systemd-oomd``; None: the log does not say which it was."""
    cgroup: str | None = None
    """Killed as a whole: a path, as far as it is printed."""
    unit: str | None = None
    """In which systemd says that something was killed."""
    processes: int | None = None
    """How many were killed; None: not told."""
    signal: str | None = None
    """``SIGTERM``, which a process may survive, or ``SIGKILL``; None: not told."""
    why: str | None = None
    """In the killer's own words."""


class OomReport(NamedTuple):
    """One run of the OOM killer, as far as the log tells."""

    number: int
    """Its place in the log, from 1."""
    time_text: str | None = None
    """The date in front of the lines, as it stands there."""
    epoch_s: float | None = None
    """Seconds since 1970, where the date carries its time zone."""
    uptime_s: float | None = None
    kernel: str | None = None
    """The release, from the report's own ``CPU:`` line or from the boot message before it."""
    constraint: Constraint | None = None
    constraint_text: str | None = None
    """As the summary line spells it; may be a name that is not known here."""
    oom_memcg: str | None = None
    task_memcg: str | None = None
    trigger_pid: int | None = None
    """The thread that could not get its memory."""
    trigger_comm: str | None = None
    order: int | None = None
    """-1: sysrq-f."""
    gfp_mask: str | None = None
    """As the header spells it."""
    nodemask: frozenset[int] | None = None
    mems_allowed: frozenset[int] | None = None
    cpuset: str | None = None
    """The last part of its path."""
    machine: MachineMemory = MachineMemory()
    memcg: MemcgMemory = MemcgMemory()
    memory: MemorySeen = MemorySeen()
    """Every counter that says where memory is."""
    columns: tuple[str, ...] = ()
    """The table's own header; empty: no table."""
    wide_pid: bool = False
    """``[  pid  ]`` rather than ``[ pid ]``."""
    tasks_state_line: bool = False
    """``Tasks state (memory values in pages):`` stands above the table."""
    rows: tuple[TableRow, ...] = ()
    summary_line: bool = False
    """There is an ``oom-kill:constraint=`` line (5.0 and later)."""
    selected: Selected | None = None
    victim: Kill | None = None
    killed: tuple[Kill, ...] = ()
    """Everyone the log says was killed in this run, the victim first."""
    oom_group: str | None = None
    """The cgroup killed as a whole because of memory.oom.group."""
    allocating_task: bool = False
    """``vm.oom_kill_allocating_task`` made the choice."""
    panic: str | None = None
    """The text of the kernel panic that ended it."""
    page_size: int | None = None
    """Bytes, where sizes in the report tell."""
    killed_before: frozenset[int] = frozenset()
    """PIDs of the table that an earlier report of the same log says were killed."""
    missing: tuple[str, ...] = ()
    """What keeps it from being complete, in words."""
    lacks_totals_only: bool = False
    """Nothing is missing but how much memory there was."""
    requested: bool = False
    """Somebody asked for it by hand (SysRq f): memory need not have been short."""
    no_killable: bool = False
    """The kernel said that nobody could be killed."""
    exiting: int | None = None
    """PID of a chosen process that got no signal: it was exiting already."""
    container: str | None = None
    """The OpenVZ container that ran out, by its number."""
    elsewhere: Elsewhere = Elsewhere()
    """What programs say of this kill; its ``killer`` is the kernel wherever the kernel's own lines are there."""

    @property
    def ended(self) -> Ended:
        """How it ended; UNKNOWN where the log breaks off before."""
        if self.panic is not None:
            return Ended.PANIC
        told = self.elsewhere
        if self.victim is not None or told.cgroup or told.unit or told.processes:
            return Ended.KILL
        return Ended.NO_KILLABLE if self.no_killable else Ended.UNKNOWN

    @property
    def complete(self) -> bool:
        """Whether it has the whole table, the totals and the victim, so that the choice can be replayed."""
        return not self.missing

    @property
    def victim_memcg(self) -> str | None:
        """Path of the victim's memory cgroup; None: it is not told.

        ``task_memcg`` is that of the task that was chosen (``dump_header``), and up to 5.0 a child may die instead.
        """
        victim, chosen = self.victim, self.selected
        if victim is None or chosen is None or chosen.pid in (victim.pid, victim.thread):
            return self.task_memcg
        row = self.row_of(victim.pid)
        return self.task_memcg if row is not None and row.pid == chosen.pid else None

    def rows_by_pid(self) -> dict[int, TableRow]:
        """The rows that ``row_of`` finds, for who asks for many."""
        return {row.pid: row for row in reversed(self.rows)} | {row.tgid: row for row in reversed(self.rows)}

    def row_of(self, pid: int) -> TableRow | None:
        """The table's row of a process or of one of its threads; None: not in the table."""
        by_tgid = next((row for row in self.rows if row.tgid == pid), None)
        return by_tgid or next((row for row in self.rows if row.pid == pid), None)


class Replay(NamedTuple):
    """Our verdict for one report."""

    victim_pid: int | None
    """The process that the rules choose; None: the report is not enough to say."""
    agrees: bool | None
    """Whether the kernel chose the same; None: it cannot be said, ``reason`` says why."""
    reason: str
    kernel: str | None = None
    """Whose rules were applied."""
    totalpages: int | None = None
    page_size: int | None = None
    margin_pages: int | None = None


class Replayed(NamedTuple):
    """A report, and our verdict beside the kernel's."""

    report: OomReport
    replay: Replay
