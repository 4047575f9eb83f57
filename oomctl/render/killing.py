"""Who was killed, by whom and at whose request: the words for it, and what could be done."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Collection

from oomctl.model.kernel import Constraint
from oomctl.model.oomreport import KERNEL, Ended, Kill, OomReport, TableRow
from oomctl.render import cgroups
from oomctl.render.text import count, named, size, visible

BY_HAND = "asked for by hand (SysRq f)"
_BURSTABLE_FROM = 984
"""A Burstable pod gets 1000 - 1000 * request / capacity, 999 at most; here the request is below 2 % of the machine."""
_GO_BY = {
    "systemd-oomd": "systemd-oomd goes by ManagedOOMSwap=, ManagedOOMMemoryPressure= and oomd.conf(5)",
    "earlyoom": "earlyoom goes by its options, such as -m and -s, --prefer and --avoid",
    "nohang": "nohang goes by its own configuration file",
    "lmkd": "lmkd goes by memory pressure and oom_score_adj, which Android sets by what an app is doing",
    "lowmemorykiller": "this driver goes by the limits in /sys/module/lowmemorykiller/parameters",
    "talos": "Talos goes by its OOMConfig document",
}


def limit(report: OomReport) -> str:
    """Return which memory ran out, in a few words; ``?``: the log does not say."""
    if report.elsewhere.killer not in (KERNEL, None):
        return "-"
    if report.container is not None:
        return f"container {report.container}"
    if report.constraint is Constraint.MEMCG:
        return cgroups.told(report.oom_memcg) if report.oom_memcg else "cgroup ?"
    names = {Constraint.NONE: "machine", Constraint.CPUSET: "cpuset", Constraint.MEMPOLICY: "memory policy"}
    return names[report.constraint] if report.constraint else report.constraint_text or "?"


def limit_or_path(report: OomReport) -> str:
    """Return the path of a cgroup, to be named in what room there is, or what it is instead."""
    told = visible(limit(report))
    path = report.oom_memcg or ""
    return path if path.startswith("/") and told == cgroups.told(path) else told


def victim(report: OomReport) -> str:
    """Return who was killed, in a few words; *nobody* only where the kernel said so, ``?``: the log does not say."""
    told = report.elsewhere
    if report.victim is not None:
        return named(report.victim)
    if report.panic is not None:
        return "panic"
    if report.no_killable:
        return "nobody"
    if report.selected is not None:
        return f"{named(report.selected)} or a child of it"
    if told.cgroup is not None:
        return f"all of {cgroups.innermost(told.cgroup)}"
    return f"? in {cgroups.short_name(told.unit)}" if told.unit is not None else "?"


def killer_line(report: OomReport) -> str | None:
    """Say who killed; None: the kernel."""
    told = report.elsewhere
    if told.killer == KERNEL:
        return None
    if told.killer is None:
        return "Killer    the kernel or systemd-oomd: the log does not say which"
    why = f": {visible(told.why)}" if told.why else ""
    return f"Killer    {told.killer}, not the kernel's OOM killer{why}"


def trigger_line(report: OomReport) -> str:
    """Say which memory ran out and who needed it, or that somebody wanted a kill."""
    where = visible(limit(report))
    if report.requested:
        return f"Trigger   {where}: {BY_HAND}; memory need not have been short"
    if report.trigger_comm is not None:
        inside = container_of_trigger(report)
        who = visible(report.trigger_comm) + (f" in {cgroups.short_name(inside)}" if inside else "")
        return f"Trigger   {where}: {who} needed memory"
    return f"Trigger   {where}: the log does not say who needed memory"


def container_of_trigger(report: OomReport) -> str | None:
    """Return the cgroup of the container whose allocation failed, by its ``cpuset=``; None: that names none.

    The kernel prints the last part of the path of the allocating task's cpuset (cpuset_print_current_mems_allowed).
    """
    return report.cpuset if report.cpuset is not None and cgroups.container(report.cpuset) else None


def path_lines(path: str | None, width: int | None) -> list[str]:
    """Return the whole path of a cgroup that has a shorter name, in lines of ``width`` characters; None: in one."""
    if path is None or cgroups.short_name(path) == path:
        return []
    return _folded_path(visible(path), width or sys.maxsize)


def _folded_path(path: str, width: int) -> list[str]:
    """Fold only before a slash, further to the left where one part of it needs that: an id can be copied then."""
    if 10 + len(path) <= width:
        return [f"          {path}"]
    parts = re.findall("/*[^/]+|/+$", path)
    indentation = min(10, max(2, width - max(map(len, parts))))
    lines = [""]
    for part in parts:
        if lines[-1] and indentation + len(lines[-1] + part) > width:
            lines.append("")
        lines[-1] += part
    return [" " * indentation + line for line in lines]


def victim_lines(report: OomReport, row: TableRow | None, rss_bytes: int | None, width: int | None) -> list[str]:
    """Say who was chosen where another one died, and who was killed.

    ``row``: the victim's, ``rss_bytes``: its RSS, ``width``: of the lines of a path, None: any.
    """
    kill, chosen = report.victim, report.selected
    if kill is None:
        return [f"Victim    {_no_victim(report)}"]
    lines = []
    its_own = chosen is not None and chosen.pid in (kill.pid, kill.thread, row.pid if row else None)
    score = "" if chosen is None or chosen.score is None else f", score {chosen.score}"
    if chosen is not None and not its_own:
        lines.append(
            f"Chosen    {named(chosen)}{score}; {kill.pid} died in its place: {_instead(chosen.comm, kill, row)}"
        )
    parts = [named(kill) + (score if its_own else ""), _rss(kill, rss_bytes)]
    if report.elsewhere.signal is not None and report.elsewhere.signal != "SIGKILL":
        parts.append(f"it got {report.elsewhere.signal}")
    if report.elsewhere.unit is not None:
        parts.append(f"in {cgroups.short_name(report.elsewhere.unit)}")
    elif report.victim_memcg not in (None, "/"):
        parts.append(f"in {cgroups.told(report.victim_memcg or '')}")
    lines.append(f"Victim    {', '.join(parts)}")
    lines += path_lines(report.victim_memcg, width) if report.victim_memcg != report.oom_memcg else []
    more = (_misread(report, kill, rss_bytes), _in_container(report))
    return [*lines, *(f"          {clause}" for clause in more if clause)]


def _in_container(report: OomReport) -> str | None:
    many, container = report.elsewhere.processes, report.container
    if many is None or container is None:
        return None
    return f"{count(many, 'process', 'processes')} of container {container} killed, says the kernel"


def _instead(chosen: str, kill: Kill, row: TableRow | None) -> str:
    """A child dies in its parent's place; a line may also name a thread, whose name is mostly the same."""
    return "a child of it" if row is not None or kill.comm != chosen else "a child or a thread of it"


