"""What ``simulate`` and ``snapshot`` are asked about: live, or a document; the machine, a cgroup, some nodes."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from typing import NamedTuple

from oomctl import scenario as documents
from oomctl import targets as target_words
from oomctl.cli import complain
from oomctl.commands.listing import machine_line
from oomctl.commands.options import unescaped
from oomctl.errors import BadInput, ImpossibleHere, NothingMatched
from oomctl.kernel.constraint import memcg_totalpages, nodes_totalpages
from oomctl.kernel.rules import rules_for
from oomctl.model import Constraint, Scenario, Task
from oomctl.procfs import nodes as numa
from oomctl.procfs import survey
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.reach import Limit, limits_above
from oomctl.procfs.reader import Procfs
from oomctl.render.ranking import Machine


class Scope(NamedTuple):
    """Which memory runs out, as the options say it."""

    cgroup: str | None = None
    nodes: str | None = None
    mempolicy: bool = False
    nearest_for: str | None = None


class Question(NamedTuple):
    scenario: Scenario
    procfs: Procfs | None
    """None for a document."""
    machine: Machine | None
    unlimited: bool = False
    """The cgroup asked about has no limit of its own."""
    limits: tuple[Limit, ...] = ()
    """With ``--for``: every limit above the target, the nearest first."""


def check(scope: Scope) -> None:
    """Refuse scopes that contradict each other."""
    given = [name for name, value in scope._asdict().items() if value and name != "mempolicy"]
    if len(given) > 1:
        names = " and ".join({"nearest_for": "--for"}.get(name, f"--{name}") for name in given)
        raise BadInput(f"{names} ask about different memory; give one of them")
    if scope.mempolicy and not scope.nodes:
        raise BadInput("--mempolicy says how --nodes are confined; give --nodes as well")


def live(procfs: Procfs, scope: Scope, nearest: int | None = None) -> Question:
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


def from_file(name: str, scope: Scope) -> Question:
    """Ask about a scenario document (``-`` is stdin), or a kernel log's report: ``FILE#2`` is its second."""
    check(scope)
    path, number = name, 1
    report = re.fullmatch(r"(.+)#(\d{1,9})", name)
    if report is not None and not os.path.exists(name):
        path, number = report[1], int(report[2])
    elif name == "-" or _is_document(name):
        return _from_document(name, scope)
    if any(scope):
        raise BadInput("a kernel log says which memory ran out; --cgroup, --nodes and --for do not go with it")
    from oomctl.commands.history import report_of_log  # the parser and its patterns are needed for this only
    from oomctl.oomlog.replay import scenario_of

    return Question(scenario_of(report_of_log(path, number)), None, None)


def _is_document(path: str) -> bool:
    """A scenario document is a JSON object; everything else is taken for a log."""
    try:
        with open(path, "rb") as file:
            return file.read(512).lstrip()[:1] in (b"{", b"[", b"")
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None


def _from_document(path: str, scope: Scope) -> Question:
    name = "stdin" if path == "-" else path
    try:
        document = documents.parse(_read(path))
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
        context = context._replace(
            constraint=Constraint.MEMPOLICY if scope.mempolicy else Constraint.CPUSET,
            totalpages=nodes_totalpages(document.nodes, allowed, document.swap_total_pages, rules),
            current_mems=None if scope.mempolicy else allowed,
            nodemask=allowed if scope.mempolicy else None,
        )
    return Question(scenario._replace(context=context), None, None)


def find_tasks(question: Question, word: str) -> list[Task]:
    """Return the tasks of the scenario that a target matches."""
    target = target_words.parse(unescaped([word])[0])
    tasks = question.scenario.tasks
    found = target_words.matching([target], tasks, question.procfs)[target]
    if not found:
        raise NothingMatched(target_words.no_match(word, question.scenario.hidden))
    return found


def _of_limit(limit: Limit) -> Scope:
    if limit.kind == "memcg":
        return Scope(cgroup=limit.memcg)
    return Scope(nodes=",".join(map(str, sorted(limit.allowed)))) if limit.kind == "nodes" else Scope()


def _one_task(procfs: Procfs, word: str) -> Task:
    """Return the biggest process that ``word`` matches."""
    target = target_words.parse(unescaped([word])[0])
    tasks: Sequence[Task]
    if target.kind == "pid":
        tasks = procfs.tasks([int(target.value)]).read
    else:
        tasks = target_words.matching([target], procfs.tasks().read, procfs)[target]
    if not tasks:
        raise NothingMatched(f"{word}: no process matches")
    return max(tasks, key=lambda task: task.rss_pages + task.swap_pages)


def _cgroup_of_unit(procfs: Procfs, name: str) -> str:
    """Turn a unit's name into its cgroup; a path stays as it is."""
    memcgs = Memcgs.of(procfs)
    if "/" in name or memcgs is None:
        return name
    target = target_words.parse(name)
    if target.kind != "unit":
        return name
    for task in target_words.matching([target], procfs.tasks().read, procfs)[target]:
        path = memcgs.path_of_pid(task.pid)
        if path is not None and name in path.split("/"):
            return path[: path.index(name) + len(name)]
    raise ImpossibleHere(f"unit {name}: no process of it runs in a memory cgroup of its own")


def _read(path: str) -> bytes:
    largest = documents.LARGEST_DOCUMENT + 1
    if path == "-":
        if sys.stdin is None:
            raise BadInput("it is closed")
        return sys.stdin.buffer.read(largest)
    try:
        with open(path, "rb") as file:
            return file.read(largest)
    except OSError as error:
        raise BadInput(str(error.strerror)) from None


def tasks_to_set(question: Question, word: str, adj: int) -> list[Task]:
    """Return the tasks that ``oomctl set --any-user --force ADJ word`` would change."""
    find_tasks(question, word)
    target = target_words.parse(unescaped([word])[0])
    # Nothing is written, so nobody has to be kept from writing it.
    scope = target_words.Scope(any_user=True, force=True)
    return target_words.select([target], question.scenario.tasks, question.procfs, adj, scope).meant
