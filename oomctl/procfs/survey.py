"""One look at the machine for one question: which tasks are in it, and which memory.

For the machine-wide question the kernel's rounded ``oom_score`` of every process is read first,
and details only of those that can still be near the first; everything else reads all it needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from oomctl.errors import BadInput, ImpossibleHere
from oomctl.kernel.constraint import confined_to_nodes, memcg_totalpages, nodes_totalpages
from oomctl.kernel.scores import totalpages_doubts
from oomctl.kernel.selection import scan, scan_order, why_not
from oomctl.model.kernel import Constraint, Context, Doubt, Doubtful, MemcgLimits, Scenario, Task
from oomctl.procfs import nodes, reclaim
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.closer import closer_look
from oomctl.procfs.glance import glance
from oomctl.procfs.membership import membership
from oomctl.procfs.reader import Procfs
from oomctl.procfs.sharing import with_shared_memory


def machine(procfs: Procfs, cgroups: bool = True) -> Scenario:
    """Return the machine-wide scenario with every process and every fact.

    ``cgroups``: with the cgroup of each, and which of them are killed as one; who is chosen does not depend on it.
    """
    memcgs = Memcgs.of(procfs) if cgroups else None
    tasks = procfs.tasks(memcg_of=None if memcgs is None else memcgs.path_of)
    read = _with_shared_memory(procfs, tasks.read)
    groups: set[str] = set()
    if memcgs is not None:
        groups = {path for path in with_ancestors(read, memcgs) if memcgs.kills_as_group(path)}
    context = context_of(procfs, Constraint.NONE, procfs.totalpages)._replace(oom_groups=frozenset(groups))
    scenario = Scenario(procfs.kernel, context, tuple(read), procfs.page_size, hidden=tasks.hidden)
    return as_read(closer_look(procfs, scenario), procfs)


def machine_front(procfs: Procfs, count: int, contenders: bool = True) -> Scenario:
    """Return the machine-wide scenario with (at least) the ``count`` processes nearest to being first.

    The rest is only counted. Who would die with the first is in it too, and (``contenders``) everyone
    whom the counters' imprecision leaves in the running.
    """
    if not procfs.scores_keep_order:
        return machine(procfs)  # before v5.1 any child may die, too
    if contenders and procfs.setting("vm/oom_kill_allocating_task"):
        return machine(procfs)  # whoever asks dies
    context = context_of(procfs, Constraint.NONE, procfs.totalpages)
    seen = glance(procfs, count, context, contenders)
    scenario = Scenario(
        procfs.kernel,
        context,
        tuple(seen.read),
        procfs.page_size,
        unread_candidates=seen.unread,
        unread_unkillable=seen.unkillable,
        hidden=seen.hidden,
    )
    return as_read(_with_company(procfs, scenario, count), procfs)


def memcg(procfs: Procfs, path: str) -> tuple[Scenario, Memcgs]:
    """Return the scenario in which the memory cgroup ``path`` hits its limit.

    Raises ImpossibleHere without such a cgroup. ``totalpages`` is the machine's where the cgroup
    has no limit, and no OOM follows then: see ``memcg_totalpages``.
    """
    memcgs = Memcgs.of(procfs)
    if memcgs is None:
        raise ImpossibleHere("no memory controller is mounted here: there are no memory cgroups to ask about")
    path = memcgs.resolve(path)
    members = membership(procfs, memcgs, path)
    totalpages = memcg_totalpages(memcgs.limits(path)) or procfs.totalpages
    context = context_of(procfs, Constraint.MEMCG, totalpages)._replace(
        memcg=path,
        oom_groups=frozenset(filter(memcgs.kills_as_group, members.cgroups)),
        kill_disabled=memcgs.kill_disabled(path),
    )
    context = reclaim.with_memcg(context, procfs, memcgs, path)
    tasks = tuple(_with_shared_memory(procfs, list(members.tasks)))
    scenario = Scenario(procfs.kernel, context, tasks, procfs.page_size, hidden=members.hidden, doubts=members.doubts)
    return as_read(closer_look(procfs, scenario, lambda: memcgs.inodes(path)), procfs), memcgs


def as_read(scenario: Scenario, procfs: Procfs) -> Scenario:
    """Add what was found out about the kernel and its numbers while ``scenario`` was read."""
    doubts = procfs.doubts or totalpages_doubts(scenario.tasks, scenario.context, procfs.rules)
    doubts = (*scenario.doubts, *doubts, *_unasked(scenario.tasks, procfs))
    return scenario._replace(doubts=doubts, probed=procfs.probed)


def _unasked(tasks: Sequence[Task], procfs: Procfs) -> tuple[Doubt, ...]:
    """Return the doubt whether some share memory that could not be asked about: another place's, or other users'."""
    if procfs.numbers_differ:
        return (Doubt(Doubtful.UNSEEN_SHARERS),)
    number = sum(1 for task in tasks if task.vsize_bytes and not task.start_stack) if procfs.is_own else 0
    return (Doubt(Doubtful.UNSEEN_SHARERS, number),) if number else ()


def memory_nodes(procfs: Procfs, allowed: frozenset[int], mempolicy: bool) -> Scenario:
    """Return the scenario in which a task confined to the NUMA nodes ``allowed`` runs out of memory.

    ``mempolicy``: confined by a memory policy, else by its cpuset. BadInput for nodes without memory.
    """
    known = nodes.nodes(procfs)
    if not known:
        raise ImpossibleHere(f"{procfs.root}/zoneinfo cannot be read: the size of the nodes is not known")
    missing = sorted(allowed - known.keys())
    if missing:
        raise BadInput(f"node {missing[0]}: no such node with memory; here are {', '.join(map(str, sorted(known)))}")
    swap_pages = procfs.meminfo.swap_total // procfs.page_size
    scenario = machine(procfs)
    totalpages = nodes_totalpages(known, allowed, swap_pages, procfs.rules)
    context = confined_to_nodes(scenario.context, allowed, totalpages, mempolicy)
    tasks = tuple(nodes.with_nodes(task, procfs, policies=mempolicy) for task in scenario.tasks)
    return scenario._replace(context=context, tasks=tasks)


def memcg_limits(procfs: Procfs, tasks: Sequence[Task]) -> dict[str, MemcgLimits]:
    """Return the limits of every memory cgroup that ``tasks`` are in, and of those above, if any is set."""
    memcgs = Memcgs.of(procfs)
    if memcgs is None:
        return {}
    known: dict[str, MemcgLimits] = {}
    for path in sorted(with_ancestors(tasks, memcgs)):
        with suppress(ImpossibleHere):  # may not be read
            limits = memcgs.limits(path)
            if memcg_totalpages(limits) is not None:
                known[path] = limits
    return known


def _with_shared_memory(procfs: Procfs, tasks: list[Task], of: Task | None = None) -> list[Task]:
    """Ask the kernel who shares memory; that of another place cannot be asked."""
    return with_shared_memory(tasks, of) if procfs.is_own else tasks


def context_of(procfs: Procfs, constraint: Constraint, totalpages: int) -> Context:
    """Return the context of an OOM with this machine's settings."""
    context = Context(
        constraint,
        totalpages,
        panic_on_oom=procfs.setting("vm/panic_on_oom"),
        oom_kill_allocating_task=bool(procfs.setting("vm/oom_kill_allocating_task")),
        cpus=procfs.cpus,
    )
    return reclaim.with_machine(context, procfs)


