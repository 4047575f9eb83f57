"""The shapes of the kernel's lines, 2.6.9 to 7.1: each line of a log becomes one value of ``oomlog.lines``.

To teach a new shape of a line that is known, add a row to ``EVENTS`` (a log may have it as the first line of a
report) or to ``DETAILS`` (it says something within one): a word that every such line holds, and a function from the
message, without its prefix, to the value, or to None where the line is none after all. The first row that makes a
value wins, so a stricter shape stands above a looser one. A line that says something new needs a value in
``oomlog.lines`` and a method of ``Draft`` that takes it, too; an event also needs one of its words in ``anchors``, so
that it is found in a log about other things, and its rule in ``parser._begins_another``. A test has a line for every
shape. What only some vendors' kernels print is in ``vendors``, what programs print in ``killers``. Rows of the task
table are read in ``table``; prefixes (dates, hosts, what a shipper puts in front) are taken off before, in ``prefix``.

A task's name may hold anything, so every pattern anchors on the fixed text to the right of a name.
No pattern has a repetition without bound in its middle: where anything may stand between two fixed texts, these are
searched for one by one (``Between``), so that hostile text costs time in proportion to its length.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from oomctl.model.oomreport import Counter, Kill, SeenIn, Selected
from oomctl.oomlog import meminfo, vendors
from oomctl.oomlog.between import Between
from oomctl.oomlog.lines import (
    Boot,
    Cause,
    Choice,
    Cpuset,
    Culprit,
    Current,
    Exiting,
    Group,
    Header,
    Killing,
    LimitOf,
    MemcgCounter,
    MemcgPaths,
    Node,
    Nodemask,
    NoKillable,
    Note,
    Panic,
    Reaped,
    Said,
    Sharer,
    StatsOf,
    Sum,
    Summary,
    Total,
)
from oomctl.oomlog.nodes import node_set
from oomctl.oomlog.table import LONGEST_NAME, TableHeader, read_gap, read_header, read_row

LONGEST_CPUSET = 255
"""Characters of a cpuset's name that are kept: a directory's name is no longer."""
_UNLIMITED_KIB = 1 << 52  # PAGE_COUNTER_MAX is 2**53 KiB minus a page, in older kernels 2**54
_UNLIMITED_32_BIT_KIB = ((1 << 31) - 1) * 4  # LONG_MAX pages (include/linux/page_counter.h)


def read(message: str, table: TableHeader | None = None) -> Said | None:
    """Return what a message says; None: nothing about an OOM kill. ``table``: the one whose rows may follow."""
    naming = _naming(message)
    if naming is not None:
        return naming(message)
    value = _first(EVENTS, message)
    if value is None and table is not None:
        # A row that is not there counts before anything else: what claims to be complete has none of these.
        value = read_row(table, message) or read_gap(message)
    return value if value is not None else _first(DETAILS, message)


def _first(shapes: tuple[Shape, ...], message: str) -> Said | None:
    for word, recognise in shapes:
        if word in message:
            value = recognise(message)
            if value is not None:
                return value
    return None


def _naming(message: str) -> Callable[[str], Said | None] | None:
    """Return what reads a line that holds the name of a cgroup, and nothing else may: that name may hold any line."""
    if message.startswith(_NAMING_BEGIN):
        return next(recognise for begin, recognise in NAMING if message.startswith(begin))
    place = message.find(" cpuset=", 1, _FARTHEST_CPUSET)
    # A victim may be called "a cpuset=b"; what stands before its name is longer than the name of any process.
    return _cpuset if place > 0 and _KILL_BEGUN.search(message, 0, place) is None else None


class Shape(NamedTuple):
    """One row of ``EVENTS`` or ``DETAILS``."""

    word: str
    """In every line of this shape; found before any pattern is tried, for most lines have no shape at all."""
    recognise: Callable[[str], Said | None]


# Lines that can begin a report

_BOOT = re.compile(r"Linux version (\d{1,3}\.\d{1,3}\S{0,100})")
_HEADER = re.compile(r"(?:(.*?) ?invoked )?oom-killer: gfp(?:_mask=[^,]{0,400}(?:,|$)(.*)|_?m?a?s?k?=?$)")
_HEADER_NODEMASK = re.compile(r"nodemask=\(?([\d,-]{0,200}\d|null)\)?")
_HEADER_MASK = re.compile(r"gfp_mask= ?(0x[0-9a-fA-F]{1,16}(?: ?\([\w| ]{1,300}\))?)")
_HEADER_ORDER = re.compile(r"\border= ?(-?\d{1,3})")


def _boot(message: str) -> Boot | None:
    match = _BOOT.search(message)
    return Boot(match[1]) if match else None


def _header(message: str) -> Header:
    match = _HEADER.match(message)
    if match is None:
        return vendors.container_header(message) or Header(None)
    behind = match[2] or ""
    order, nodemask = _HEADER_ORDER.search(behind), _HEADER_NODEMASK.search(behind)
    mask = _HEADER_MASK.search(message)
    return Header(
        (match[1] or "")[:LONGEST_NAME],
        int(order[1]) if order else None,
        node_set(nodemask[1] if nodemask else None),
        gfp_mask=mask[1].replace(" ", "") if mask else None,
    )


def _nameless_header(message: str) -> Header | None:
    """Read ``oom-killer: gfp_mask=0xd0`` of 2.6.9, which does not say who needed memory."""
    return _header(message) if message.startswith("oom-killer: ") else None


def _spaced(key: str) -> str:
    """A mailer's line break, mended with a space, may stand inside a key."""
    return " ?".join(map(re.escape, key))


