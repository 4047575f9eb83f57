"""What ``simulate`` and ``snapshot`` are asked about: the machine, a cgroup, some nodes, and who is meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from oomctl.errors import BadInput, ImpossibleHere, NothingMatched
from oomctl.kernel.constraint import memcg_totalpages
from oomctl.model.kernel import Constraint, Scenario, Task
from oomctl.model.limits import Limit, LimitKind
from oomctl.model.listing import Machine
from oomctl.model.memory import Accounting
from oomctl.procfs import nodes as numa
from oomctl.procfs import survey
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.machine import machine_line
from oomctl.procfs.memorynow import memory_now
from oomctl.procfs.reach import Reach, reach
from oomctl.procfs.reader import Procfs
from oomctl.targets.matching import matcher, matching, no_match
from oomctl.targets.words import Target, TargetKind, parse_target


class Shortage(NamedTuple):
    """Which memory runs out, as the options say it."""

    cgroup: str | None = None
    nodes: str | None = None
    mempolicy: bool = False
    nearest_for: Target | None = None


class Question(NamedTuple):
    """What the kernel is to decide, and where it was read."""

    scenario: Scenario
    procfs: Procfs | None
    """None for a document."""
    machine: Machine | None
    limits: tuple[Limit, ...] = ()
    """With ``--for``: every limit above the target, the nearest first."""
    memory: Accounting | None = None
    """Where the memory is now; None for a document."""


def check(scope: Shortage) -> None:
    """Refuse scopes that contradict each other."""
    given = [name for name, value in scope._asdict().items() if value and name != "mempolicy"]
    if len(given) > 1:
        names = " and ".join({"nearest_for": "--for"}.get(name, f"--{name}") for name in given)
        raise BadInput(f"{names} ask about different memory; give one of them")
    if scope.mempolicy and not scope.nodes:
        raise BadInput("--mempolicy says how --nodes are confined; give --nodes as well")


def live(procfs: Procfs, scope: Shortage, nearest: int | None = None) -> Question:
    """Ask about this machine now; with ``nearest`` only the processes nearest to being first are read."""
    check(scope)
    found = Reach(())
    if scope.nearest_for is not None:
        found = reach(procfs, one_task(procfs, scope.nearest_for))
        scope = _of_limit(found.limits[0])
    if scope.cgroup is not None:
        scenario, memcgs = survey.memcg(procfs, cgroup_named(procfs, scope.cgroup))
        unlimited = memcg_totalpages(memcgs.limits(scenario.context.memcg or "/")) is None
        scenario = scenario._replace(context=scenario.context._replace(unlimited=unlimited))
    elif scope.nodes is not None:
        scenario = survey.memory_nodes(procfs, numa.parse_list(scope.nodes), scope.mempolicy)
    elif nearest is not None:
        scenario = survey.machine_front(procfs, nearest)
    else:
        scenario = survey.machine(procfs)
    scenario = scenario._replace(doubts=scenario.doubts + found.doubts)
    machine, memory = machine_line(scenario, procfs), memory_now(procfs, scenario)
    return Question(scenario, procfs, machine, found.limits, memory)


def find_tasks(question: Question, target: Target) -> list[Task]:
    """Return the tasks of the scenario that a target matches."""
    tasks = question.scenario.tasks
    tasks_found = matching([target], tasks, question.procfs)[target]
    if not tasks_found:
        raise NothingMatched(no_match(target.word, question.scenario.hidden))
    return tasks_found


def at_once(scenario: Scenario) -> Scenario:
    """Let the memory run out without reclaim before it. BadInput for nodes, of which nothing can ask that.

    A cgroup's limit that is set below what is in use is reclaimed from first, so there it makes no difference.
    """
    context = scenario.context
    if context.constraint in (Constraint.CPUSET, Constraint.MEMPOLICY):
        raise BadInput("--sudden: only the whole machine can run out at once, by SysRq f; --nodes does not go with it")
    sysrq = context.constraint is Constraint.NONE
    return scenario._replace(context=context._replace(sudden=True, sysrq=sysrq or context.sysrq))


def _of_limit(limit: Limit) -> Shortage:
    if limit.kind is LimitKind.MEMCG:
        return Shortage(cgroup=limit.memcg)
    return Shortage(nodes=",".join(map(str, sorted(limit.allowed)))) if limit.kind is LimitKind.NODES else Shortage()


def one_task(procfs: Procfs, target: Target) -> Task:
    """Return the biggest process that ``target`` matches."""
    tasks: Sequence[Task]
    if target.kind is TargetKind.PID:
        matcher(target, procfs)  # refuses numbers where they mean other processes
        # A thread has a directory there, too, but is not listed.
        tasks = procfs.tasks({int(target.value)}.intersection(procfs.pids()[0])).read
    else:
        tasks = matching([target], procfs.tasks().read, procfs)[target]
    if not tasks:
        raise NothingMatched(f"{target.word}: no process matches")
    return max(tasks, key=lambda task: task.rss_pages + task.swap_pages)


def cgroup_named(procfs: Procfs, name: str) -> str:
    """Turn a unit's name into its cgroup; a path stays as it is."""
    memcgs = Memcgs.of(procfs)
    if "/" in name or memcgs is None:
        return name
    target = parse_target(name)
    if target.kind is not TargetKind.UNIT:
        return name
    for task in matching([target], procfs.tasks().read, procfs)[target]:
        path = memcgs.path_of_pid(task.pid)
        if path is not None and name in path.split("/"):
            return path[: path.index(name) + len(name)]
    raise ImpossibleHere(f"unit {name}: no process of it runs in a memory cgroup of its own")


def tasks_to_set(question: Question, target: Target, adj: int) -> list[Task]:
    """Return the tasks that ``oomctl set --any-user --force ADJ TARGET`` would change."""
    find_tasks(question, target)
    from oomctl.targets.selection import Scope, select

    # Nothing is written, so nobody has to be kept from writing it.
    scope = Scope(any_user=True, force=True)
    return select([target], question.scenario.tasks, question.procfs, adj, scope).meant