def _rss(kill: Kill, rss_bytes: int | None) -> str:
    if rss_bytes is not None:
        return f"{size(rss_bytes)} of RSS"
    if kill.anon_rss_bytes is not None:
        return f"{size(kill.anon_rss_bytes)} of anonymous memory (its line is cut off there)"
    return "its RSS is not in the log"


def _misread(report: OomReport, kill: Kill, rss_bytes: int | None) -> str | None:
    """One clause where a number invites to be compared with a limit that it has nothing to do with."""
    held = rss_bytes if rss_bytes is not None else kill.anon_rss_bytes
    if kill.total_vm_bytes is None or held is None or kill.total_vm_bytes < 2 * held:
        return None
    full = report.memcg.memory.limit_bytes if report.memcg.memory else None
    if full is not None and kill.total_vm_bytes <= full:
        return None
    return f"total-vm, {size(kill.total_vm_bytes)}, is address space: it is not what counts against a limit"


def _no_victim(report: OomReport) -> str:
    told, chosen = report.elsewhere, report.selected
    many = "" if told.processes is None else f"{count(told.processes, 'process', 'processes')}"
    if report.panic is not None:
        could = "could be killed, and" if report.no_killable else "was killed:"
        return f"nobody {could} the kernel panicked ({visible(report.panic)})"
    if report.no_killable:
        return "nobody could be killed"
    if report.exiting is not None:
        return f"{report.exiting} was exiting already; the kernel sent no signal"
    if chosen is not None:
        score = "" if chosen.score is None else f" with a score of {chosen.score}"
        return f"{named(chosen)}, chosen{score}, or a child of it: the line that tells is not in the log"
    if told.cgroup is not None:
        return f"all of {visible(told.cgroup)}" + (f", {many}" if many else "")
    if told.unit is not None:
        return f"{many or 'a process'} of {visible(told.unit)}; which is not in the log"
    return f"{many} of container {report.container or '?'}" if many else "not in the log"


