"""``oomctl simulate``: a dry run of the kernel's choice."""

from __future__ import annotations

from collections.abc import Sequence

import click

from oomctl.cli.options import color_option, format_options, output_format, shortage_options
from oomctl.cli.parameters import (
    SIZE,
    TARGET,
    Addition,
    AdditionType,
    AdjOfTarget,
    NumbersAsArguments,
    SizeOfTarget,
    unescaped,
)
from oomctl.commands.asking import ALL_ROUNDS, Asked, answered, known, status_of
from oomctl.console import complain, emit_answer, emit_parts, terminal_width
from oomctl.kernel.rules import rules_for
from oomctl.model.kernel import Round
from oomctl.procfs.machine import machine_procfs
from oomctl.procfs.podnames import PodNames
from oomctl.render import candidates, podnames, reasons
from oomctl.render import simulation as render
from oomctl.scenario import question as questions
from oomctl.scenario.supposed import Supposed
from oomctl.targets.words import Target

_NEAREST = 5


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
    type=click.IntRange(1, ALL_ROUNDS),
    default=1,
    metavar="N",
    help="Kill this many times.",
)
@click.option("--free", "goal", type=SIZE, help="Go on killing until this much is freed.")
@click.option("--allocating", type=TARGET, help="The task whose allocation fails (oom_kill_allocating_task).")
@click.option("--sudden", is_flag=True, help="It comes at once, as by SysRq f: without reclaim before it.")
@click.option("--kernel", metavar="RELEASE", help="By the rules of another kernel: 4.14, 6.1.20, rhel8.1.")
@click.option(
    "--from",
    "given",
    metavar="FILE",
    multiple=True,
    help="Ask a snapshot, or a kernel log (FILE#2: the second in it); several, or a directory: a line for each.",
)
@click.argument("more", nargs=-1, metavar="[FILE]...")
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
    given: tuple[str, ...],
    more: tuple[str, ...],
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
    oomctl simulate --from snapshots/ --set postgres=-900
    """
    podnames.ask(PodNames())
    output = output_format(wanted, as_json)
    if kernel:
        rules_for(kernel)  # BadInput before anything is read
    scope, origin = questions.Shortage(cgroup, nodes, mempolicy, nearest_for), render.Origin()
    asked = Asked(scope, Supposed(adjs, growths, added, gone), count, goal, allocating, sudden, kernel)
    files = _with_more(given, more)
    if files:
        # What reads logs, with its patterns, is needed for this only.
        from oomctl.scenario.files import are_several, host_of
        from oomctl.scenario.source import from_file

        if are_several(files):
            from oomctl.commands.hosts import ask_all

            return ask_all(files, asked, output)
        question = from_file(files[0], scope)
        origin = render.Origin(host_of(files[0]), files[0])
    else:
        question = questions.live(machine_procfs(), scope, _NEAREST if asked.plain and output != "tsv" else None)
    answer = answered(question, asked)
    if output == "json":
        emit_parts(render.document(answer, origin))
    elif output == "tsv":
        _list(answer.rounds, question)
    else:
        emit_answer(render.text(answer, terminal_width()))
    return status_of(answer.rounds[0])


def _with_more(given: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    """Return all files: of ``--from *.json`` the shell makes one value and further words."""
    if more and not given:
        plural = "s" if len(more) > 1 else ""
        raise click.UsageError(f"Got unexpected extra argument{plural} ({' '.join(map(unescaped, more))})")
    return (*given, *map(unescaped, more))


def _list(results: Sequence[Round], question: questions.Question) -> None:
    """Print every candidate; where none would be killed the lines cannot say why."""
    first = results[0]
    rows = known(candidates.in_order(results), first, question)
    emit_parts(candidates.tsv(results, rows, question.scenario.page_size))
    if first.victim is None:
        complain(f"simulate: {first.outcome.value}: {reasons.ended(first.reason)}")
