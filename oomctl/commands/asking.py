"""What ``simulate`` asks of one machine, live or in a snapshot, and who it is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from oomctl.errors import ANSWER_IS_NO, DONE, IMPOSSIBLE_HERE
from oomctl.kernel.invocation import certain_of_both, rounds
from oomctl.kernel.rules import rules_for
from oomctl.kernel.scenario_rules import rules_of
from oomctl.model.kernel import Outcome, Round, Task
from oomctl.model.listing import Row
from oomctl.procfs.details import with_details
from oomctl.render import simulation as render
from oomctl.scenario import question as questions
from oomctl.scenario.supposed import Supposed, suppose
from oomctl.targets.words import Target

ALL_ROUNDS = 10_000


class Asked(NamedTuple):
    """What the options ask, of whichever machine."""

    scope: questions.Shortage
    supposed: Supposed
    kills: int = 1
    """How many rounds."""
    goal: int | None = None
    """Bytes that are to be freed by as many rounds as that takes."""
    allocating: Target | None = None
    sudden: bool = False
    kernel: str | None = None

    @property
    def plain(self) -> bool:
        """Whether it is about the first kill of the machine as it is."""
        return self.kills == 1 and not (any(self.supposed) or self.allocating or self.goal or self.kernel)


def answered(question: questions.Question, asked: Asked) -> render.Answer:
    """Let the kernel's rules decide. NothingMatched: a target of the what-if is not there."""
    scenario = question.scenario
    if asked.kernel:
        scenario = scenario._replace(kernel=asked.kernel, read_from=scenario.read_from or scenario.kernel)
    rules = rules_for(asked.kernel) if asked.kernel else rules_of(scenario)
    if asked.allocating is not None:
        current = questions.find_tasks(question, asked.allocating)[0].pid
        scenario = scenario._replace(context=scenario.context._replace(current=current))
    if asked.sudden:
        scenario = questions.at_once(scenario)
    changed, demand, at_most = suppose(scenario, question, asked.supposed)
    free_pages = -(-asked.goal // scenario.page_size) if asked.goal else 0
    most = asked.kills if asked.kills > 1 or not asked.goal else ALL_ROUNDS
    results = rounds(changed, most, free_pages, rules)
    if at_most is not None:
        results = certain_of_both(results, rounds(at_most, most, free_pages, rules))
    supposes = changed is not scenario and not scenario.context.unlimited
    baseline = rounds(scenario, 1, rules=rules)[0] if supposes else None
    return render.Answer(
        changed,
        results,
        [_rows(result, question) for result in results],
        question.machine,
        baseline,
        question.limits,
        question.memory,
        demand,
        asked.goal,
    )


def status_of(first: Round) -> int:
    """Return the exit status that a first round ends in."""
    if first.outcome is Outcome.UNKNOWN:
        return IMPOSSIBLE_HERE
    return DONE if first.victim is not None else ANSWER_IS_NO


def known(tasks: Sequence[Task], result: Round, question: questions.Question) -> list[Row]:
    """Return all that is said of ``tasks``, judged as in ``result``."""
    judged = {candidate.task.pid: candidate for candidate in result.ranking}
    why_not = {spared.task.pid: spared.reason for spared in result.spared}
    plain = [Row(task, candidate=judged.get(task.pid), reason=why_not.get(task.pid)) for task in tasks]
    rows = [row._replace(details=row.details._replace(cgroup=row.task.memcg)) for row in plain]
    return rows if question.procfs is None else with_details(rows, question.procfs, cmdline=True)


def _rows(result: Round, question: questions.Question) -> render.Rows:
    """Complete what one round shows: the victim, and everyone killed."""
    victim = known([result.victim.task] if result.victim else [], result, question)
    return render.Rows(victim[0] if victim else None, known(result.killed, result, question))
