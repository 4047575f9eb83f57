"""The shapes of the kernel's lines, 2.6.32 to 7.1: what to look for and how to read the numbers in it.

A task's name may hold anything, so every pattern anchors on the fixed text to the right of a name.
No pattern has a repetition without bound in its middle: where anything may stand between two fixed texts, these are
searched for one by one (``Between``), so that hostile text costs time in proportion to its length.
"""

from __future__ import annotations

import re
from typing import NamedTuple

LONGEST_NAME = 64
"""Characters of a task's name that are kept. The kernel's own end at 15 bytes (``TASK_COMM_LEN``), but a log may have
been edited, and a table has many rows."""


class Found(NamedTuple):
    """What ``Between`` has found."""

    before: re.Match[str]
    text: str
    behind: re.Match[str]


class Between:
    """Any text between two fixed ones: from the first ``before`` to the last ``behind``, or to the first one.

    What ``before(.*)behind`` finds; but ``re`` would look for ``behind`` in the whole rest of the line again for
    every ``before`` that it finds.
    """

    def __init__(self, before: str, behind: str, to_first: bool = False) -> None:
        self._before = re.compile(before)
        self._behind = re.compile(behind)
        self._to_first = to_first

    def search(self, text: str) -> Found | None:
        before = self._before.search(text)
        if before is None:
            return None
        behind = None
        for behind in self._behind.finditer(text, before.end()):  # noqa: B007 - the last one is wanted
            if self._to_first:
                break
        return None if behind is None else Found(before, text[before.end() : behind.start()], behind)


ANCHORS = (
    b"oom-kill",  # "invoked oom-killer:", "oom-kill:constraint="
    b"adj name",  # the end of the table's header
    b"oom_reaper: ",
    b"Kill",  # "Kill process", "Killed process"
    b"ut of memory",
    b"Linux version ",
)
"""At least one of these is in every report. Plain substrings: bytes.find beats any pattern many times."""

OPENING_WORDS = (
    *ANCHORS,
    b"memory: usage ",
    b"as a result of limit of",
    b"emory cgroup stats",
    b"pages RAM",
    b"Total swap",
    b"total pagecache pages",
    b"ainted",
)
"""At least one of these is in every line that can begin a report or says something worth keeping before it."""

HEADER = re.compile(r"(.*?) ?invoked oom-killer: gfp_mask=(\S{1,400}?)(?:,|$)(.*)")
HEADER_NODEMASK = re.compile(r"nodemask=\(?([\d,-]{0,200}\d|null)\)?")
HEADER_ORDER = re.compile(r"\border=(-?\d{1,3})")
HEADER_ADJ = re.compile(r"oom_score_adj=(-?\d{1,5})")
CPUSET = re.compile(r"(.{1,64}?) cpuset=(.*) mems_allowed=([\d,-]{0,200})")
TAINT = re.compile(r"(?:Not tainted|Tainted:)[^0-9]{0,60}(\d{1,3}\.\d{1,3}\S{0,100})")
CPU_PID = re.compile(r"\bPID: (\d{1,10})\b|^ ?Pid: (\d{1,10}),")
BOOT = re.compile(r"Linux version (\d{1,3}\.\d{1,3}\S{0,100})")

TASK_IN = Between(r"Task in ", r" killed as a result of limit of ")
LIMIT_OF = re.compile(r"Memory limit reached of cgroup (.*)")
COUNTER = re.compile(r"\b(memory\+swap|memory|kmem|swap): usage (\d{1,20})kB, limit (\d{1,20})kB")
STATS_FOR = Between(r"Memory cgroup stats for (?=/)", r":(?:$| ?[a-z_]{1,30}:\d)", to_first=True)

ZONE = re.compile(
    r"^ ?(?:Node (\d{1,5}) )?(\w{1,16}) free:\d{1,20}kB .{0,600}?\bpresent:(\d{1,20})kB(?: managed:(\d{1,20})kB)?"
)
NODE = re.compile(r"^ ?Node (\d{1,5}) ")
BUDDY = re.compile(r"^ ?(?:Node \d{1,5} )?\w{1,16}: \d{1,20}\*(\d{1,6})kB ")
TOTALS = (
    ("ram_pages", re.compile(r"\b(\d{1,20}) pages (?:of )?RAM\b")),
    ("reserved_pages", re.compile(r"\b(\d{1,20}) (?:pages reserved|reserved pages)\b")),
    ("free_swap_kb", re.compile(r"\bFree swap ?(?: = |: +)(\d{1,20}) ?kB")),
    ("total_swap_kb", re.compile(r"\bTotal swap ?= ?(\d{1,20}) ?kB")),
    ("pagecache", re.compile(r"\b(\d{1,20}) total pagecache pages\b")),
)

TABLE_HEADER = re.compile(r"\[( +)pid +\] {0,8}(uid .{1,300}?name)\b")
TASKS_STATE = "Tasks state (memory values"
DAMAGED_ROW = re.compile(r"^\[ *\d{1,10}\]?[\d -]{0,200}$|^\[ *\d{1,10}\] +\d")
ELIDED = re.compile(r"^\W{0,4}(?:\.\.\.|…|snip\b|cut\b|skipped|omitted|truncated)", re.IGNORECASE)

