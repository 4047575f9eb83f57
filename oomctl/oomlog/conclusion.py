"""What the lines of one report add up to: its victim, constraint and page size, and what is missing."""

from __future__ import annotations

from oomctl.model.kernel import Constraint
from oomctl.model.oomreport import Kill, MachineMemory, MemcgMemory, OomReport, SeenIn
from oomctl.oomlog.draft import MOST_ROWS, Draft
from oomctl.oomlog.prefix import epoch_s


def conclude(draft: Draft, number: int, killed_before: frozenset[int] = frozenset()) -> OomReport:
    """Return what was found, with what is missing."""
    facts = draft.facts
    victim = _settled_victim(draft)
    page_kb, page_from = _page_size(draft, victim)
    if victim is not None and victim.pgtables_bytes is not None:
        victim = _mend_pgtables(draft, victim)
    named = draft.killed.values()
    killed = tuple(victim if victim and kill.pid in (victim.pid, victim.thread) else kill for kill in named)
    if victim is not None and victim not in killed:
        killed = (victim, *killed)
    memcg = MemcgMemory(*(draft.counters.get(kind) for kind in ("memory", "memory+swap", "swap", "kmem")))
    report = OomReport(
        number=number,
        time_text=draft.first.time_text,
        epoch_s=epoch_s(draft.first.time_text),
        uptime_s=draft.first.uptime_s,
        host=draft.first.host,
        kernel=draft.kernel or draft.boot_kernel,
        constraint_text=_text(facts.get("constraint_text")),
        oom_memcg=_text(facts.get("oom_memcg") or facts.get("stats_memcg")),
        task_memcg=_text(facts.get("task_memcg")),
        trigger_pid=_number(facts.get("trigger_pid")),
        trigger_comm=_text(facts.get("trigger_comm")),
        gfp_mask=_text(facts.get("gfp_mask")),
        order=_number(facts.get("order")),
        oom_score_adj=_number(facts.get("oom_score_adj")),
        nodemask=draft.sets.get("nodemask"),
        mems_allowed=draft.sets.get("mems_allowed"),
        cpuset=_text(facts.get("cpuset")),
        machine=_machine(draft),
        memcg=memcg,
        columns=draft.columns,
        wide_pid=bool(facts.get("wide_pid")),
        tasks_state_line=bool(facts.get("tasks_state")),
        rows=tuple(draft.rows.values()),
        summary_line="constraint_text" in facts,
        selected=draft.selected,
        victim=victim,
        killed=killed,
        oom_group=draft.group,
        reaped=tuple(draft.reaped),
        allocating_task=bool(facts.get("allocating")),
        already_exiting=_number(facts.get("exiting")),
        no_killable=draft.no_killable,
        panic=draft.panic,
        suppressed_callbacks=_number(facts.get("suppressed")) or 0,
        page_size=page_kb << 10 if page_kb else None,
        page_size_from=page_from,
    )
    pids = {row.tgid for row in report.rows}
    report = report._replace(constraint=_constraint(draft, report), killed_before=killed_before & pids)
    return report._replace(missing=tuple(_missing(draft, report)))


def _settled_victim(draft: Draft) -> Kill | None:
    """The victim as a process: from the kill line, else the summary, else the reaper's line."""
    victim = draft.victim
    if victim is None and "exiting" not in draft.facts:
        victim = _victim_of_other_lines(draft)
    if victim is None:
        return None
    row = next((row for row in draft.rows.values() if victim.pid in (row.pid, row.tgid)), None)
    comm = victim.comm or (row.comm if row else "")
    summary = draft.summary_victim
    if row is not None and row.pid == victim.pid != row.tgid:
        return victim._replace(pid=row.tgid, comm=comm, thread=victim.pid)
    if summary is not None and row is None and not draft.rows and summary[1] != victim.pid:
        return victim._replace(comm=comm)
    return victim._replace(comm=comm)


def _victim_of_other_lines(draft: Draft) -> Kill | None:
    if draft.summary_victim is not None:
        comm, pid, uid = draft.summary_victim
        return Kill(pid, comm, uid, seen_in=SeenIn.SUMMARY)
    if draft.no_killable or draft.panic or not draft.reaped:
        return None
    known = {pid for row in draft.rows.values() for pid in (row.pid, row.tgid)}
    for reaped in draft.reaped:
        if not known or reaped.pid in known:
            return Kill(reaped.pid, reaped.comm, seen_in=SeenIn.REAPER)
    return None


def _mend_pgtables(draft: Draft, victim: Kill) -> Kill:
    """5.4-rc printed bytes and called them kB."""
    row = next((row for row in draft.rows.values() if row.tgid == victim.pid), None)
    printed = victim.pgtables_bytes or 0
    if row is not None and row.pgtables_bytes and printed >> 10 == row.pgtables_bytes:
        return victim._replace(pgtables_bytes=row.pgtables_bytes)
    return victim


