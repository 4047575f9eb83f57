"""``oomctl top``: the ranking of likely victims."""

from __future__ import annotations

import re
import shutil
import sys
from typing import Any

import click

from oomctl import targets as target_words
from oomctl.commands.listing import machine_line, ranked_rows, with_details
from oomctl.commands.options import (
    NumbersAsArguments,
    cgroup_option,
    emit,
    format_options,
    machine_procfs,
    output_format,
    unescaped,
)
from oomctl.errors import BadInput, NothingMatched
from oomctl.kernel.selection import scan
from oomctl.model import Scenario
from oomctl.procfs import survey
from oomctl.procfs.details import user_name
from oomctl.procfs.reader import Procfs
from oomctl.render import fields, ranking

_LINES_AROUND = 4  # the summary, the header, the note below and the prompt


class Lines(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.4
    """How many rows: a number, or ``all``."""

    name = "lines"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        if value == "all":
            return sys.maxsize
        if re.fullmatch(r"0*[1-9]\d{0,8}", str(value), re.ASCII):
            return int(value)
        raise click.BadParameter(f"{value!r} is neither a number of rows from 1 on nor 'all'", ctx, param)


@click.command(cls=NumbersAsArguments)
@click.argument("words", metavar="[TARGET]...", nargs=-1)
@click.option("-n", "-N", "--lines", "--num", "lines", type=Lines(), help="Show this many; all by default in a pipe.")
@click.option("--sort", "-s", "sort_key", metavar="FIELD", help="Sort by another field than badness.")
@click.option("-o", "columns", metavar="FIELD,...", help="Show these columns.")
@click.option("-u", "--user", metavar="USER", help="Only this user's processes.")
@click.option("--once", is_flag=True, help="Print one list and end.")
@cgroup_option
@format_options(*ranking.FORMATS)
def top(
    words: tuple[str, ...],
    lines: int | None,
    sort_key: str | None,
    columns: str | None,
    user: str | None,
    once: bool,
    cgroup: str | None,
    wanted: str | None,
    as_json: bool,
) -> int:
    """Rank processes by how soon the OOM killer would take them.

    The order is the kernel's own (badness in pages), not the rounded oom_score. Processes that can
    never be chosen come last, without a rank. TARGETs limit the list; ranks stay those among all.

    \b
    oomctl top -n 10
    oomctl top -o pid,oom,oomadj,rss,comm --sort rss
    oomctl top --cgroup /system.slice/postgresql.service
    oomctl top --json | jq '.processes[0].pid'
    """
    output = output_format(wanted, as_json)
    shown = fields.find_all(columns or ",".join(fields.DEFAULT))
    sort_field = fields.find(sort_key) if sort_key else None
    wanted_targets = [target_words.parse(word) for word in unescaped(words)]
    if user is not None:
        _check_user(user)
    if lines is None and output == "table":
        lines = max(shutil.get_terminal_size().lines - _LINES_AROUND, 5)

    procfs = machine_procfs()
    # Those who can never be chosen come last: a list of all has them, the first few do not.
    every = lines in (None, sys.maxsize) or wanted_targets or user is not None or sort_field
    scenario = _read(procfs, cgroup, None if every else lines)
    found = scan(scenario.tasks, scenario.context, procfs.rules)
    rows = ranked_rows(found)
    if wanted_targets:
        matches = target_words.matching(wanted_targets, scenario.tasks, procfs).values()
        pids = {task.pid for tasks in matches for task in tasks}
        rows = [row for row in rows if row.task.pid in pids]
    if user is not None:
        rows = [row for row in rows if user in (user_name(row.task.uid), str(row.task.uid))]
    if (wanted_targets or user is not None) and not rows:
        raise NothingMatched(f"no process matches {_asked_for(unescaped(words), user)}")
    cmdlines = output == "json" or any(field.name == "cmdline" for field in (*shown, sort_field) if field)
    if sort_field:
        rows = fields.sort_rows(with_details(rows, procfs, cmdlines), sort_field, procfs.page_size)
    rows = with_details(rows[:lines], procfs, cmdlines)
    machine = machine_line(scenario, procfs)._replace(
        candidates=len(found.ranking) + scenario.unread_candidates,
        unkillable=len(found.spared) + scenario.unread_unkillable,
    )
    emit(ranking.render(rows, shown, machine, output))
    return 0


def _read(procfs: Procfs, cgroup: str | None, lines: int | None) -> Scenario:
    """Read as little as the question needs: with ``lines``, only what can be among the first ones."""
    if cgroup is not None:
        return survey.memcg(procfs, cgroup)[0]
    return survey.machine(procfs) if lines is None else survey.machine_front(procfs, lines, contenders=False)


def _asked_for(words: list[str], user: str | None) -> str:
    owner = [] if user is None else [f"user {user}"]
    return " of ".join([" ".join(words), *owner] if words else owner)


def _check_user(user: str) -> None:
    import pwd

    try:
        if not user.isdigit():
            pwd.getpwnam(user)
    except KeyError:
        raise BadInput(f"user {user!r}: no such user on this machine") from None
