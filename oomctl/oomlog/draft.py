"""One report while its lines come in: takes what each line says."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from oomctl.model.oomreport import Counter, Kill, Reaped, Selected, TableRow, Zone
from oomctl.oomlog import shapes
from oomctl.oomlog.prefix import Line

MOST_ROWS = 1 << 15
"""Of one table, and of all that are open; the kernel's log buffer holds far fewer."""
_MOST_EVENTS = 4096  # of the group kills, reaped processes, zones of one report
_UNLIMITED_KB = 1 << 52  # PAGE_COUNTER_MAX is 2**53 kB minus a page, in older kernels 2**54


class Draft:
    """Lines of one report, in the order in which they came."""

    def __init__(self, line: Line, boot_kernel: str | None = None) -> None:
        self.first = line
        self.last_line_number = 0
        self.last_uptime_s = line.uptime_s
        self.last_message = ""
        self.evidence = False
        """It is about an OOM kill, not only about memory."""
        self.has_header = False
        self.pending: str | None = None
        """A line that stopped too early; its rest may be the next line."""
        self.victim: Kill | None = None
        self.selected: Selected | None = None
        self.killed: dict[int, Kill] = {}
        """By PID, in the order of their deaths."""
        self.reaped: dict[Reaped, None] = {}
        self.group: str | None = None
        self.panic: str | None = None
        self.no_killable = False
        self.rows: dict[tuple[int, int], TableRow] = {}
        self.columns: tuple[str, ...] = ()
        self._row: re.Pattern[str] | None = None
        self.damaged_rows = 0
        self.elided = False
        self.lost_lines = False
        self.mixed = False
        self.too_many = False
        self.boot_kernel = boot_kernel
        self.kernel: str | None = None
        self.facts: dict[str, int | str | None] = {}
        self.sets: dict[str, frozenset[int] | None] = {}
        self.counters: dict[str, Counter] = {}
        self.zones: dict[Zone, None] = {}
        self.nodes: set[int] = set()
        self.summary_victim: tuple[str, int, int] | None = None
        self.about_machine = False
        self.about_memcg = False
        self.page_kb: dict[str, int] = {}

    @property
    def over(self) -> bool:
        """Whether the report has its end: what follows is an afterthought, or another report."""
        return self.victim is not None or self.panic is not None or self.no_killable

    @property
    def in_table(self) -> bool:
        return self._row is not None and not self.over

    # Header and context

    def header(self, message: str) -> None:
        match = shapes.HEADER.match(message)
        if match is None:
            return
        self.evidence = self.has_header = True
        rest = match[3]
        self.facts["trigger_comm"] = match[1][: shapes.LONGEST_NAME]
        self.facts["gfp_mask"] = match[2]
        order, adj = shapes.HEADER_ORDER.search(rest), shapes.HEADER_ADJ.search(rest)
        self.facts["order"] = int(order[1]) if order else None
        self.facts["oom_score_adj"] = int(adj[1]) if adj else None
        nodemask = shapes.HEADER_NODEMASK.search(rest)
        if nodemask:
            self.sets["nodemask"] = shapes.node_set(nodemask[1])

    def context(self, message: str) -> bool:
        """Take a line of the header's context, the memory block or the cgroup block; False: it is none."""
        return any(word in message and take(self, message) for word, take in _CONTEXT)

    def _cpuset(self, message: str) -> bool:
        match = shapes.CPUSET.match(message)
        if match is None:
            return False
        self.facts["cpuset"] = match[2]
        self.sets["mems_allowed"] = shapes.node_set(match[3])
        return True

    def _taint(self, message: str) -> bool:
        release = shapes.TAINT.search(message)
        pid = shapes.CPU_PID.search(message)
        if release and self.kernel is None:
            self.kernel = release[1]
        if pid:
            self.facts.setdefault("trigger_pid", int(pid[1] or pid[2]))
        return release is not None

    def _old_pid(self, message: str) -> bool:
        return self._taint(message)

    def _task_in(self, message: str) -> bool:
        found = shapes.TASK_IN.search(message)
        if found is None:
            return False
        self.evidence = self.about_memcg = True
        self.facts["task_memcg"] = found.text.strip()
        self.facts["oom_memcg"] = message[found.behind.end() :].strip()
        return True

    def _limit_of(self, message: str) -> bool:
        match = shapes.LIMIT_OF.search(message)
        if match:
            self.about_memcg = True
            self.facts.setdefault("oom_memcg", match[1].strip())
        return match is not None

    def _counter(self, message: str) -> bool:
        match = shapes.COUNTER.search(message)
        if match is None:
            return False
        kind, usage, limit = match[1], int(match[2]), int(match[3])
        unlimited = limit >= _UNLIMITED_KB
        counter = Counter(usage << 10, None if unlimited else limit << 10)
        if self.counters.setdefault(kind, counter) != counter:
            self.mixed = True
        if kind == "memory":
            self.about_memcg = True
        rest_kb = (1 << 53) - limit
        if unlimited and rest_kb in (4, 8, 16, 32, 64):
            self.page_kb.setdefault("an unlimited counter", rest_kb)
        return True

    def _stats_for(self, message: str) -> bool:
        found = shapes.STATS_FOR.search(message)
        if found:
            self.about_memcg = True
            self.facts.setdefault("stats_memcg", found.text)
        return found is not None

    def _mem_info(self, message: str) -> bool:
        self.about_machine = True
        return True

    def _zone(self, message: str) -> bool:
        match = shapes.ZONE.match(message)
        if match is None or len(self.zones) >= _MOST_EVENTS:
            return False
        node = int(match[1] or 0)
        self.nodes.add(node)
        managed = int(match[4]) << 10 if match[4] else None
        zone = Zone(node, match[2], int(match[3]) << 10, managed)
        self.zones.setdefault(zone)
        return True

    def _node(self, message: str) -> bool:
        match = shapes.NODE.match(message)
        if match and len(self.nodes) < _MOST_EVENTS:
            self.nodes.add(int(match[1]))
        return match is not None

    def _buddy(self, message: str) -> bool:
        match = shapes.BUDDY.match(message)
        if match and int(match[1]) in (4, 8, 16, 32, 64, 256):
            self.page_kb.setdefault("the smallest block of a zone", int(match[1]))
        return match is not None

    def _total(self, message: str) -> bool:
        for name, pattern in shapes.TOTALS:
            match = pattern.search(message)
            if match:
                self._once(name, int(match[1]))
                return True
        return False

    def _tasks_state(self, message: str) -> bool:
        self.facts["tasks_state"] = 1
        return True

    # The table

    def table_header(self, message: str) -> bool:
        match = shapes.TABLE_HEADER.search(message)
        if match is None:
            return False
        self.evidence = True
        if self.columns:
            self.mixed = True
            return True
        self.facts["wide_pid"] = int(len(match[1]) > 1)
        self.columns = shapes.columns(match[2])
        if self.columns[:2] != ("uid", "tgid") or self.columns[-1] != "name" or len(self.columns) > 24:
            self.damaged_rows += 1
            return True
        self._row = _row_pattern(len(self.columns) - 1)
        return True

    def row(self, text: str) -> bool:
        """Take a row of the table; the pattern finds it behind any prefix."""
        match = self._row.search(text) if self._row else None
        if match is None:
            return False
        if len(self.rows) >= MOST_ROWS:
            self.too_many = True
            return True
        # A name of no bytes, or one that a mailer took the end of the line from, leaves no group.
        name = (match[3] or "")[: shapes.LONGEST_NAME]
        row = _table_row(int(match[1]), match[2].split(), name, self.columns)
        if row is None:
            self.damaged_rows += 1
        elif self.rows.setdefault((row.pid, row.tgid), row) != row:
            self.mixed = True
        return True

    def damage(self, message: str) -> None:
        """Note what shows, inside the table, that rows are missing."""
        if shapes.DAMAGED_ROW.match(message):
            self.damaged_rows += 1
        elif shapes.ELIDED.match(message):
            self.elided = True

    # The kill

    def summary(self, message: str) -> None:
        self.evidence = True
        kind = shapes.SUMMARY.search(message)
        if kind:
            self._once("constraint_text", kind[1])
        nodes = shapes.SUMMARY_NODES.search(message)
        if nodes:
            self.sets["nodemask"] = shapes.node_set(nodes[1])
            if nodes[3] is not None:
                self.facts["cpuset"], self.sets["mems_allowed"] = nodes[2], shapes.node_set(nodes[3])
        task_memcg = shapes.SUMMARY_TASK_MEMCG.search(message)
        oom_memcg = shapes.SUMMARY_OOM_MEMCG.search(message)
        if task_memcg:
            self.facts["task_memcg"] = task_memcg.text
        if oom_memcg:
            self.facts["oom_memcg"], self.about_memcg = oom_memcg.text, True
        victim = shapes.SUMMARY_VICTIM.search(message)
        if victim:
            found = (victim.text[: shapes.LONGEST_NAME], int(victim.behind[1]), int(victim.behind[2]))
            if self.summary_victim not in (None, found):
                self.mixed = True
            self.summary_victim = found
        self.pending = None if victim else message

    def kill_prefix(self, message: str) -> None:
        """Take what a kill line says before the process: whose memory it was."""
        if "emory cgroup out of memory" in message:
            self.about_memcg = True
        elif "ut of memory" in message:
            self.about_machine = True
        if "(oom_kill_allocating_task)" in message:
            self.facts["allocating"] = 1

    def choose(self, selected: Selected, message: str) -> None:
        self.evidence = True
        self.selected = self.selected or selected
        self.kill_prefix(message)

    def kill(self, kill: Kill, message: str = "") -> None:
        self.evidence = True
        self.kill_prefix(message)
        if kill.pid in self.killed or len(self.killed) >= _MOST_EVENTS:
            return
        if self.victim is None:
            self.victim = kill
        self.killed[kill.pid] = kill

    def share(self, kill: Kill) -> None:
        if len(self.killed) < _MOST_EVENTS:
            self.killed.setdefault(kill.pid, kill)

    def reap(self, reaped: Reaped) -> None:
        self.evidence = True
        if len(self.reaped) < _MOST_EVENTS:
            self.reaped.setdefault(reaped)

    def exiting(self, pid: int, message: str) -> None:
        self.evidence = True
        self.kill_prefix(message)
        self.facts["exiting"] = pid

    def complete_pending(self, message: str) -> bool:
        """Take the rest of a summary line that was cut by its length or by a mailer."""
        pending, self.pending = self.pending, None
        if pending is None or not any(key in message for key in ("task=", "pid=", "uid=")):
            return False
        self.summary(pending + message.strip())
        self.pending = None
        return True

    def aside(self, message: str) -> bool:
        """Take a line that may stand anywhere in a report: about the group, the rate limit, lost messages."""
        group = shapes.GROUP.search(message) if "are going to be killed" in message else None
        suppressed = shapes.SUPPRESSED.search(message) if "callbacks suppressed" in message else None
        if group:
            self.group = group.text
        elif suppressed:
            before = self.facts.get("suppressed")
            self.facts["suppressed"] = int(suppressed[1]) + (before if isinstance(before, int) else 0)
        elif shapes.LOST.search(message):
            self.lost_lines = True
        return group is not None or suppressed is not None

    def _once(self, name: str, value: int | str) -> None:
        """Keep a fact that one report states once; a second, different one belongs to another report."""
        if self.facts.setdefault(name, value) != value:
            self.mixed = True


