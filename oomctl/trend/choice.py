"""Whom the kernel takes when a limit is reached, and how sure that is for whatever rates are likely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from oomctl.kernel.badness import badness
from oomctl.kernel.certainty import may_be_first
from oomctl.kernel.invocation import out_of_memory
from oomctl.kernel.rules import Rules
from oomctl.kernel.scenario_rules import rules_of, rules_of_reading
from oomctl.kernel.selection import scan
from oomctl.kernel.whatif import with_growth, with_process
from oomctl.model.kernel import Certainty, Outcome, Scenario, Task
from oomctl.model.trend import Choice, Seconds, Sizes
from oomctl.trend.carry import carried
from oomctl.trend.line import Line
from oomctl.trend.outlook import Growth, Outlook, along

_AT_MOST = 10
"""Where a limit may never be reached, it is asked what would be then after so many times the time that is likely."""
_MOST_SURE = 0.95
"""Of what seems to be left no more than so much is."""
_NO_END = 1 << 62


class Room(NamedTuple):
    """What is left under a limit, and what becomes of it besides the growth of those who are there."""

    pages: int
    rest: Line
    """Pages used that are none of theirs: of processes that ended or will begin, of the kernel, of files."""
    doubtful: int = 0
    """So many of the pages may not be had in the end."""

    @property
    def sure(self) -> int:
        """So many of them are there."""
        return min(int(self.pages * _MOST_SURE), self.pages - self.doubtful)


def choice_then(scenario: Scenario, outlooks: Mapping[int, Outlook], left: Seconds, room: Room) -> Choice:
    """Return whom the kernel takes when ``room`` is used up.

    Certain only where nobody else can be first, neither at the earliest nor at the latest moment, the first at its
    slowest and all others at their fastest, nor anybody who begins meanwhile and gets all that is taken by the rest.
    """
    middle = {pid: one.growth(left.mid, room.pages).middle for pid, one in outlooks.items()}
    result = out_of_memory(carried(scenario, middle))
    if result.outcome is not Outcome.KILL or result.victim is None:
        return Choice(result)
    running = {task.pid for task in result.contenders}
    for seconds in (left.low, left.mid * _AT_MOST if left.high is None else left.high):
        running |= _in_the_running(scenario, outlooks, seconds, room)
    first = result.victim.task.pid
    contenders = [task for task in scenario.tasks if task.pid in running]
    contenders.sort(key=lambda task: task.pid != first)
    newcomer = any(pid < 0 for pid in running)
    certain = result.certainty is Certainty.CERTAIN and len(contenders) == 1 and not newcomer
    certainty = Certainty.CERTAIN if certain else Certainty.CLOSE
    result = result._replace(certainty=certainty, contenders=tuple(contenders), settled=False)
    return Choice(result, newcomer)


def _in_the_running(scenario: Scenario, outlooks: Mapping[int, Outlook], seconds: float, room: Room) -> set[int]:
    """Return the PIDs of those who may be first if the limit is reached in ``seconds``; a newcomer's is negative."""
    growths = {pid: one.growth(seconds, room.pages) for pid, one in outlooks.items()}
    rest = along(room.rest, seconds)
    # All of the room is taken by somebody: what no other can have had is one's own, and nobody has what others have.
    bound = scenario.context.left_pages
    surely = room.sure - max(rest.most, 0) - sum(_taken(one.most) for one in growths.values())
    shared = (_NO_END if bound is None else max(bound, room.pages)) - rest.least
    shared -= sum(_taken(one.least) for one in growths.values())
    least = carried(scenario, {pid: _at_least(one, surely) for pid, one in growths.items()})
    most = carried(scenario, {pid: _at_most(one, shared) for pid, one in growths.items()})
    rules, context = rules_of(scenario), least.context
    began = [task for task in most.tasks if task.pid in outlooks and outlooks[task.pid].began]
    most = _with_newcomers(most, began, max(min(rest.most, shared + rest.least), 0), rules)
    at_least, at_most = (scan(one.tasks, context, rules).ranking for one in (least, most))
    return {task.pid for task in may_be_first(at_least, at_most, context, rules_of_reading(scenario))}


def _with_newcomers(scenario: Scenario, began: Sequence[Task], pages: int, rules: Rules) -> Scenario:
    """Add who may begin meanwhile and get ``pages``: one out of nothing, and one more as those that ``began``.

    The next child has what its parent has, which takes no room, as the last one had.
    """
    scenario = with_process(scenario, pages)
    worst = max(began, key=lambda task: badness(task, scenario.context.totalpages, rules).badness, default=None)
    if worst is None:
        return scenario
    another = worst._replace(pid=min(task.pid for task in scenario.tasks) - 1, mm=None)
    return with_growth(scenario._replace(tasks=(*scenario.tasks, another)), another.pid, pages)


def _taken(growth: Sizes) -> int:
    """Return how much of the room a growth takes; files take none."""
    return growth.private + growth.shmem


def _at_least(growth: Growth, surely: int) -> Sizes:
    """Return the least growth of one process; ``surely``: the room less what all take at most."""
    return growth.least._replace(private=max(growth.least.private, surely + growth.most.private))


def _at_most(growth: Growth, shared: int) -> Sizes:
    """Return the most growth of one process; ``shared``: the room less what all take at least."""
    return growth.most._replace(private=min(growth.most.private, growth.least.private + max(shared, 0)))
