"""What if: processes more or less, grown ones, other adjs, all in the model; and whether there is room for that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from oomctl.kernel import whatif
from oomctl.kernel.execution import freed_pages
from oomctl.model.kernel import Scenario, Task
from oomctl.model.limits import Demand
from oomctl.procfs.reach import room
from oomctl.scenario.question import Question, find_tasks, tasks_to_set
from oomctl.targets.matching import matching
from oomctl.targets.words import Target


class Supposed(NamedTuple):
    """What the options suppose; sizes in bytes."""

    adjs: Sequence[tuple[Target, int]] = ()
    growths: Sequence[tuple[Target, int]] = ()
    added: Sequence[tuple[int, int]] = ()
    """Size and adj of each."""
    gone: Sequence[Target] = ()


class Supposition(NamedTuple):
    """What comes of it."""

    scenario: Scenario
    demand: Demand | None = None
    """Whether what is added and grown fits; None where nothing is, and for a document, which has no limits."""
    at_most: Scenario | None = None
    """Where it does not fit: with all that it could get at most, for what is left can only be estimated."""


def suppose(scenario: Scenario, question: Question, supposed: Supposed) -> Supposition:
    """Change the scenario: first who is there, then how big, then which adj.

    What does not fit gets what is left: no process can have more when the memory runs out.
    """
    if question.procfs is None or not (supposed.added or supposed.growths):
        return Supposition(_changed(scenario, question, supposed, _Space(None)))
    limit, page = room(question.procfs, scenario.context), scenario.page_size
    space = _Space(limit.left_bytes // page)
    changed = _changed(scenario, question, supposed, space)
    demand = Demand(space.asked * page, space.left * page, space.short * page, limit)
    if not space.short:
        return Supposition(changed, demand)
    at_most = _changed(scenario, question, supposed, _Space(scenario.context.left_pages))
    return Supposition(changed, demand, at_most)


def only_of_those_there(question: Question, supposed: Supposed) -> tuple[Supposed, tuple[str, ...]]:
    """Leave out what is supposed of targets that match nothing; returns their words as well."""
    adjs, growths, gone = supposed.adjs, supposed.growths, supposed.gone
    targets = dict.fromkeys((*gone, *(target for target, _ in (*growths, *adjs))))
    there = matching(targets, question.scenario.tasks, question.procfs)
    kept = supposed._replace(
        adjs=[pair for pair in adjs if there[pair[0]]],
        growths=[pair for pair in growths if there[pair[0]]],
        gone=[target for target in gone if there[target]],
    )
    return kept, tuple(target.word for target in targets if not there[target])


def _changed(scenario: Scenario, question: Question, supposed: Supposed, space: _Space) -> Scenario:
    page = scenario.page_size
    for target in supposed.gone:
        for task in find_tasks(question, target):
            space.give(freed_pages([task], scenario))
            scenario = whatif.without(scenario, task.pid)
    for size, adj in supposed.added:
        scenario = _with_added(scenario, _pages(size, page), adj, space)
    for target, size in supposed.growths:
        for task in _still_there(scenario, find_tasks(question, target)):
            scenario = _with_grown(scenario, task, _pages(size, page), space)
    for target, adj in supposed.adjs:
        meant = _still_there(scenario, tasks_to_set(question, target, adj))
        scenario = whatif.with_adjs(scenario, {task.pid: adj for task in meant}) if meant else scenario
    return scenario


class _Space:
    """Pages that are left for what is supposed; any number of them where that is not known."""

    def __init__(self, left: int | None) -> None:
        self._limited = left is not None
        self.left = left or 0
        self.asked = self.short = 0

    def give(self, pages: int) -> None:
        self.left += pages

    def take(self, asked: int, tables: int = 0) -> int:
        """Return how many of the pages that are ``asked`` for, and of those for page tables, can be had."""
        wanted = asked + tables
        got = min(wanted, self.left) if self._limited else wanted
        self.asked += asked
        self.short += wanted - got
        self.left -= got if self._limited else 0
        return got


def _with_added(scenario: Scenario, pages: int, adj: int, space: _Space) -> Scenario:
    wanted = whatif.pages_with_tables(pages, scenario.page_size)
    got = space.take(pages, wanted - pages)
    if got < wanted:
        pages = whatif.pages_within(got, scenario.page_size)
    return whatif.with_more_left(whatif.with_process(scenario, pages, adj), -got)


def _with_grown(scenario: Scenario, task: Task, pages: int, space: _Space) -> Scenario:
    got = space.take(pages)
    return whatif.with_more_left(whatif.with_growth(scenario, task.pid, got), -got)


def _still_there(scenario: Scenario, tasks: list[Task]) -> list[Task]:
    """Leave out what is gone."""
    pids = {task.pid for task in scenario.tasks}
    return [task for task in tasks if task.pid in pids]


def _pages(size_bytes: int, page_size: int) -> int:
    return -(-size_bytes // page_size)
