"""What the kernel knows when it chooses a victim, as plain values: no file, clock or terminal in here.

The values are NamedTuples: immutable, and cheap enough to make 10,000 of them in one read.
Sizes say their unit; a page is ``Scenario.page_size`` bytes. ``None`` means that the kernel has no
answer or that userspace cannot see it, never zero.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Constraint(str, Enum):
    """Which memory ran out (``enum oom_constraint`` in include/linux/oom.h)."""

    NONE = "none"
    MEMCG = "memcg"
    CPUSET = "cpuset"
    MEMPOLICY = "mempolicy"


class Outcome(str, Enum):
    """How one invocation of the OOM killer ends."""

    KILL = "kill"
    SILENT_MARK = "silent_mark"
    """The chosen task is dying already and gets no signal: only access to memory reserves, without a word in the log,
    or, where no memory is left of it, nothing at all."""
    ABORT = "abort"
    """An earlier victim has not finished dying: nobody is killed this time."""
    NO_KILLABLE = "no_killable"
    PANIC = "panic"
    NO_OOM = "no_oom"
    """The killer does not run at all for such an allocation."""
    NO_KILL_DISABLED = "no_kill_disabled"
    """cgroup v1 with ``oom_kill_disable``: nobody is killed, whoever needs memory waits for it."""
    UNKNOWN = "unknown"
    """Nobody who could be chosen can be seen from here, and there are some who cannot be seen."""


class Unkillable(str, Enum):
    """What keeps a task from being chosen."""

    GLOBAL_INIT = "global_init"
    KTHREAD = "kthread"
    OTHER_MEMCG = "other_memcg"
    """It is in none of the memory cgroups that the OOM concerns."""
    OTHER_NODES = "other_nodes"
    """Its NUMA nodes are all outside those that ran out."""
    REAPED = "reaped"
    """The reaper is done with its memory (MMF_OOM_SKIP)."""
    ZOMBIE = "zombie"
    ADJ_MIN = "adj_min"
    VFORK = "vfork"


class Decisive(str, Enum):
    """What decided how one invocation of the OOM killer ends."""

    HIGHEST_BADNESS = "highest_badness"
    LAST_OF_EQUALS = "last_of_equals"
    FIRST_OF_EQUALS = "first_of_equals"
    ONLY_CANDIDATE = "only_candidate"
    ORIGIN = "origin"
    """It gives up swap or merged pages on purpose (``oom_task_origin``)."""
    ALLOCATING_TASK = "allocating_task"
    """``vm.oom_kill_allocating_task``."""
    CHILD_SACRIFICED = "child_sacrificed"
    CHOSEN_IS_DYING = "chosen_is_dying"
    CHOSEN_IS_GONE = "chosen_is_gone"
    """No thread of it has memory left, so it is not killed; nor is anybody else."""
    CURRENT_IS_DYING = "current_is_dying"
    """The task that could not get its memory."""
    VICTIM_IS_DYING = "victim_is_dying"
    """An earlier one, whose memory the kernel waits for."""
    COSTLY_ORDER = "costly_order"
    NO_FS = "no_fs"
    """The allocation is one without __GFP_FS."""
    UNLIMITED = "unlimited"
    """The memory cgroup has no limit that it could hit."""
    PANIC_ALWAYS = "panic_always"
    """``vm.panic_on_oom`` is 2."""
    PANIC_OF_MACHINE = "panic_of_machine"
    """``vm.panic_on_oom`` is 1."""
    DEADLOCK = "deadlock"
    """No killable process, and the whole machine is out of memory."""
    NOBODY_FOR_SYSRQ = "nobody_for_sysrq"
    NOBODY_FOR_ALLOCATION = "nobody_for_allocation"
    NOBODY_VISIBLE = "nobody_visible"
    """Those who could be chosen are hidden."""
    KILL_DISABLED = "kill_disabled"
    """``memory.oom_control`` of a cgroup v1."""


class Doubtful(str, Enum):
    """What keeps a prediction from being certain, however far the first leads."""

    HIDDEN_PROCESSES = "hidden_processes"
    """They exist and cannot be read."""
    UNSEEN_MEMBERS = "unseen_members"
    """The memory cgroup may have members outside this PID namespace."""
    UNSEEN_LIMITS = "unseen_limits"
    """Limits of memory cgroups above all that are mounted here may be nearer; ``detail``: the topmost one that is."""
    ALLOCATING_TASK = "allocating_task"
    """``vm.oom_kill_allocating_task`` is set, and which task will ask is not known."""
    UNKNOWN_FIELDS = "unknown_fields"
    """Of a document; they may hold what decides."""
    GUESSED_RULES = "guessed_rules"
    """Nobody has verified what such a kernel does."""
    OTHER_COUNTERS = "other_counters"
    """The numbers were read on a kernel that counts differently from the one asked about."""
    OTHER_TOTALPAGES = "other_totalpages"
    """The kernel's own scores contradict the sizes of memory that this place shows."""
    UNSEEN_SHARERS = "unseen_sharers"
    """Of a scenario: so many (0: all) could not be asked about who shares their memory; where some could, those have no
    ``start_stack``. Of a round: so many may share the memory of who is killed."""