_CONSTRAINT = re.compile(r"\boom-kill:constraint=(\w{1,64}),")
_SUMMARY_NODES = re.compile(r"nodemask=\(?([\d,-]{0,200}\d|null)\)?,(?:cpuset=(.*?),mems_allowed=([\d,-]{0,200}\d))?")
_SUMMARY_VICTIM = Between(rf",{_spaced('task=')}", rf",{_spaced('pid=')}(\d{{1,10}}),{_spaced('uid=')}(\d{{1,10}})")
_SUMMARY_TASK_MEMCG = Between(rf",{_spaced('task_memcg=')}", rf",{_spaced('task=')}")
_SUMMARY_OOM_MEMCG = Between(rf",{_spaced('oom_memcg=')}", rf",{_spaced('task_memcg=')}|$", to_first=True)


def _summary(message: str) -> Summary | None:
    return read_summary(message) if "constraint=" in message else None


def read_summary(message: str) -> Summary:
    """Return what a summary says, as far as it is there."""
    constraint = _CONSTRAINT.search(message)
    nodes = _SUMMARY_NODES.search(message)
    oom_memcg, task_memcg = _SUMMARY_OOM_MEMCG.search(message), _SUMMARY_TASK_MEMCG.search(message)
    victim = _SUMMARY_VICTIM.search(message)
    return Summary(
        constraint[1] if constraint else None,
        Nodemask(node_set(nodes[1])) if nodes else None,
        Cpuset(node_set(nodes[3]), nodes[2][:LONGEST_CPUSET]) if nodes and nodes[3] is not None else None,
        oom_memcg.text if oom_memcg else None,
        task_memcg.text if task_memcg else None,
        Kill(int(victim.behind[1]), victim.text[:LONGEST_NAME], int(victim.behind[2]), seen_in=SeenIn.SUMMARY)
        if victim
        else None,
        None if victim else message,
    )


def continues_summary(message: str) -> bool:
    """Whether a line can be the rest of a summary that was cut by its length or by a mailer."""
    return any(key in message for key in ("task=", "pid=", "uid="))


_SHARER = Between(r"\bKill process (\d{1,10}) \(", r"\) sharing same memory")
_SELECTED = Between(r"\b[Kk]ill process (\d{1,10}):? \(", r"\)(?: score (-?\d{1,20}))? or (?:sacrifice|a) child")
_KILLED = re.compile(r"\bKilled process (\d{1,10})(?:, UID (\d{1,10}),)? \(")
# The name's end; Virtuozzo 7 also says in which of its containers.
_KILLED_END = re.compile(r"\)(?: in VE \"(\w{1,64})\")?,? ?(?:UID:? ?(\d{1,10})(?:,|\b))?,? ?(?:total-vm|vsz):")
_TOTAL_VM = re.compile(r"(?:total-vm|vsz) ?: ?(\d{1,20})kB")
_ANON_RSS = re.compile(r"anon-rss ?: ?(\d{1,20})kB")
_FILE_RSS = re.compile(r"file-rss ?: ?(\d{1,20})kB")
_SHMEM_RSS = re.compile(r"shmem-rss ?: ?(\d{1,20})kB")
_KILLED_UID = re.compile(r"\bUID ?:? ?(\d{1,10})")
_KILLED_ADJ = re.compile(r"oom_score_adj ?: ?(-?\d{1,5})")


