"""What one line of a kernel log says, as a value: ``shapes.read`` makes it, ``Draft.take`` adds it to its report.

None in a field: the line does not say. Sizes are in bytes unless their name says otherwise.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, Union

from oomctl.model.oomreport import Counter, Kill, Selected, TableRow
from oomctl.oomlog.meminfo import Counted, Sizes
from oomctl.oomlog.table import Gap, TableHeader

# Lines that can begin a report


class Boot(NamedTuple):
    """``Linux version 6.1.20 (...)``: another boot, so every report before it is over."""

    release: str


class Header(NamedTuple):
    """``java invoked oom-killer: gfp_mask=..., order=0, oom_score_adj=0`` (``dump_header``)."""

    comm: str | None
    """Of the task that needed memory, empty where kernels did not print it; None: the line is damaged, and may be about
    anything."""
    order: int | None = None
    nodemask: frozenset[int] | None = None
    """Nodes of the allocation; None: any."""
    gfp_mask: str | None = None
    """``0xcc0(GFP_KERNEL)``; up to 4.5 the number alone."""
    container: str | None = None
    """OpenVZ: whose memory it was."""


class Nodemask(NamedTuple):
    """``nodemask=0-1`` of a summary."""

    nodes: frozenset[int] | None
    """None: any (``(null)``)."""


class Cpuset(NamedTuple):
    """``java cpuset=/ mems_allowed=0-1``, or the same within a summary."""

    mems_allowed: frozenset[int] | None
    name: str | None = None
    """The last part of the cpuset's path."""


class Summary(NamedTuple):
    """``oom-kill:constraint=...,nodemask=...,task=java,pid=1,uid=0``, 5.0 and later (``dump_oom_summary``)."""

    constraint: str | None
    nodemask: Nodemask | None
    cpuset: Cpuset | None
    oom_memcg: str | None
    task_memcg: str | None
    victim: Kill | None
    cut: str | None
    """The line itself where it ends before the victim: the next line may be its rest."""


class Culprit(Enum):
    """Whose memory a kill line says ran out."""

    MEMCG = "Memory cgroup out of memory"
    MACHINE = "Out of memory"
    """Or some of its nodes: the kernel has one word for both."""
    CPUSET = "No available memory in cpuset"  # up to 2.6.35, as the next one
    MEMPOLICY = "No available memory (MPOL_BIND)"


class Cause(NamedTuple):
    """What stands before the process in the lines about a kill."""

    culprit: Culprit | None
    allocating_task: bool
    """``(oom_kill_allocating_task)``: the sysctl made the choice."""


class Choice(NamedTuple):
    """``Kill process 7 (java) score 512 or sacrifice child``, up to 5.0 (``oom_kill_process``)."""

    selected: Selected
    cause: Cause


class Killing(NamedTuple):
    """``Killed process 7 (java) total-vm:...`` (``__oom_kill_process``)."""

    kill: Kill
    cause: Cause
    container: str | None = None
    """OpenVZ: whose memory it was."""
    score: int | None = None
    """OpenVZ prints it here."""


class Rage(NamedTuple):
    """OpenVZ's ``OOM killer in rage, 16 tasks killed in ub 1234``."""

    processes: int
    container: str


class Request(NamedTuple):
    """``sysrq: Manual OOM execution``, or that the kernel ignored it: somebody asked for a kill by hand."""

    ignored: bool
    """``OOM request ignored. No task eligible``, or ``because killer is disabled``: nobody could be killed."""


class Sharer(NamedTuple):
    """``Kill process 8 (java) sharing same memory``, up to 4.18."""

    kill: Kill


class Reaped(NamedTuple):
    """``oom_reaper: reaped process 7 (java)``, or that it could not be."""

    pid: int
    comm: str


class Panic(NamedTuple):
    """``Kernel panic - not syncing: Out of memory: ...``."""

    text: str
    cause: Cause


class NoKillable(NamedTuple):
    """``Out of memory and no killable processes...``."""

    cause: Cause


class Exiting(NamedTuple):
    """``OOM victim 7 (java) is already exiting. Skip killing the task``."""

    pid: int
    cause: Cause


# Lines inside one


class Group(NamedTuple):
    """``Tasks in /a are going to be killed due to memory.oom.group set``."""

    memcg: str


class Current(NamedTuple):
    """``CPU: 1 PID: 7 Comm: java Not tainted 6.1.20 #1``: who needed memory, on which kernel."""

    pid: int | None
    release: str | None


class MemcgPaths(NamedTuple):
    """``Task in /a/b killed as a result of limit of /a`` (``mem_cgroup_print_oom_info``)."""

    task_memcg: str
    oom_memcg: str


class LimitOf(NamedTuple):
    """``Memory limit reached of cgroup /a``, from 4.19."""

    oom_memcg: str


class StatsOf(NamedTuple):
    """``Memory cgroup stats for /a:``, up to 5.2 with the numbers of this cgroup without those below it."""

    memcg: str | None
    """None: a kernel before 3.7, which prints no path."""
    own: Sizes = ()
    """Bytes, by the names of v1's memory.stat."""
    whole: Counted | None = None
    """The numbers of memory.stat that syslog has joined to the line."""


class MemcgCounter(NamedTuple):
    """``memory: usage 65536kB, limit 65536kB, failcnt 80``."""

    kind: str
    """``memory``, ``memory+swap``, ``swap`` or ``kmem``."""
    counter: Counter
    page_kib: int | None
    """What an unlimited counter tells: its number is 2**63 bytes without one page."""


class Node(NamedTuple):
    """Any line that begins with a NUMA node."""

    node: int


class Sum(Enum):
    """The totals below Mem-Info (``show_free_areas``, ``show_mem``)."""

    RAM_PAGES = "pages RAM"
    RESERVED_PAGES = "pages reserved"
    FREE_SWAP_KIB = "Free swap"
    TOTAL_SWAP_KIB = "Total swap"
    PAGECACHE_PAGES = "total pagecache pages"


class Total(NamedTuple):
    """``1048576 pages RAM`` and the other totals."""

    of: Sum
    number: int


class Note(Enum):
    """Lines without a number or a name to keep."""

    MEM_INFO = "Mem-Info:"
    TASKS_STATE = "Tasks state (memory values in pages):"
    SUPPRESSED = "the kernel's rate limit swallowed messages of this report"
    LOST = "messages were dropped before they reached the log"
    CALLED_FOR_MEMCG = "mem_cgroup_out_of_memory stands in the call trace"
    CALLED_BY_ALLOCATOR = "the call trace comes from where pages of the machine are given out"
    CALLED_BY_HAND = "moom_callback stands in the call trace: SysRq f"


# Python 3.9 has no ``|`` between classes.
Event = Union[Header, Summary, Choice, Killing, Rage, Request, Sharer, Reaped, TableHeader, Panic, NoKillable, Exiting]
"""Of a report by itself: such a line may be the first that a log has of it."""
Memory = Union[MemcgPaths, LimitOf, StatsOf, MemcgCounter, Node, Total, Counted]
Detail = Union[TableRow, Group, Current, Cpuset, Memory, Note, Gap]
"""Belongs to the report that is open."""
Said = Union[Boot, Event, Detail]
