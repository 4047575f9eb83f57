"""``oomctl simulate``: a dry run of the kernel's choice."""

from __future__ import annotations

from collections.abc import Sequence

import click

from oomctl.cli.options import color_option, format_options, output_format, shortage_options
from oomctl.cli.parameters import SIZE, TARGET, Addition, AdditionType, AdjOfTarget, NumbersAsArguments, SizeOfTarget
from oomctl.console import complain, emit_answer, emit_parts, terminal_width
from oomctl.errors import ANSWER_IS_NO, DONE, IMPOSSIBLE_HERE
from oomctl.kernel.invocation import certain_of_both, rounds
from oomctl.kernel.rules import rules_for
from oomctl.kernel.scenario_rules import rules_of
from oomctl.model.kernel import Outcome, Round, Task
from oomctl.model.listing import Row
from oomctl.procfs.details import with_details
from oomctl.procfs.machine import machine_procfs
from oomctl.procfs.podnames import PodNames
from oomctl.render import candidates, podnames, reasons
from oomctl.render import simulation as render
from oomctl.scenario import question as questions
from oomctl.scenario.supposed import Supposed, suppose
from oomctl.targets.words import Target

_NEAREST = 5
_ALL_ROUNDS = 10_000


@click.command(cls=NumbersAsArguments)
@shortage_options
@click.option("--for", "nearest_for", type=TARGET, help="The limit that TARGET would hit first runs out.")
@click.option(
    "--set",
    "adjs",
    type=AdjOfTarget(),
    metavar="TARGET=ADJ",
    multiple=True,
    help="What if TARGET had this oom_score_adj.",
)
@click.option(
    "--grow",
    "growths",
    type=SizeOfTarget(),
    metavar="TARGET=SIZE",
    multiple=True,
    help="What if TARGET used SIZE more.",
)
@click.option(
    "--add",
    "added",
    type=AdditionType(),
    metavar="SIZE[@ADJ]",
    multiple=True,
    help="What if there was one more process.",
)
@click.option("--without", "gone", type=TARGET, multiple=True, help="What if TARGET was not there.")
@click.option(
    *("--rounds", "count"),
    type=click.IntRange(1, _ALL_ROUNDS),
    default=1,
    metavar="N",
    help="Kill this many times.",
)
@click.option("--free", "goal", type=SIZE, help="Go on killing until this much is freed.")
@click.option("--allocating", type=TARGET, help="The task whose allocation fails (oom_kill_allocating_task).")
@click.option("--sudden", is_flag=True, help="It comes at once, as by SysRq f: without reclaim before it.")
@click.option("--kernel", metavar="RELEASE", help="By the rules of another kernel: 4.14, 6.1.20, rhel8.1.")
@click.option("--from", "source", metavar="FILE", help="Ask a snapshot, or a kernel log (FILE#2: the second in it).")
@color_option
@format_options("tsv", "json", text="tsv: every candidate on a line, for cut and awk. Default: sentences.")
def simulate(
    cgroup: str | None,
    nodes: str | None,
    mempolicy: bool,
    nearest_for: Target | None,
    adjs: tuple[tuple[Target, int], ...],
    growths: tuple[tuple[Target, int], ...],
    added: tuple[Addition, ...],
    gone: tuple[Target, ...],
    count: int,
    goal: int | None,
    allocating: Target | None,
    sudden: bool,
    kernel: str | None,
    source: str | None,
    wanted: str | None,
    as_json: bool,
) -> int:
    """Predict which process would be killed if memory ran out now. Nothing is killed.

    Without a scope the whole machine runs out of memory. What-if options can be given several times and
    combined; they change only the model.

    \b
    oomctl simulate
    oomctl simulate --cgroup /docker/4f2a
    oomctl simulate --set java=-500 --grow postgres=2G
    oomctl simulate --add 8G@300 --rounds 3
    """
    podnames.ask(PodNames())
    output = output_format(wanted, as_json)
    scope = questions.Shortage(cgroup, nodes, mempolicy, nearest_for)
    rules = rules_for(kernel) if kernel else None
    plain = not (adjs or growths or added or gone or allocating or goal or rules or output == "tsv") and count == 1
    if source is not None:
        # What reads logs, with its patterns, is needed for this only.
        from oomctl.scenario.source import from_file

        question = from_file(source, scope)
    else:
        question = questions.live(machine_procfs(), scope, _NEAREST if plain else None)
    scenario = question.scenario
    if rules is not None and kernel is not None:
        scenario = scenario._replace(kernel=kernel, read_from=scenario.read_from or scenario.kernel)
    rules = rules or rules_of(scenario)
    if allocating is not None:
        current = questions.find_tasks(question, allocating)[0].pid
        scenario = scenario._replace(context=scenario.context._replace(current=current))
    if sudden:
        scenario = questions.at_once(scenario)
    changed, demand, at_most = suppose(scenario, question, Supposed(adjs, growths, added, gone))
    free_pages = -(-goal // scenario.page_size) if goal else 0
    most = count if count > 1 or not goal else _ALL_ROUNDS
    results = rounds(changed, most, free_pages, rules)
    if at_most is not None:
        results = certain_of_both(results, rounds(at_most, most, free_pages, rules))
    supposes = changed is not scenario and not scenario.context.unlimited
    baseline = rounds(scenario, 1, rules=rules)[0] if supposes else None
    answer = render.Answer(
        changed,
        results,
        [_rows(result, question) for result in results],
        question.machine,
        baseline,
        question.limits,
        question.memory,
        demand,
        goal,
    )
    if output == "json":
        emit_parts(render.document(answer))
    elif output == "tsv":
        _list(results, question)
    else:
        emit_answer(render.text(answer, terminal_width()))
    if results[0].outcome is Outcome.UNKNOWN:
        return IMPOSSIBLE_HERE
    return DONE if results[0].victim is not None else ANSWER_IS_NO


def _list(results: Sequence[Round], question: questions.Question) -> None:
    """Print every candidate; where none would be killed the lines cannot say why."""
    first = results[0]
    rows = _known(candidates.in_order(results), first, question)
    emit_parts(candidates.tsv(results, rows, question.scenario.page_size))
    if first.victim is None:
        complain(f"simulate: {first.outcome.value}: {reasons.ended(first.reason)}")


def _rows(result: Round, question: questions.Question) -> render.Rows:
    """Complete what one round shows: the victim, and everyone killed."""
    victim = _known([result.victim.task] if result.victim else [], result, question)
    return render.Rows(victim[0] if victim else None, _known(result.killed, result, question))


def _known(tasks: Sequence[Task], result: Round, question: questions.Question) -> list[Row]:
    """Return all that is said of ``tasks``, judged as in ``result``."""
    judged = {candidate.task.pid: candidate for candidate in result.ranking}
    why_not = {spared.task.pid: spared.reason for spared in result.spared}
    plain = [Row(task, candidate=judged.get(task.pid), reason=why_not.get(task.pid)) for task in tasks]
    known = [row._replace(details=row.details._replace(cgroup=row.task.memcg)) for row in plain]
    return known if question.procfs is None else with_details(known, question.procfs, cmdline=True)