SELECTED = Between(r"\b[Kk]ill process (\d{1,10}):? \(", r"\)(?: score (-?\d{1,20}))? or (?:sacrifice|a) child")
SHARER = Between(r"\bKill process (\d{1,10}) \(", r"\) sharing same memory")
KILLED = re.compile(r"\bKilled process (\d{1,10})(?:, UID (\d{1,10}),)? \(")
KILLED_END = re.compile(r"\),? ?(?:UID:? ?(\d{1,10})(?:,|\b))?,? ?(?:total-vm|vsz):")
KILLED_SIZES = {
    "total_vm_bytes": re.compile(r"(?:total-vm|vsz) ?: ?(\d{1,20})kB"),
    "anon_rss_bytes": re.compile(r"anon-rss ?: ?(\d{1,20})kB"),
    "file_rss_bytes": re.compile(r"file-rss ?: ?(\d{1,20})kB"),
    "shmem_rss_bytes": re.compile(r"shmem-rss ?: ?(\d{1,20})kB"),
    "pgtables_bytes": re.compile(r"pgtables ?: ?(\d{1,20})kB"),
}
KILLED_UID = re.compile(r"\bUID ?:? ?(\d{1,10})")
KILLED_ADJ = re.compile(r"oom_score_adj ?: ?(-?\d{1,5})")
SUMMARY = re.compile(r"\boom-kill:constraint=(\w{1,64}),")
SUMMARY_NODES = re.compile(r"nodemask=\(?([\d,-]{0,200}\d|null)\)?,(?:cpuset=(.*?),mems_allowed=([\d,-]{0,200}))?")
GROUP = Between(r"Tasks in ", r" are going to be killed due to memory\.oom\.group")
EXITING = Between(r"OOM victim (\d{1,10}) \(", r"\) is already exiting")
REAPED = Between(r"oom_reaper: reaped process (\d{1,10}) \(", r"\)")
UNREAPED = Between(r"oom_reaper: unable to reap pid:(\d{1,10}) \(", r"\)")
NO_KILLABLE = "no killable process"
PANIC = re.compile(r"Kernel panic - not syncing: (.*)")
PANIC_OF_MEMORY = re.compile(r"[Oo]ut of memory|deadlocked on memory|panic_on_oom")
SUPPRESSED = re.compile(r"(?:oom_kill_process|dump_header|out_of_memory)\w{0,40}: (\d{1,15}) callbacks suppressed")
LOST = re.compile(r"printk messages dropped|\bmessages (?:dropped|lost)\b|Missed \d+ kernel messages|lost \d+ messages")


def _spaced(key: str) -> str:
    """A mailer's line break, mended with a space, may stand inside a key."""
    return " ?".join(map(re.escape, key))


SUMMARY_VICTIM = Between(rf",{_spaced('task=')}", rf",{_spaced('pid=')}(\d{{1,10}}),{_spaced('uid=')}(\d{{1,10}})")
SUMMARY_TASK_MEMCG = Between(rf",{_spaced('task_memcg=')}", rf",{_spaced('task=')}")
SUMMARY_OOM_MEMCG = Between(rf",{_spaced('oom_memcg=')}", rf",{_spaced('task_memcg=')}|$", to_first=True)

_COLUMNS = (
    "uid",
    "tgid",
    "total_vm",
    "rss_anon",
    "rss_file",
    "rss_shmem",
    "rss",
    "nr_ptes",
    "nr_pmds",
    "nr_puds",
    "pgtables_bytes",
    "swapents",
    "cpu",
    "oom_adj",
    "oom_score_adj",
    "name",
)
_COLUMN = re.compile("|".join(sorted(_COLUMNS, key=len, reverse=True)))


def columns(header: str) -> tuple[str, ...]:
    """Column names of a table header, from ``uid`` to ``name``."""
    words = tuple(header.split())
    if all(word in _COLUMNS for word in words):
        return words
    squashed = "".join(words)
    found = tuple(_COLUMN.findall(squashed))
    return found if "".join(found) == squashed else words


_MOST_NODES = 4096  # MAX_NUMNODES is 1024 at most


def node_set(text: str | None) -> frozenset[int] | None:
    """``0-1,4`` -> the nodes; None for ``null`` and for what is not a list of a plausible length."""
    if not text or text == "null":
        return None
    nodes: set[int] = set()
    listed = 0
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdigit() or (last and not last.isdigit()):
            return None
        low, high = int(first[:6]), int((last or first)[:6])
        listed += high - low + 1
        if high < low or listed > _MOST_NODES:
            return None
        nodes.update(range(low, high + 1))
    return frozenset(nodes)


def killed_comm(rest: str) -> tuple[str | None, str]:
    """Split what follows ``Killed process N (``: the name, and the sizes behind it.

    The last closing bracket before the sizes ends the name, for a name may hold brackets too;
    None: the line is cut within the name.
    """
    ends = list(KILLED_END.finditer(rest))
    if ends:
        return rest[: ends[-1].start()], rest[ends[-1].start() + 1 :]
    if rest.endswith((")", ").")):
        return rest.rstrip(".")[:-1], ""
    name, bracket, behind = rest.partition(")")
    return (name, behind) if bracket else (None, "")
