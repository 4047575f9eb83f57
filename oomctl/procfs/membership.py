"""Who is in a memory cgroup: its processes read, and those counted of which no more is to be seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from oomctl.kernel.rules import Rules
from oomctl.kernel.selection import memcg_order, scan_order
from oomctl.model.kernel import Doubt, Doubtful, Task
from oomctl.procfs.cgroup import Members, Memcgs
from oomctl.procfs.reader import Procfs, Tasks


class Membership(NamedTuple):
    """The processes of a memory cgroup and of those below it."""

    tasks: tuple[Task, ...]
    """In the order of the kernel's walk."""
    cgroups: tuple[str, ...]
    """In which they are."""
    hidden: int
    doubts: tuple[Doubt, ...]
    """UNSEEN_MEMBERS where there may be others, which are not even counted."""


def membership(procfs: Procfs, memcgs: Memcgs, path: str) -> Membership:
    """Read the members of ``path``, leaving out those that end meanwhile."""
    tasks: list[Task] = []
    cgroups = []
    hidden = 0
    whole = True
    for members in memcgs.members(path):
        read = procfs.tasks(members.pids)
        hidden += read.hidden + members.unseen + _vanished_but_there(procfs, memcgs, members, read)
        in_order = _in_walk_order(read.read, members.pids, memcgs, procfs.rules)
        tasks += [task._replace(memcg=members.cgroup) for task in in_order]
        cgroups.append(members.cgroup)
        whole = whole and members.whole
    doubts = () if whole else (Doubt(Doubtful.UNSEEN_MEMBERS, detail=path),)
    return Membership(tuple(tasks), tuple(cgroups), hidden, doubts)


def _vanished_but_there(procfs: Procfs, memcgs: Memcgs, members: Members, read: Tasks) -> int:
    """Count members that /proc does not have although they live: with hidepid=2 those of other users."""
    missing = set(members.pids) - {task.pid for task in read.read} - {procfs.own_pid}
    if len(missing) <= read.hidden:
        return 0
    still_there = missing.intersection(memcgs.processes_of(members.cgroup))
    return max(len(still_there) - read.hidden, 0)


def _in_walk_order(tasks: list[Task], pids: Sequence[int], memcgs: Memcgs, rules: Rules) -> Sequence[Task]:
    """Sort one cgroup's members as the kernel visits them, exited leaders with live threads last (5.2+)."""
    if not memcgs.lists_in_order:  # the order of joining is not visible, that of starting comes near
        return memcg_order(sorted(tasks, key=lambda task: (task.zombie_leader, scan_order(task))), rules)
    position = {pid: index for index, pid in enumerate(pids)}
    return sorted(tasks, key=lambda task: position[task.pid])
