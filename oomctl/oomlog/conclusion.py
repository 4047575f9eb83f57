"""What the lines of one report add up to: its victim, constraint and page size, and what is missing."""

from __future__ import annotations

from oomctl.model.kernel import Constraint
from oomctl.model.oomreport import Kill, MachineMemory, MemcgMemory, OomReport, SeenIn, TableRow
from oomctl.oomlog.culprit import constraint_of, release_of
from oomctl.oomlog.dates import epoch_s
from oomctl.oomlog.draft import MOST_ROWS, Draft
from oomctl.oomlog.lines import Culprit, Note, Sum
from oomctl.oomlog.memorylines import PAGES_KIB

WHICH_MEMORY = "which memory ran out: the machine's, or a cgroup's"


def conclude(draft: Draft, number: int, killed_before: frozenset[int] = frozenset()) -> OomReport:
    """Return what was found, with what is missing.

    ``number``: the report's place in its log; ``killed_before``: PIDs that its earlier reports say were killed.
    """
    victim = _settled_victim(draft)
    page_kib = _page_kib(draft, victim)
    pids = {row.tgid for row in draft.rows.values()}
    report = OomReport(
        number=number,
        time_text=draft.first.time_text,
        epoch_s=epoch_s(draft.first.time_text),
        uptime_s=draft.first.uptime_s,
        kernel=draft.kernel or draft.boot_kernel,
        constraint_text=draft.constraint,
        oom_memcg=draft.oom_memcg or draft.stats_memcg,
        task_memcg=draft.task_memcg,
        trigger_pid=draft.trigger_pid,
        trigger_comm=draft.trigger_comm,
        order=draft.order,
        gfp_mask=draft.gfp_mask,
        nodemask=draft.nodemask,
        mems_allowed=draft.mems_allowed,
        cpuset=draft.cpuset,
        machine=_machine(draft),
        memcg=MemcgMemory(*(draft.counters.get(kind) for kind in ("memory", "memory+swap", "swap"))),
        memory=draft.memory.seen(_kernel_usage(draft), draft.totals.get(Sum.PAGECACHE_PAGES)),
        columns=draft.table.columns if draft.table else (),
        wide_pid=draft.table is not None and draft.table.wide_pid,
        tasks_state_line=Note.TASKS_STATE in draft.notes,
        rows=tuple(draft.rows.values()),
        summary_line=draft.constraint is not None,
        selected=draft.selected,
        victim=victim,
        killed=_killed(draft, victim),
        oom_group=draft.group,
        allocating_task=draft.allocating_task,
        panic=draft.panic,
        page_size=page_kib << 10 if page_kib else None,
        killed_before=killed_before & pids,
        requested=draft.requested,
        no_killable=draft.no_killable,
        exiting=draft.exiting,
        container=draft.container,
        elsewhere=draft.told,
    )
    report = report._replace(constraint=constraint_of(draft, report))
    missing, totals = _missing(draft, report), _missing_totals(report)
    report = report._replace(missing=(*missing, *totals, *_missing_victim(report)))
    return report._replace(lacks_totals_only=bool(totals) and report.missing == tuple(totals))


def _settled_victim(draft: Draft) -> Kill | None:
    """The victim as a process: from the kill line, else the summary, else the reaper's line."""
    victim = draft.victim
    if victim is None and draft.exiting is None:
        victim = _victim_of_other_lines(draft)
    if victim is None:
        return None
    if victim.shmem_rss_bytes is None and victim.anon_rss_bytes is not None and _prints_shmem(draft):
        victim = victim._replace(cut=True)
    row = next((row for row in draft.rows.values() if victim.pid in (row.pid, row.tgid)), None)
    if row is None:
        return victim
    victim = victim._replace(comm=victim.comm or row.comm)
    if row.pid == victim.pid != row.tgid:
        return victim._replace(pid=row.tgid, thread=victim.pid)
    return victim


def _prints_shmem(draft: Draft) -> bool:
    """Whether kill lines of this kernel end with ``shmem-rss``, as they do from 4.5 on."""
    release = release_of(draft.kernel or draft.boot_kernel)
    return release is not None and release >= (4, 5)


def _victim_of_other_lines(draft: Draft) -> Kill | None:
    if draft.summary_victim is not None:
        return draft.summary_victim
    if draft.no_killable or draft.panic or not draft.reaped:
        return None
    known = {pid for row in draft.rows.values() for pid in (row.pid, row.tgid)}
    for reaped in draft.reaped:
        if not known or reaped.pid in known:
            return Kill(reaped.pid, reaped.comm, seen_in=SeenIn.REAPER)
    return None


