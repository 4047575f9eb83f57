"""This machine: where its /proc is, and what a line above a list says of its memory."""

from __future__ import annotations

import os

from oomctl.errors import Refused
from oomctl.guard.elsewhere import CGROUP_ROOT, PROC, said
from oomctl.guard.walk import only_ours
from oomctl.model.kernel import Constraint, Scenario
from oomctl.model.listing import Machine
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.reader import Procfs


def machine_procfs() -> Procfs:
    """Return this machine's /proc, or that which the command line names, else the environment.

    Raises Refused where the environment names a place in which another user has a hand: sudo -E and su keep it.
    """
    proc = _place(said.proc, PROC, "--proc")
    cgroup_root = _place(said.cgroup_root, CGROUP_ROOT, "--cgroup-root")
    return Procfs(proc or "/proc", on_purpose=proc is not None, cgroup_root=cgroup_root)


def procfs_to_write() -> Procfs:
    """Like ``machine_procfs``; raises Refused where it shows other processes than are meant here."""
    procfs = machine_procfs()
    refuse_another_namespace(procfs)
    return procfs


def refuse_another_namespace(procfs: Procfs) -> None:
    """Raise Refused where ``procfs`` shows other processes than are meant here, unless that was asked for."""
    if procfs.of_another_namespace:
        raise Refused(
            f"{procfs.root} is that of another PID namespace, where numbers and names mean other processes than here;"
            f" mount this one's own (mount -t proc proc /proc), or say --proc {procfs.root} to mean those"
        )


def _place(on_command_line: str | None, variable: str, option: str) -> str | None:
    """Return the absolute path of what is named; None where nothing is."""
    named = on_command_line or os.environ.get(variable) or None
    if named is None:
        return None
    path = os.path.abspath(named)
    if on_command_line is None and not _is_trusted(path):
        raise Refused(
            f"{variable} names {path}, where another user may change what is there;"
            f" to mean it all the same, say {option} {path}"
        )
    return path


def _is_trusted(path: str) -> bool:
    """Whether nobody else has a hand in it. A link such as /proc/PID/root leads elsewhere than its text says."""
    real = os.path.realpath(path)
    return only_ours(path) and (not os.path.exists(path) or (os.path.exists(real) and os.path.samefile(path, real)))


def machine_line(scenario: Scenario, procfs: Procfs) -> Machine:
    """Return what the line above a list says of the memory in question; the candidates are not counted."""
    meminfo = procfs.meminfo
    machine = Machine(
        kernel=scenario.kernel,
        page_size=scenario.page_size,
        totalpages=scenario.context.totalpages,
        scope="machine",
        memory_total=meminfo.mem_total,
        memory_left=meminfo.mem_available,
        swap_total=meminfo.swap_total,
        swap_left=meminfo.swap_free,
        hidden=scenario.hidden,
    )
    memcgs = Memcgs.of(procfs) if scenario.context.constraint is Constraint.MEMCG else None
    path = scenario.context.memcg
    if memcgs is None or path is None:
        return machine
    limit, usage = memcgs.limits(path).memory_pages, memcgs.usage(path)
    if limit is None:
        return machine._replace(scope=f"cgroup {path} (no limit), machine")
    # Page cache goes before the killer comes, as it does in MemAvailable.
    left = max(limit * scenario.page_size - usage.memory + memcgs.cache_bytes(path), 0)
    return machine._replace(
        scope=f"cgroup {path}",
        memory_total=limit * scenario.page_size,
        memory_left=left,
        ram_total=meminfo.mem_total,
        ram_left=meminfo.mem_available,
    )