_CULPRITS = (
    ("emory cgroup out of memory", Culprit.MEMCG),
    ("ut of memory in UB", None),
    ("ut of memory", Culprit.MACHINE),
    ("ut of Memory: ", Culprit.MACHINE),  # 2.6.9
    ("No available memory in cpuset", Culprit.CPUSET),
    ("No available memory (MPOL_BIND)", Culprit.MEMPOLICY),
)


def _cause(message: str) -> Cause:
    culprit = next((culprit for words, culprit in _CULPRITS if words in message), None)
    return Cause(culprit, "(oom_kill_allocating_task)" in message)


def _sharer(message: str) -> Sharer | None:
    match = _SHARER.search(message)
    return Sharer(Kill(int(match.before[1]), match.text[:LONGEST_NAME])) if match else None


def _choice(message: str) -> Choice | None:
    match = _SELECTED.search(message)
    if match is None:
        return None
    score = match.behind[1]
    selected = Selected(int(match.before[1]), match.text[:LONGEST_NAME], int(score) if score else None)
    return Choice(selected, _cause(message))


def _killing(message: str) -> Killing | None:
    match = _KILLED.search(message)
    if match is None:
        return None
    cause, rest = _cause(message), message[match.end() :]
    # RHEL 6 prints the UID before the name.
    kill = _killed(int(match[1]), match[2], rest)
    # From 5.1 on the cause and the sizes share a line, and shared memory is always among these.
    begun = kill.total_vm_bytes is not None or "total-vm" in rest
    lost = kill.anon_rss_bytes is None or kill.file_rss_bytes is None
    cut = begun and (lost or (cause.culprit is not None and kill.shmem_rss_bytes is None))
    ends = list(_KILLED_END.finditer(rest))
    return Killing(kill._replace(cut=cut), cause, ends[-1][1] if ends else None)


def _killed(pid: int, uid: str | None, rest: str) -> Kill:
    """Read what follows ``Killed process N (``."""
    comm, sizes = _killed_comm(rest)
    adj, later_uid = _KILLED_ADJ.search(sizes), _KILLED_UID.search(sizes)
    return Kill(
        pid,
        (comm or "")[:LONGEST_NAME],
        int(uid) if uid else int(later_uid[1]) if later_uid else None,
        int(adj[1]) if adj else None,
        _in_bytes(_TOTAL_VM.search(sizes)),
        _in_bytes(_ANON_RSS.search(sizes)),
        _in_bytes(_FILE_RSS.search(sizes)),
        _in_bytes(_SHMEM_RSS.search(sizes)),
    )


def _in_bytes(kib: re.Match[str] | None) -> int | None:
    return int(kib[1]) << 10 if kib else None


def _killed_comm(rest: str) -> tuple[str | None, str]:
    """Split what follows ``Killed process N (``: the name, and the sizes behind it.

    The last closing bracket before the sizes ends the name, for a name may hold brackets too;
    None: the line is cut within the name.
    """
    ends = list(_KILLED_END.finditer(rest))
    if ends:
        return rest[: ends[-1].start()], rest[ends[-1].start() + 1 :]
    if rest.endswith((")", ").")):
        return rest.rstrip(".")[:-1], ""
    name, bracket, behind = rest.partition(")")
    return (name, behind) if bracket else (None, "")


_REAPED = (
    Between(r"oom_reaper: reaped process (\d{1,10}) \(", r"\)"),
    Between(r"oom_reaper: unable to reap pid:(\d{1,10}) \(", r"\)"),
)
_PANIC = re.compile(r"Kernel panic - not syncing: (.*)")
_PANIC_OF_MEMORY = re.compile(r"[Oo]ut of memory|deadlocked on memory|panic_on_oom")
_EXITING = Between(r"OOM victim (\d{1,10}) \(", r"\) is already exiting")


def _reaped(message: str) -> Reaped | None:
    match = _REAPED[0].search(message) or _REAPED[1].search(message)
    return Reaped(int(match.before[1]), match.text[:LONGEST_NAME]) if match else None


def _panic(message: str) -> Panic | None:
    match = _PANIC.search(message)
    if match is None or _PANIC_OF_MEMORY.search(match[1]) is None:
        return None
    # vm.panic_on_oom=2, "compulsory", is not only about the whole machine; the others never are about a cgroup.
    culprit = None if "ompulsory" in match[1] else Culprit.MACHINE
    return Panic(match[1].strip(), Cause(culprit, False))


