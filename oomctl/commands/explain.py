"""``oomctl explain``: one process, every term of its badness, and what would change its fate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from oomctl import origins
from oomctl import targets as target_words
from oomctl.cli import complain
from oomctl.commands.listing import with_details
from oomctl.commands.options import NumbersAsArguments, cgroup_option, emit, json_option, machine_procfs, unescaped
from oomctl.commands.unit_targets import declared_values, resolved
from oomctl.errors import ANSWER_IS_NO, DONE, PARTLY_DONE, NotPermitted
from oomctl.journal import Journal
from oomctl.kernel.selection import ranked_rows, scan
from oomctl.kernel.whatif import first_adjs_that_win
from oomctl.model import Row, Task
from oomctl.procfs import survey
from oomctl.procfs.identity import identity
from oomctl.procfs.reader import Procfs
from oomctl.render import explanation as render


@click.command(cls=NumbersAsArguments)
@click.argument("words", metavar="TARGET...", nargs=-1, required=True)
@cgroup_option
@json_option
def explain(words: tuple[str, ...], cgroup: str | None, as_json: bool) -> int:
    """Explain where TARGETs stand with the OOM killer.

    Shows every term of the badness, the rank, why a process cannot be chosen if so, and which
    oom_score_adj would make it the first victim or save it. Says who probably set the present value and
    how sure that is (the kernel does not record it), and where the unit declares another one.

    \b
    oomctl explain postgres
    oomctl explain $$ --json
    """
    targets, _ = resolved([target_words.parse(word) for word in unescaped(words)])
    procfs = machine_procfs()
    scenario = survey.machine(procfs) if cgroup is None else survey.memcg(procfs, cgroup)[0]
    found = scan(scenario.tasks, scenario.context, procfs.rules)
    matches = target_words.matching(targets, scenario.tasks, procfs)
    unmatched = [target for target, tasks in matches.items() if not tasks]
    for target in unmatched:
        complain(target_words.no_match(target.word, scenario.hidden))
    if len(unmatched) == len(matches):
        return ANSWER_IS_NO
    wanted = {task.pid for tasks in matches.values() for task in tasks}
    rows = [row for row in ranked_rows(found.ranking, found.spared) if row.task.pid in wanted]
    rows = with_details(rows, procfs, cmdline=True)
    facts = facts_of(rows, procfs, declared_values([row.details for row in rows]), scenario.tasks)
    first_adjs = first_adjs_that_win(scenario, [row.task.pid for row in rows if row.candidate], procfs.rules)
    entries = [
        render.Entry(row, first_adjs.get(row.task.pid), origins.origin(known), known.declared)
        for row, known in zip(rows, facts, strict=True)
    ]
    answer = render.Explanation(scenario, entries, len(found.ranking))
    emit(render.document(answer) if as_json else render.text(answer))
    return PARTLY_DONE if unmatched else DONE


def facts_of(
    rows: Sequence[Row],
    procfs: Procfs,
    declared: Mapping[tuple[str | None, int | None], int],
    tasks: Sequence[Task] = (),
) -> list[origins.Facts]:
    """Return what tells who set each value.

    ``declared`` is what systemd says of the units, as far as it was asked; ``tasks`` are read already.
    """
    recorded = _recorded(procfs)
    known = {task.pid: task for task in tasks}
    ancestry = origins.Ancestry(lambda pid: known.get(pid) or identity(procfs, pid))

    def facts(row: Row) -> origins.Facts:
        parent = ancestry.parent(row.task)
        return origins.Facts(
            row.task,
            row.details,
            parent,
            ancestry.source(parent) if parent else None,
            declared.get((row.details.unit, row.details.manager_uid)),
            recorded.get((row.task.pid, row.task.start_ticks, row.task.adj)),
        )

    return [facts(row) for row in rows]


def _recorded(procfs: Procfs) -> dict[tuple[int, int, int], str]:
    """Return the command of oomctl that set a value, by PID, start time and the value."""
    try:
        entries = Journal.of_user().entries()
    except NotPermitted:  # explaining does not depend on it
        return {}
    boot_id = procfs.boot_id()
    return {
        (value.pid, value.start_ticks, value.after): entry.what
        for entry in entries
        if entry.boot_id == boot_id
        for value in entry.values
    }