def _with_company(procfs: Procfs, scenario: Scenario, count: int) -> Scenario:
    """Read the first ``count`` again with every fact, and add everyone who would die with the very first."""
    ranking = scan(scenario.tasks, scenario.context, procfs.rules).ranking
    order = [candidate.task.pid for candidate in ranking[:count]]
    again = procfs.tasks(order)
    if again.hidden:  # of those that seemed the nearest; others take their place
        return machine(procfs)
    whole = {task.pid: task for task in again.read}
    ended = set(order) - whole.keys()
    tasks = [whole.get(task.pid, task) for task in scenario.tasks if task.pid not in ended]
    first = next((whole[pid] for pid in order if pid in whole), None)
    if first is None:
        return scenario._replace(tasks=tuple(tasks))
    known = {task.pid for task in tasks}
    children = procfs.tasks(pid for pid in procfs.children(first.pid) if pid not in known)
    in_vfork = [task for task in children.read if task.vfork]
    scenario = scenario._replace(
        tasks=tuple(_with_shared_memory(procfs, [*tasks, *in_vfork], of=first)),
        unread_unkillable=max(scenario.unread_unkillable - len(in_vfork), 0),
    )
    memcgs = Memcgs.of(procfs)
    scenario = closer_look(procfs, scenario)
    return scenario if memcgs is None or memcgs.version == 1 else _with_group(procfs, memcgs, scenario, first)


def _with_group(procfs: Procfs, memcgs: Memcgs, scenario: Scenario, first: Task) -> Scenario:
    """Add the members of the cgroup that is killed as one if ``first`` is the victim."""
    path = memcgs.path_of_pid(first.pid)
    groups = [group for group in memcgs.ancestors(path) if memcgs.kills_as_group(group)] if path else []
    if not groups:
        return scenario
    members = {pid: cgroup for cgroup, pids, *_ in memcgs.members(groups[-1]) for pid in pids}
    known = {task.pid for task in scenario.tasks}
    more = procfs.tasks(pid for pid in members if pid not in known).read
    tasks = tuple(task._replace(memcg=members.get(task.pid)) for task in (*scenario.tasks, *more))
    unkillable = sum(why_not(task, scenario.context, procfs.rules) is not None for task in more)
    return scenario._replace(
        tasks=tuple(sorted(tasks, key=scan_order)),
        context=scenario.context._replace(oom_groups=frozenset(groups)),
        unread_candidates=max(scenario.unread_candidates - len(more) + unkillable, 0),
        unread_unkillable=max(scenario.unread_unkillable - unkillable, 0),
    )


def with_ancestors(tasks: Sequence[Task], memcgs: Memcgs) -> set[str]:
    """Return the paths of the memory cgroups that ``tasks`` are in, and of all above those that are mounted here."""
    paths = {task.memcg for task in tasks if task.memcg is not None}
    return {ancestor for path in paths for ancestor in memcgs.ancestors(path)}