def _no_killable(message: str) -> NoKillable | None:
    # Says "Out of memory" of a cgroup as well (out_of_memory).
    return NoKillable(Cause(None, False)) if "ut of memory" in message else None


def _exiting(message: str) -> Exiting | None:
    match = _EXITING.search(message)
    return Exiting(int(match.before[1]), _cause(message)) if match else None


# Lines inside one: they may stand anywhere in it

_GROUP = Between(r"Tasks in ", r" are going to be killed due to memory\.oom\.group")
_SUPPRESSED = re.compile(r"(?:oom_kill_process|dump_header|out_of_memory)\w{0,40}: \d{1,15} callbacks suppressed")
_LOST = re.compile(
    r"printk messages dropped|\bmessages (?:dropped|lost)\b|Missed \d+ kernel messages|lost \d+ messages"
)


def _group(message: str) -> Group | None:
    match = _GROUP.search(message)
    return Group(match.text) if match else None


def _suppressed(message: str) -> Note | None:
    return Note.SUPPRESSED if _SUPPRESSED.search(message) else None


def _lost(message: str) -> Note | None:
    return Note.LOST if _LOST.search(message) else None


# The task that needed memory, and the cgroup's memory

_RELEASE = re.compile(r"(?:Not tainted|Tainted:)[^0-9]{0,60}(\d{1,3}\.\d{1,3}\S{0,100})")
_PID = re.compile(r"\bPID: (\d{1,10})\b|^ ?Pid: (\d{1,10}),")
_CPUSET = re.compile(r".{1,64}? cpuset=(.*) mems_allowed=([\d,-]{0,200})")
_TASK_IN = Between(r"Task in ", r" killed as a result of limit of ")
_LIMIT_OF = re.compile(r"Memory limit reached of cgroup (.*)")
_COUNTER = re.compile(r"\b(memory\+swap|memory|kmem|swap): usage (\d{1,20})kB, limit (\d{1,20})kB")
_STATS_OF = Between(r"Memory cgroup stats for (?=/)", r":(?:$|#012| ?[a-z_]{1,30}:\d)", to_first=True)


_TRACE = (
    ("mem_cgroup_out_of_memory", Note.CALLED_FOR_MEMCG),
    ("mem_cgroup_oom_synchronize", Note.CALLED_FOR_MEMCG),
    ("mem_cgroup_handle_oom", Note.CALLED_FOR_MEMCG),
    ("__alloc_pages_may_oom", Note.CALLED_BY_ALLOCATOR),
    ("__alloc_pages_slowpath", Note.CALLED_BY_ALLOCATOR),
    ("moom_callback", Note.CALLED_BY_HAND),
)
_TRACED = re.compile(r"\b(\w{1,64})(?:\.\w{1,40}){0,3}\+0x[0-9a-f]{1,8}/0x[0-9a-f]{1,8}")


def _trace(message: str) -> Note | None:
    """Read one function of the call trace: it tells who called the killer."""
    match = _TRACED.search(message)
    return next((note for name, note in _TRACE if name == match[1]), None) if match else None


def _current(message: str) -> Current | None:
    release, pid = _RELEASE.search(message), _PID.search(message)
    if release is None and pid is None:
        return None
    return Current(int(pid[1] or pid[2]) if pid else None, release[1] if release else None)


def _cpuset(message: str) -> Cpuset | None:
    match = _CPUSET.match(message)
    return Cpuset(node_set(match[2]), match[1][:LONGEST_CPUSET]) if match else None


def _memcg_paths(message: str) -> MemcgPaths | None:
    match = _TASK_IN.search(message)
    return MemcgPaths(match.text.strip(), message[match.behind.end() :].strip()) if match else None


def _limit_of(message: str) -> LimitOf | None:
    match = _LIMIT_OF.search(message)
    return LimitOf(match[1].strip()) if match else None


def _counter(message: str) -> MemcgCounter | None:
    match = _COUNTER.search(message)
    if match is None:
        return None
    usage, limit = int(match[2]), int(match[3])
    if limit < _UNLIMITED_KIB and limit != _UNLIMITED_32_BIT_KIB:
        return MemcgCounter(match[1], Counter(usage << 10, limit << 10), None)
    page_kib = (1 << 53) - limit
    return MemcgCounter(match[1], Counter(usage << 10, None), page_kib if page_kib in (4, 8, 16, 32, 64) else None)