def in_few_words(report: OomReport) -> str:
    """Return the same of a report without a victim, for a line that says more."""
    if report.panic is not None:
        return "the kernel panicked"
    if report.ended is Ended.NO_KILLABLE:
        return "nobody could be killed"
    if report.exiting is not None:
        return f"{report.exiting} was exiting already"
    return f"killed {victim(report)}" if report.selected else "the log does not say who was killed"


def without_victim(report: OomReport) -> str:
    """Return the same for the first line of all that is said of it."""
    told = report.elsewhere
    if told.killer == KERNEL and told.processes is None:
        return in_few_words(report)
    if told.cgroup is None and told.unit is None and told.processes is None:
        return f"killed by {visible(told.killer or '?')}, the log does not say who"
    return f"{_no_victim(report)}: killed" + ("" if told.killer == KERNEL else f" by {visible(told.killer or '?')}")


def remedies(report: OomReport, adj: int | None, ranked: Collection[int], log: str | None = None) -> list[str]:
    """Return what could be done, only where it can work.

    ``adj``: the victim's; ``ranked``: PIDs that ``simulate`` would choose from; ``log``: the file, for a command that
    reads it again.
    """
    if report.elsewhere.killer != KERNEL:
        return [_GO_BY[report.elsewhere.killer]] if report.elsewhere.killer in _GO_BY else []
    kill, notes = report.victim, []
    if kill is not None and adj is not None and adj > 0:
        notes.append(_raised(report, kill, adj))
    if report.requested:  # more memory would have changed nothing
        pass
    elif report.container is not None:
        notes.append(f"raise the limits of container {report.container}, or make what runs in it smaller")
    elif report.constraint is Constraint.MEMCG:
        name = cgroups.short_name(report.oom_memcg) if report.oom_memcg else "the cgroup"
        notes.append(f"raise the limit of {name}, or make what runs in it smaller")
    elif report.constraint is Constraint.NONE and report.machine.total_swap_bytes == 0 and not report.no_killable:
        notes.append("the machine has no swap: a little of it turns sudden kills into slowness that can be seen coming")
    is_asked = report.constraint is not Constraint.MEMCG and len(ranked) > 1
    if log is not None and kill is not None and kill.pid in ranked and is_asked:
        source = shlex.quote(f"{log}#{report.number}")
        notes.append(f"oomctl simulate --from {visible(source)} --without {kill.pid} shows who would be next")
    return notes


def _raised(report: OomReport, kill: Kill, adj: int) -> str:
    """What an oom_score_adj above 0 did, and whose habit it is where that is known."""
    carried = f"{visible(kill.comm)} carried an oom_score_adj of {adj}"
    in_pod = any("kubepods" in (path or "") for path in (report.victim_memcg, report.oom_memcg))
    if _BURSTABLE_FROM <= adj <= 999:
        return f"{carried}, as the kubelet gives it to a Burstable pod that requests little memory"
    if in_pod and adj == 1000:
        return f"{carried}, as the kubelet gives it to a BestEffort pod, one without requests"
    if in_pod:
        return f"{carried}: the kubelet gives a Burstable pod the less, the more memory it requests"
    return f"{carried}, which counts like {adj / 10:g} % of the memory that ran out: see who sets it"