def killed_process(pid: int, uid: str | None, rest: str) -> Kill:
    """Read what follows ``Killed process N (``; ``uid`` stands before the name in RHEL 6."""
    comm, sizes = shapes.killed_comm(rest)
    adj = shapes.KILLED_ADJ.search(sizes)
    later_uid = shapes.KILLED_UID.search(sizes)
    found = {name: pattern.search(sizes) for name, pattern in shapes.KILLED_SIZES.items()}
    in_bytes = {name: int(match[1]) << 10 for name, match in found.items() if match}
    return Kill(
        pid,
        (comm or "")[: shapes.LONGEST_NAME],
        int(uid) if uid else int(later_uid[1]) if later_uid else None,
        int(adj[1]) if adj else None,
        in_bytes.get("total_vm_bytes"),
        in_bytes.get("anon_rss_bytes"),
        in_bytes.get("file_rss_bytes"),
        in_bytes.get("shmem_rss_bytes"),
        in_bytes.get("pgtables_bytes"),
    )


def _table_row(pid: int, numbers: list[str], comm: str, columns: tuple[str, ...]) -> TableRow | None:
    values = dict(zip(columns, map(int, numbers), strict=False))
    if "rss" not in values or "total_vm" not in values:
        return None
    tables = [values[name] for name in ("nr_ptes", "nr_pmds", "nr_puds") if name in values]
    return TableRow(
        pid,
        values["tgid"],
        values["uid"],
        values["total_vm"],
        values["rss"],
        values.get("oom_score_adj"),
        comm,
        values.get("swapents"),
        sum(tables) if tables else None,
        values.get("pgtables_bytes"),
        values.get("rss_anon"),
        values.get("rss_file"),
        values.get("rss_shmem"),
    )


@lru_cache(maxsize=64)
def _row_pattern(numbers: int) -> re.Pattern[str]:
    return re.compile(rf"\[ *(\d{{1,10}})\]((?: +-?\d{{1,20}}){{{numbers}}})(?: (.*)|$)", re.DOTALL)


_CONTEXT: tuple[tuple[str, Callable[[Draft, str], bool]], ...] = (
    ("ainted", Draft._taint),
    ("Pid: ", Draft._old_pid),
    (" mems_allowed=", Draft._cpuset),
    ("as a result of limit of", Draft._task_in),
    ("Memory limit reached of", Draft._limit_of),
    (": usage ", Draft._counter),
    ("emory cgroup stats for ", Draft._stats_for),
    ("Mem-Info:", Draft._mem_info),
    (" present:", Draft._zone),
    ("*", Draft._buddy),
    ("Node ", Draft._node),
    (" pages", Draft._total),
    (" swap", Draft._total),
    (shapes.TASKS_STATE, Draft._tasks_state),
)
