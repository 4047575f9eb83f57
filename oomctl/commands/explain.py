"""``oomctl explain``: one process, every term of its badness, and what would change its fate."""

from __future__ import annotations

from collections.abc import Sequence

import click

from oomctl.cli.options import cgroup_option, color_option, json_option
from oomctl.cli.parameters import TARGET, NumbersAsArguments
from oomctl.console import complain, emit, emit_answer, emit_text, terminal_width
from oomctl.errors import ANSWER_IS_NO, DONE, PARTLY_DONE, ImpossibleHere
from oomctl.kernel.constraint import memcg_totalpages
from oomctl.kernel.invocation import out_of_memory
from oomctl.kernel.selection import ranked_rows
from oomctl.kernel.whatif import first_adjs_that_win
from oomctl.model.kernel import Scenario
from oomctl.origins import known as origins
from oomctl.origins.facts import facts_of
from oomctl.procfs import survey
from oomctl.procfs.details import with_details
from oomctl.procfs.machine import machine_procfs
from oomctl.procfs.memorynow import memory_now
from oomctl.procfs.podnames import PodNames
from oomctl.procfs.reader import Procfs
from oomctl.render import explanation as render
from oomctl.render import podnames
from oomctl.targets.matching import matching, no_match
from oomctl.targets.units import declared_values, resolved
from oomctl.targets.words import Target, names_cgroup


@click.command(cls=NumbersAsArguments)
@click.argument("targets", type=TARGET, metavar="TARGET...", nargs=-1, required=True)
@cgroup_option
@color_option
@json_option
def explain(targets: tuple[Target, ...], cgroup: str | None, as_json: bool) -> int:
    """Explain where TARGETs stand with the OOM killer.

    Shows every term of the badness, the rank or why a process cannot be chosen, and which
    oom_score_adj would make it the first victim or save it. Says who probably set the present value and
    how sure that is (the kernel does not record it), and where the unit declares another one.

    \b
    oomctl explain postgres
    oomctl explain $$ --json
    """
    asked, _ = resolved(targets)
    procfs = machine_procfs()
    scenario = _read(procfs, cgroup, asked)
    result = out_of_memory(scenario, procfs.rules)
    matches = matching(asked, scenario.tasks, procfs)
    unmatched = [target for target, tasks in matches.items() if not tasks]
    for target in unmatched:
        complain(no_match(target.word, scenario.hidden))
    if len(unmatched) == len(matches):
        return ANSWER_IS_NO
    wanted = {task.pid for tasks in matches.values() for task in tasks}
    rows = [row for row in ranked_rows(result.ranking, result.spared) if row.task.pid in wanted]
    rows = with_details(rows, procfs, cmdline=True)
    facts = facts_of(rows, procfs, declared_values([row.details for row in rows]), scenario.tasks)
    first_adjs = first_adjs_that_win(scenario, [row.task.pid for row in rows if row.candidate], procfs.rules)
    entries = [
        render.Entry(row, first_adjs.get(row.task.pid), origins.origin(known), known.declared)
        for row, known in zip(rows, facts)
    ]
    podnames.ask(PodNames())
    memory = memory_now(procfs, scenario)
    answer = render.Explanation(scenario, entries, len(result.ranking), memory, result, procfs.meminfo.mem_total)
    if as_json:
        emit(render.document(answer))
    else:
        for index, paragraph in enumerate(render.paragraphs(answer, terminal_width())):
            emit("\n" if index else "")
            emit_answer(paragraph)
        emit_text("".join(f"\n{paragraph}" for paragraph in render.trigger(answer)))
    return PARTLY_DONE if unmatched else DONE


def _read(procfs: Procfs, cgroup: str | None, targets: Sequence[Target]) -> Scenario:
    if cgroup is not None:
        scenario, memcgs = survey.memcg(procfs, cgroup)
        path = scenario.context.memcg or "/"
        if memcg_totalpages(memcgs.limits(path)) is None:
            raise ImpossibleHere(
                f"cgroup {path} has no limit of its own; oomctl simulate --for TARGET finds those above it"
            )
        return scenario
    return survey.machine(procfs, cgroups=names_cgroup(targets))