class Probed(str, Enum):
    """What a kernel was seen to do, where that is not what its name says or the name leaves it open."""

    SIGNED = "signed"
    """Negative badness keeps its order."""
    UNSIGNED = "unsigned"
    EXACT_STATUS = "exact_status"
    """``status`` sums RSS exactly, ``stat`` does not."""
    PMD_TABLES = "pmd_tables"
    """Page tables of the second level are counted one by one."""


class Doubt(NamedTuple):
    """One reason for which nothing is certain."""

    kind: Doubtful
    number: int = 0
    """Of processes or fields."""
    detail: str = ""
    """The first field, the kernel, … ; hostile input."""


class Certainty(str, Enum):
    """Whether another task can be first in the killer's eyes."""

    CERTAIN = "certain"
    """No other task can be first, whatever the per-CPU counters hide."""
    CLOSE = "close"
    """Several tasks can; the victim is one of the contenders."""


class Mempolicy(NamedTuple):
    """The NUMA nodes that a task asks for its memory, and how strictly (``struct mempolicy``)."""

    mode: str
    """``bind``, ``interleave``, ``preferred``, … as ``set_mempolicy`` names them."""
    nodes: frozenset[int]


class Thread(NamedTuple):
    """A thread other than the leader."""

    tid: int
    comm: str
    memcg: str | None = None
    """Its own memory cgroup where that differs from the process's (cgroup v1)."""
    mems: frozenset[int] | None = None
    mempolicy: Mempolicy | None = None


class Task(NamedTuple):
    """A thread group: what the OOM killer may take, with the numbers it is judged by."""

    pid: int
    """In the initial PID namespace. Negative for a process that exists only in a what-if."""
    comm: str
    """At most 15 bytes; hostile input, show it through ``render.text.visible``."""
    ppid: int = 0
    uid: int = 0
    rss_pages: int = 0
    """As the killer's own counter reads it, which on 6.2 to 6.19 is not what VmRSS says."""
    swap_pages: int = 0
    pgtables_pages: int = 0
    adj: int = 0
    """``oom_score_adj``, -1000..1000."""
    start_ticks: int = 0
    """Field 22 of ``stat``: clock ticks since boot. PID and start time together are an identity."""
    oom_score: int | None = None
    """What ``/proc/PID/oom_score`` showed at the same moment."""
    anon_pages: int | None = None
    """Private memory in RAM, given back when the last user of the memory map dies."""
    file_pages: int = 0
    """Pages of files among those in RAM; reclaim may take them before the killer looks."""
    shmem_pages: int = 0
    """Shared memory and tmpfs among those in RAM; reclaim may move it to swap, where it is nobody's."""
    droppable_pages: int | None = None
    """Private memory that reclaim may drop: given to MADV_FREE, or empty parts of huge pages; None: not known."""
    rss_exact_pages: int | None = None
    """What VmRSS says where ``rss_pages`` is another number, and the killer counts since 7.0; None: the same, or not
    known."""
    evictable_pages: int | None = None
    """Of its pages of files and shared memory those that reclaim of this memory can have; None: not known."""
    vsize_bytes: int = 0
    memcg: str | None = None
    """Path of the memory cgroup of the group leader."""
    mm: str | None = None
    """Tasks with the same name here share one memory map; None: nobody else has it."""
    mems: frozenset[int] | None = None
    """NUMA nodes its cpuset allows; None: all."""
    mempolicy: Mempolicy | None = None
    threads: tuple[Thread, ...] = ()
    init: bool = False
    """PID 1 of the initial PID namespace."""
    kthread: bool = False
    zombie: bool = False
    """No thread of the group has memory left."""
    zombie_leader: bool = False
    """The leader has exited, other threads live on."""
    vfork: bool = False
    """Between vfork() and exec(): runs on its parent's memory map."""
    oom_victim: bool = False
    """Chosen by an earlier OOM kill and not gone yet."""
    oom_skip: bool = False
    """The reaper is done with its memory (MMF_OOM_SKIP)."""
    running: bool = False
    """A thread of it was, or may have been, on a CPU or waiting for one: its counters are on the move."""
    exiting: bool = False
    ptraced_exit: bool = False
    """Its leader is traced with PTRACE_O_TRACEEXIT (matters to 3.10 only)."""
    origin: bool = False
    """Runs swapoff, or is telling KSM to unmerge everything: taken before anybody else."""
    cap_sys_admin: bool = False
    """Has CAP_SYS_ADMIN in the initial user namespace (a 3 % discount before 4.17)."""
    inode: int | None = None
    """Number of its directory under /proc, the same for as long as that is open: start times are ticks of 10 ms."""
    start_stack: int = 0
    """Field 28 of ``stat``: where the stack of its memory map begins; 0: not shown to this user, or not known."""


class MemcgLimits(NamedTuple):
    """Limits of one memory cgroup in pages; None is unlimited."""

    version: int
    memory_pages: int | None
    swap_pages: int | None = None
    """v2: ``memory.swap.max``."""
    memsw_pages: int | None = None
    """v1: ``memory.memsw.limit_in_bytes``, memory and swap together."""
    swap_total_pages: int = 0
    swappiness: int = 60
    use_hierarchy: bool = True
    """v1, up to v5.10: False where cgroups below do not count (``memory.use_hierarchy`` 0)."""