def _killed(draft: Draft, victim: Kill | None) -> tuple[Kill, ...]:
    """Everyone whose death a line tells, the victim as it was settled."""
    named = draft.killed.values()
    killed = tuple(victim if victim and kill.pid in (victim.pid, victim.thread) else kill for kill in named)
    return killed if victim is None or victim in killed else (victim, *killed)


def _page_kib(draft: Draft, victim: Kill | None) -> int | None:
    """Page size in KiB: from the victim's total-vm beside its row, else as a line tells it; None: nothing does."""
    row = None if victim is None else _row_of_process(draft, victim.pid)
    if victim is not None and victim.total_vm_bytes and row is not None and row.total_vm_pages:
        for kib in PAGES_KIB:
            # The process may have grown or shrunk a little since the table was printed.
            if abs(victim.total_vm_bytes - row.total_vm_pages * kib * 1024) * 20 <= victim.total_vm_bytes:
                return kib
    return draft.memory.page_kib


def _row_of_process(draft: Draft, pid: int) -> TableRow | None:
    return next((row for row in draft.rows.values() if row.tgid == pid), None)


def _machine(draft: Draft) -> MachineMemory:
    totals = draft.totals
    swap_kib, free_kib = totals.get(Sum.TOTAL_SWAP_KIB), totals.get(Sum.FREE_SWAP_KIB)
    whole = Sum.PAGECACHE_PAGES in totals or Note.MEM_INFO in draft.notes or Culprit.MACHINE in draft.culprits
    if swap_kib is None and Sum.RAM_PAGES in totals and whole:
        swap_kib = 0  # a kernel without CONFIG_SWAP prints no line about it
    return MachineMemory(
        totals.get(Sum.RAM_PAGES),
        totals.get(Sum.RESERVED_PAGES),
        None if swap_kib is None else swap_kib << 10,
        None if free_kib is None else free_kib << 10,
        draft.memory.zones(),
        frozenset(draft.memory.node_numbers),
    )


def _kernel_usage(draft: Draft) -> int | None:
    kmem = draft.counters.get("kmem")
    return None if kmem is None else kmem.usage_bytes


def _missing(draft: Draft, report: OomReport) -> list[str]:
    missing = []
    if not report.columns:
        missing.append("the task table")
    elif not report.rows:
        missing.append("the rows of the task table")
    if draft.damaged_rows:
        missing.append(f"parts of the task table ({draft.damaged_rows} damaged lines)")
    if draft.too_many_rows:
        missing.append(f"rows of the task table after the first {MOST_ROWS}")
    if _swap_unaccounted(report):
        missing.append("rows of the task table, it seems: those here hold next to nothing of the used swap")
    if draft.elided_rows:
        missing.append("rows of the task table that somebody cut out")
    if Note.LOST in draft.notes:
        missing.append("lines that the log lost")
    if draft.mixed:
        missing.append("certainty which lines are its own: those of another report are mixed in")
    return missing


def _missing_victim(report: OomReport) -> list[str]:
    if report.victim is not None:
        listed = report.row_of(report.victim.pid) is not None
        return [] if listed or not report.rows else ["the victim's row in the task table"]
    if report.panic is not None:
        return ["a victim: the kernel panicked instead"]
    if report.no_killable:
        return ["a victim: nobody was killable"]
    if report.exiting is not None:
        return [f"a victim: {report.exiting} was exiting already"]
    return ["the line that names the victim"]


def _swap_unaccounted(report: OomReport) -> bool:
    """Whether a table of the whole machine leaves nearly all of a well-used swap without an owner.

    A tmpfs could own it too, but an author who cut the table to its interesting rows is far more common.
    """
    total, free = report.machine.total_swap_bytes, report.machine.free_swap_bytes
    swapped = [row.swap_pages for row in report.rows if row.swap_pages is not None]
    if not total or free is None or not swapped or report.constraint is Constraint.MEMCG:
        return False
    used = total - free
    return used > 256 << 20 and sum(swapped) * (report.page_size or 4096) * 100 < used


def _missing_totals(report: OomReport) -> list[str]:
    if report.container is not None:
        return ["the container's limits"]
    if report.constraint is Constraint.MEMCG:
        return [] if report.memcg.memory else ["the cgroup's limit (memory: usage …, limit …)"]
    if report.constraint is None:
        return [WHICH_MEMORY]
    machine = report.machine
    missing = []
    if machine.ram_pages is None or machine.reserved_pages is None:
        missing.append("the machine's memory (pages RAM, pages reserved)")
    if machine.total_swap_bytes is None:
        missing.append("the machine's swap (Total swap)")
    return missing