def _stats_of(message: str) -> StatsOf | None:
    match = _STATS_OF.search(message)
    if match is not None:
        return StatsOf(match.text, meminfo.old_stat(message[match.behind.start() :]), meminfo.stat_lines(message))
    own = meminfo.old_stat(message) if "cgroup stats:" in message else ()
    return StatsOf(None, own) if own else None


# The machine's memory; the lines that count it are read in ``meminfo``

_NODE = re.compile(r"^ ?(?:hugetlb: )?Node (\d{1,5}) ")


def _node(message: str) -> Node | None:
    match = _NODE.match(message)
    return Node(int(match[1])) if match else None


def _total(of: Sum, pattern: str) -> Callable[[str], Total | None]:
    """Return what recognises a line whose ``pattern`` has the number in its only group."""
    search = re.compile(pattern).search

    def recognise(message: str) -> Total | None:
        match = search(message)
        return Total(of, int(match[1])) if match else None

    return recognise


EVENTS: tuple[Shape, ...] = (
    Shape("Linux version ", _boot),
    Shape("invoked ", lambda message: _header(message) if "oom-killer" in message else None),
    Shape("oom-killer: gfp", _nameless_header),
    Shape("oom-kill:", _summary),
    Shape("ill process ", _sharer),
    Shape("ill process ", _choice),
    Shape("OOM killed process ", vendors.container_kill),
    Shape("illed process ", _killing),
    Shape("OOM killer in rage", vendors.rage),
    Shape("OOM ", vendors.request),
    Shape("oom_reaper:", _reaped),
    Shape(" pid ", read_header),
    Shape("Kernel panic", _panic),
    Shape("no killable process", _no_killable),
    Shape("OOM victim", _exiting),
)
"""Lines that can be the first of a report, or end all before them."""

DETAILS: tuple[Shape, ...] = (
    Shape("are going to be killed", _group),
    Shape("callbacks suppressed", _suppressed),
    Shape("messages", _lost),
    Shape("+0x", _trace),
    Shape("ainted", _current),
    Shape("Pid: ", _current),
    Shape(" mems_allowed=", _cpuset),
    Shape("as a result of limit of", _memcg_paths),
    Shape("Memory limit reached of", _limit_of),
    Shape(": usage ", _counter),
    Shape("emory cgroup stats", _stats_of),
    Shape("Mem-Info:", lambda _: Note.MEM_INFO),
    Shape(" present:", meminfo.zone_sizes),
    Shape("*", meminfo.free_blocks),
    Shape(" active_anon:", meminfo.node_sizes),
    Shape("hugepages_total=", meminfo.huge_pool),
    Shape("Node ", _node),
    Shape(":", meminfo.counters),
    Shape("lowmem_reserve[]:", meminfo.reserve),
    Shape("RAM", _total(Sum.RAM_PAGES, r"\b(\d{1,20}) pages (?:of )?RAM\b")),
    Shape("reserved", _total(Sum.RESERVED_PAGES, r"\b(\d{1,20}) (?:pages reserved|reserved pages)\b")),
    Shape("Free swap", _total(Sum.FREE_SWAP_KIB, r"\bFree swap ?(?: = |: +)(\d{1,20}) ?kB")),
    Shape("Total swap", _total(Sum.TOTAL_SWAP_KIB, r"\bTotal swap ?= ?(\d{1,20}) ?kB")),
    Shape("pagecache", _total(Sum.PAGECACHE_PAGES, r"\b(\d{1,20}) total pagecache pages\b")),
    Shape("Tasks state (memory values", lambda _: Note.TASKS_STATE),
    Shape(" pages ", meminfo.other_total),
    Shape("[<", meminfo.address_bits),
    Shape(" ", meminfo.stat_lines),
)
"""Lines that say something within a report."""

NAMING: tuple[tuple[str, Callable[[str], Said | None]], ...] = (
    ("oom-kill:constraint=", read_summary),
    ("Task in /", _memcg_paths),
    ("Tasks in /", _group),
    ("Memory cgroup stats for /", _stats_of),
    ("Memory limit reached of cgroup /", _limit_of),
)
"""How lines begin that hold the name of a cgroup, which any user may choose: each is read as nothing else."""
_NAMING_BEGIN = tuple(begin for begin, _ in NAMING)
_FARTHEST_CPUSET = 72  # behind the 15 bytes of a name, each of which may be written as \xff
_KILL_BEGUN = re.compile(r"[Kk]ill(?:ed)? process \d{1,10}(?:, UID|:? \()|oom_reaper: (?:reaped|unable)")
"""16 characters at least: the name of a process, of 15 bytes, is none of these."""