class NodePages(NamedTuple):
    """Pages of a NUMA node: ``spanned`` with the holes in between."""

    present: int
    spanned: int


class Context(NamedTuple):
    """The allocation that failed, and the settings that decide what follows."""

    constraint: Constraint
    totalpages: int
    memcg: str | None = None
    """The cgroup whose limit was hit."""
    current: int | None = None
    """PID of the task that could not get its memory."""
    current_mems: frozenset[int] | None = None
    nodemask: frozenset[int] | None = None
    order: int = 0
    """2**order pages were asked for; -1: sysrq-f."""
    gfp_fs: bool = True
    sysrq: bool = False
    panic_on_oom: int = 0
    oom_kill_allocating_task: bool = False
    oom_groups: frozenset[str] = frozenset()
    """cgroup v2 paths with ``memory.oom.group`` set."""
    cpus: int | None = None
    """Set where the numbers were read from /proc: how many CPUs may hold back part of a counter.
    None: the numbers are the killer's own."""
    swap_used: bool = False
    """Some task may have, or have had, pages in swap: counters of swap may hold back pages of any."""
    sudden: bool = False
    """The OOM comes without reclaim before it, as that of sysrq-f does."""
    file_lru_pages: int | None = None
    """Of the pages of files in this memory so many can be reclaimed at most; None: not known."""
    swappable_shmem_pages: int | None = None
    """So many pages of shared memory in this memory can go to swap at most; None: not known."""
    droppable_pages: int = 0
    """Private memory that reclaim may drop, of all processes, at most."""
    left_pages: int | None = None
    """So many pages can still be had before this memory runs out, at most: free ones, all that reclaim can give,
    shared memory that can be mapped, swap. None: not known."""
    kill_disabled: bool = False
    """cgroup v1: ``oom_kill_disable`` is set on the cgroup whose limit is hit."""
    unlimited: bool = False
    """The cgroup has no limit that it could hit; ``totalpages`` is the machine's then."""


class Scenario(NamedTuple):
    """Everything one decision depends on. ``tasks`` stand in the kernel's scan order."""

    kernel: str
    """A release (``6.1.20``), or a vendor's label (``rhel8.1``)."""
    context: Context
    tasks: tuple[Task, ...]
    page_size: int = 4096
    unread_candidates: int = 0
    """Killable tasks left out because their ``oom_score`` says that they cannot be near the first."""
    unread_unkillable: int = 0
    hidden: int = 0
    """Processes that exist but could not be read."""
    read_from: str | None = None
    """The kernel that the numbers were read on, where ``kernel`` asks for another one's rules."""
    doubts: tuple[Doubt, ...] = ()
    """What was found while reading that keeps every prediction from being certain."""
    probed: frozenset[Probed] = frozenset()
    """What the kernel that the numbers were read on was seen to do."""


class Candidate(NamedTuple):
    """One task's badness with its terms, all in pages."""

    task: Task
    badness: int
    adj_pages: int
    root_bonus_pages: int = 0


class WhySpared(NamedTuple):
    """Why a task cannot be chosen."""

    kind: Unkillable
    memcg: str | None = None
    """With OTHER_MEMCG: the one that is out of memory."""
    nodes: frozenset[int] | None = None
    """With OTHER_NODES: those that are."""


class Spared(NamedTuple):
    """A task that cannot be chosen, and why."""

    task: Task
    reason: WhySpared


class WhyEnded(NamedTuple):
    """Why a round ended so."""

    kind: Decisive
    task: Task | None = None
    """Whom that is said of."""
    other: Task | None = None
    """The second, or the child that dies in its place."""
    margin_pages: int | None = None
    """How far ``task`` is ahead of ``other``."""
    order: int | None = None
    memcg: str | None = None


class Round(NamedTuple):
    """One invocation of the OOM killer."""

    outcome: Outcome
    reason: WhyEnded
    victim: Candidate | None = None
    selected: Task | None = None
    """The task chosen first, where a child was sacrificed for it."""
    certainty: Certainty = Certainty.CERTAIN
    margin_pages: int | None = None
    """How far the first is ahead of the second; None without a second."""
    error_bound_pages: int = 0
    contenders: tuple[Task, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    """Why it is not certain, besides what the contenders' numbers say."""
    overtaken_by_growth_pages: int | None = None
    """By so much another has to grow to be first; None where nobody is chosen by badness."""
    settled: bool = False
    """All that is left is less than that, so no single other process can become first."""
    killed: tuple[Task, ...] = ()
    """Everyone who gets SIGKILL, the victim first."""
    group: str | None = None
    """The memory cgroup that is killed as a whole (``memory.oom.group``)."""
    freed_pages: int = 0
    """Private RAM, swap and page tables of the killed; what others share stays."""
    ranking: tuple[Candidate, ...] = ()
    spared: tuple[Spared, ...] = ()