def _page_size(draft: Draft, victim: Kill | None) -> tuple[int | None, str | None]:
    """Page size in KiB and what told it."""
    row = None if victim is None else next((row for row in draft.rows.values() if row.tgid == victim.pid), None)
    if victim is not None and victim.total_vm_bytes and row is not None and row.total_vm_pages:
        for kib in (4, 8, 16, 32, 64, 256):
            # The process may have grown or shrunk a little since the table was printed.
            if abs(victim.total_vm_bytes - row.total_vm_pages * kib * 1024) * 20 <= victim.total_vm_bytes:
                return kib, "total-vm of the killed process beside its row"
    for source, kib in draft.page_kb.items():
        return kib, source
    return None, None


def _machine(draft: Draft) -> MachineMemory:
    facts = draft.facts
    swap_kb, free_kb = _number(facts.get("total_swap_kb")), _number(facts.get("free_swap_kb"))
    if swap_kb is None and "ram_pages" in facts and ("pagecache" in facts or draft.about_machine):
        swap_kb = 0  # a kernel without CONFIG_SWAP prints no line about it
    return MachineMemory(
        _number(facts.get("ram_pages")),
        _number(facts.get("reserved_pages")),
        None if swap_kb is None else swap_kb << 10,
        None if free_kb is None else free_kb << 10,
        tuple(draft.zones),
        frozenset(draft.nodes),
    )


def _constraint(draft: Draft, report: OomReport) -> Constraint | None:
    if draft.about_memcg and not (draft.about_machine and not report.oom_memcg and not report.memcg.memory):
        return Constraint.MEMCG
    named = {
        "CONSTRAINT_NONE": Constraint.NONE,
        "CONSTRAINT_CPUSET": Constraint.CPUSET,
        "CONSTRAINT_MEMORY_POLICY": Constraint.MEMPOLICY,
        "CONSTRAINT_MEMCG": Constraint.MEMCG,
    }
    if report.constraint_text is not None:
        return named.get(report.constraint_text)
    allowed, nodes = report.mems_allowed, report.machine.nodes
    # 4.9 and 4.10 print the cpuset's nodes where the allocation has no nodemask of its own.
    if report.nodemask is not None and report.nodemask != allowed and not (allowed and allowed <= report.nodemask):
        return Constraint.MEMPOLICY
    if allowed is not None and len(nodes) > 1 and allowed < nodes and report.machine.ram_pages is not None:
        return Constraint.CPUSET
    seen = draft.about_machine or report.panic or report.no_killable or draft.selected or draft.victim
    return Constraint.NONE if seen else None


def _missing(draft: Draft, report: OomReport) -> list[str]:
    missing = []
    if not report.columns:
        missing.append("the task table")
    elif not report.rows:
        missing.append("the rows of the task table")
    if draft.damaged_rows:
        missing.append(f"parts of the task table ({draft.damaged_rows} damaged lines)")
    if draft.too_many:
        missing.append(f"rows of the task table after the first {MOST_ROWS}")
    if _swap_unaccounted(report):
        missing.append("rows of the task table, it seems: those here hold next to nothing of the used swap")
    if draft.elided:
        missing.append("rows of the task table that somebody cut out")
    if draft.lost_lines:
        missing.append("lines that the log lost")
    if draft.mixed:
        missing.append("certainty which lines are its own: those of another report are mixed in")
    missing += _missing_totals(report)
    return missing + _missing_victim(draft, report)


def _missing_victim(draft: Draft, report: OomReport) -> list[str]:
    if report.victim is not None:
        listed = report.row_of(report.victim.pid) is not None
        return [] if listed or not report.rows else ["the victim's row in the task table"]
    if report.panic is not None:
        return ["a victim: the kernel panicked instead"]
    if report.no_killable:
        return ["a victim: nobody was killable"]
    if report.already_exiting is not None:
        return [f"a victim: {report.already_exiting} was exiting already"]
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
    if report.constraint is Constraint.MEMCG:
        return [] if report.memcg.memory else ["the cgroup's limit (memory: usage …, limit …)"]
    machine = report.machine
    missing = []
    if machine.ram_pages is None or machine.reserved_pages is None:
        missing.append("the machine's memory (pages RAM, pages reserved)")
    if machine.total_swap_bytes is None:
        missing.append("the machine's swap (Total swap)")
    return missing


def _number(value: int | str | None) -> int | None:
    return value if isinstance(value, int) else None


def _text(value: int | str | None) -> str | None:
    return value if isinstance(value, str) else None
