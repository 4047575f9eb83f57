"""What ``simulate`` and ``snapshot`` are asked about: live, or a document; the machine, a cgroup, some nodes."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from oomctl.console import complain
from oomctl.errors import BadInput, ImpossibleHere, NothingMatched
from oomctl.kernel.constraint import confined_to_nodes, memcg_totalpages, nodes_totalpages
from oomctl.kernel.rules import rules_for
from oomctl.model.kernel import Constraint, Scenario, Task
from oomctl.model.listing import Limit, LimitKind, Machine
from oomctl.procfs import nodes as numa
from oomctl.procfs import survey
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.machine import machine_line
from oomctl.procfs.reach import limits_above
from oomctl.procfs.reader import Procfs
from oomctl.scenario import document as documents
from oomctl.targets.matching import matching, no_match
from oomctl.targets.selection import Scope, select
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
    unlimited: bool = False
    """The cgroup asked about has no limit of its own."""
    limits: tuple[Limit, ...] = ()
    """With ``--for``: every limit above the target, the nearest first."""


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
    limits: tuple[Limit, ...] = ()
    if scope.nearest_for is not None:
        limits = tuple(limits_above(procfs, _one_task(procfs, scope.nearest_for)))
        scope = _of_limit(limits[0])
    unlimited = False
    if scope.cgroup is not None:
        scenario, memcgs = survey.memcg(procfs, _cgroup_of_unit(procfs, scope.cgroup))
        unlimited = memcg_totalpages(memcgs.limits(scenario.context.memcg or "/")) is None
    elif scope.nodes is not None:
        scenario = survey.memory_nodes(procfs, numa.parse_list(scope.nodes), scope.mempolicy)
    elif nearest is not None:
        scenario = survey.machine_front(procfs, nearest)
    else:
        scenario = survey.machine(procfs)
    return Question(scenario, procfs, machine_line(scenario, procfs), unlimited, limits)


def from_file(name: str, scope: Shortage) -> Question:
    """Ask about a scenario document (``-`` is stdin), or a kernel log's report: ``FILE#2`` is its second."""
    check(scope)
    path, number = name, 1
    report = re.fullmatch(r"(.+)#(\d{1,9})", name)
    if report is not None and not os.path.exists(name):
        path, number = report[1], int(report[2])
    # What reads logs, with its patterns, is needed for this only.
    from oomctl.oomlog import sources

    called = sources.called(path)
    with sources.opened(path) as stream:
        begins_with = _beginning(stream, called)
        content = b""
        if path == name and begins_with in (b"{", b"["):
            content = _read(stream, called)
            # Time stamps of the kernel stand in brackets, as lists do.
            if begins_with == b"{" or _is_json(content):
                return _from_document(content, called, scope)
        return _from_log(sources.blocks_of(stream, called, content), called, number, scope)


def _beginning(stream: io.BufferedReader, called: str) -> bytes:
    """Return the first byte that is not blank, without taking it out of the stream."""
    try:
        first = stream.peek(1)
    except OSError as error:
        raise BadInput(f"{called}: {error.strerror or error}") from None
    if not first:
        raise BadInput(f"{called}: empty; expected what oomctl snapshot prints, or a kernel log")
    return first.lstrip()[:1]


def _read(stream: io.BufferedReader, called: str) -> bytes:
    """Return what may be a document: all of it, or one byte more than the largest one has."""
    try:
        return stream.read(documents.LARGEST_DOCUMENT + 1)
    except OSError as error:
        raise BadInput(f"{called}: {error.strerror or error}") from None


def _is_json(content: bytes) -> bool:
    try:
        documents.values_of(content)
    except BadInput:
        return False
    return True


def _from_log(blocks: Iterator[bytes], called: str, number: int, scope: Shortage) -> Question:
    if any(scope):
        raise BadInput("a kernel log says which memory ran out; --cgroup, --nodes and --for do not go with it")
    from oomctl.oomlog.parser import parse_blocks
    from oomctl.oomlog.replay import scenario_of

    report = next((report for report in parse_blocks(blocks) if report.number == number), None)
    if report is None:
        if number == 1:
            raise NothingMatched(
                f"{called}: no OOM report in it, and no scenario document (oomctl snapshot prints one)"
            )
        raise NothingMatched(f"{called}: it has no OOM report number {number}")
    try:
        return Question(scenario_of(report), None, None)
    except BadInput as error:
        raise BadInput(f"{called}: report {number}: {error}") from None


def _from_document(content: bytes, name: str, scope: Shortage) -> Question:
    try:
        document = documents.parse(content)
    except BadInput as error:
        raise BadInput(f"{name}: {error}") from None
    for field in document.unknown_fields[:5]:
        complain(f"{name}: {field}: unknown field, ignored")
    scenario = document.scenario
    if scope.nearest_for is not None:
        raise BadInput("--for asks what is left under live limits; a document does not say (use --cgroup or --nodes)")
    context = scenario.context
    if scope.cgroup is not None:
        cgroup = "/" + scope.cgroup.strip("/")
        if cgroup not in document.memcgs:
            raise ImpossibleHere(f"cgroup {cgroup}: the document has no limits for it")
        total = memcg_totalpages(document.memcgs[cgroup])
        context = context._replace(constraint=Constraint.MEMCG, memcg=cgroup, totalpages=total or context.totalpages)
        return Question(scenario._replace(context=context), None, None, unlimited=total is None)
    if scope.nodes is not None:
        allowed = numa.parse_list(scope.nodes)
        if allowed - document.nodes.keys():
            known = ", ".join(map(str, sorted(document.nodes))) or "none"
            raise BadInput(f"--nodes {scope.nodes}: the document knows the nodes {known}")
        rules = rules_for(scenario.kernel)
        totalpages = nodes_totalpages(document.nodes, allowed, document.swap_total_pages, rules)
        context = confined_to_nodes(context, allowed, totalpages, scope.mempolicy)
    return Question(scenario._replace(context=context), None, None)


def find_tasks(question: Question, target: Target) -> list[Task]:
    """Return the tasks of the scenario that a target matches."""
    tasks = question.scenario.tasks
    tasks_found = matching([target], tasks, question.procfs)[target]
    if not tasks_found:
        raise NothingMatched(no_match(target.word, question.scenario.hidden))
    return tasks_found


def _of_limit(limit: Limit) -> Shortage:
    if limit.kind is LimitKind.MEMCG:
        return Shortage(cgroup=limit.memcg)
    return Shortage(nodes=",".join(map(str, sorted(limit.allowed)))) if limit.kind is LimitKind.NODES else Shortage()


def _one_task(procfs: Procfs, target: Target) -> Task:
    """Return the biggest process that ``target`` matches."""
    tasks: Sequence[Task]
    if target.kind is TargetKind.PID:
        tasks = procfs.tasks([int(target.value)]).read
    else:
        tasks = matching([target], procfs.tasks().read, procfs)[target]
    if not tasks:
        raise NothingMatched(f"{target.word}: no process matches")
    return max(tasks, key=lambda task: task.rss_pages + task.swap_pages)


def _cgroup_of_unit(procfs: Procfs, name: str) -> str:
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
    # Nothing is written, so nobody has to be kept from writing it.
    scope = Scope(any_user=True, force=True)
    return select([target], question.scenario.tasks, question.procfs, adj, scope).meant
