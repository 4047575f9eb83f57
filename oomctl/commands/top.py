"""``oomctl top``: the ranking of likely victims."""

from __future__ import annotations

import math
import os
import re
import sys
from typing import Any

import click

from oomctl.cli.options import cgroup_option, color_option, format_options, output_format
from oomctl.cli.parameters import TARGET, NumbersAsArguments
from oomctl.console import complain, emit_parts, in_colour, this_run
from oomctl.errors import BadInput
from oomctl.kernel.selection import ranked_rows, scan
from oomctl.live.ask import Ask, has_cmdlines, has_interactive_view, shows_cmdlines
from oomctl.model.kernel import Scenario
from oomctl.procfs import survey
from oomctl.procfs.details import with_details
from oomctl.procfs.machine import machine_line, machine_procfs
from oomctl.procfs.podnames import PodNames
from oomctl.procfs.reader import Procfs
from oomctl.render import fields, palette, podnames, ranking
from oomctl.targets.matching import nobody_visible
from oomctl.targets.words import Target, names_cgroup

_LINES_AROUND = 4  # the summary, the header, the note below and the prompt


class Lines(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.4
    """How many rows: a number, or ``all``."""

    name = "lines"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """Return the number; ``sys.maxsize`` for all."""
        if value == "all":
            return sys.maxsize
        if re.fullmatch(r"0*[1-9]\d{0,8}", str(value), re.ASCII):
            return int(value)
        raise click.BadParameter(f"{value!r} is neither a number of rows from 1 on nor 'all'", ctx, param)


class Delay(click.FloatRange):
    """Seconds; click's own range lets ``nan`` through."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds, in the range."""
        seconds = float(super().convert(value, param, ctx))
        if math.isnan(seconds):
            self.fail(f"{value!r} is not a number of seconds", param, ctx)
        return seconds


class TellsFieldsAndKeys(NumbersAsArguments):
    """Its help has what ``-o`` takes and what keys do; the options stay last, where a terminal has not scrolled."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from oomctl.tui.keys import KEYS, MOVING  # a table without textual

        with formatter.section("Fields for -o and --sort, and their titles"):
            formatter.write_dl(
                [(field.called, f"{field.title}: {fields.MEANINGS[field.name]}") for field in fields.FIELDS]
            )
        with formatter.section("Keys of the live view (with the extra oomctl[tui])"):
            formatter.write_dl([*MOVING, *((key.shown, key.meaning) for key in KEYS)])
        super().format_options(ctx, formatter)


@click.command(cls=TellsFieldsAndKeys)
@click.argument("targets", type=TARGET, metavar="[TARGET]...", nargs=-1)
@click.option("-n", "-N", "--lines", "--num", "lines", type=Lines(), help="Show this many; all by default in a pipe.")
@click.option("--sort", "-s", "sort_key", metavar="FIELD", help="Sort by a field other than badness; -FIELD reverses.")
@click.option("-r", "--reverse", is_flag=True, help="Reverse the order: last first.")
@click.option("-o", "columns", metavar="FIELD,...", help="Show these columns.")
@click.option("-u", "--user", metavar="USER", help="Only this user's processes.")
@click.option("--once", is_flag=True, help="Print one list and end, as without a terminal.")
@click.option(
    *("-d", "--delay", "delay_s"),
    type=Delay(0.1, 3600),
    default=2.0,
    show_default=True,
    metavar="SECS",
    help="Seconds between two refreshes.",
)
@click.option("--simple", is_flag=True, help="Only refresh the list, as without the extra oomctl[tui].")
@click.option(
    "--theme",
    type=click.Choice(("auto", *palette.THEMES)),
    default="auto",
    envvar="OOMCTL_THEME",
    help="Colours of the interactive view: dark, light or the terminal's own.",
)
@cgroup_option
@color_option
@format_options(*ranking.FORMATS)
def top(
    targets: tuple[Target, ...],
    lines: int | None,
    sort_key: str | None,
    reverse: bool,
    columns: str | None,
    user: str | None,
    once: bool,
    delay_s: float,
    simple: bool,
    theme: str,
    cgroup: str | None,
    wanted: str | None,
    as_json: bool,
) -> int:
    """Rank processes by how soon the OOM killer would kill them.

    The order is the kernel's own (badness in pages), not the rounded oom_score. Processes that can
    never be chosen come last, without a rank. TARGETs limit the list; ranks stay those among all.
    On a terminal the list is refreshed until q or Ctrl-C is pressed; --once, --format and --json
    print it once. With the extra oomctl[tui] installed, keys sort, filter, explain and change: ? lists them.

    \b
    oomctl top -n 10
    oomctl top -o pid,oom,oomadj,rss,comm --sort rss
    oomctl top --cgroup /system.slice/postgresql.service
    oomctl top --json | jq '.processes[0].pid'
    """
    podnames.ask(PodNames())
    output = output_format(wanted, as_json)
    if user is not None:
        _check_user(user)
    as_list = once or as_json or wanted or not _on_a_terminal()
    shown = fields.find_all(columns or ",".join(fields.DEFAULT))
    if columns is None and (output == "table" or not as_list):
        shown = fields.with_command_lines(shown)
    if columns is None and not as_list:
        shown = fields.with_growth(shown)
    sort_field, turned = fields.order_of(sort_key) if sort_key else (None, False)
    if as_list:
        _check_that_one_look_tells(*shown, *([sort_field] if sort_field else []))
    ask = Ask(shown, sort_field, lines, targets, user, cgroup, reverse=reverse != turned)
    if as_list:
        return _once(ask, output)
    return _live(ask, delay_s, simple, theme)


def _on_a_terminal() -> bool:
    """Whether somebody can watch, and type, and the terminal can draw anew what it showed."""
    stdin = sys.stdin is not None and sys.stdin.isatty()
    return stdin and sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown")


def _live(ask: Ask, delay_s: float, simple: bool, theme: str) -> int:
    """Show the list until the user has seen enough, to be acted on where the extra is installed."""
    from oomctl.procfs.sampler import Sampler

    # rich and textual ask the environment.
    if this_run.colour == "never":
        os.environ["NO_COLOR"] = "1"
    elif this_run.colour == "always":
        os.environ.pop("NO_COLOR", None)
    drawable = sys.stderr is not None and sys.stderr.isatty()  # where textual draws
    sampler = Sampler(machine_procfs, ask.cgroup)
    if simple or not drawable or not has_interactive_view():
        from oomctl.live.simple import run

        return run(ask, sampler, delay_s)
    from oomctl.live.preview import shown_at_once
    from oomctl.live.shot import first_shot

    first = first_shot(sampler, ask)
    theme = palette.theme_for(os.environ) if theme == "auto" else theme
    with shown_at_once(first, ask, palette.THEMES[theme]):
        from oomctl.tui.app import run as run_interactive
    return run_interactive(ask, sampler, delay_s, first, theme)


def _once(ask: Ask, output: str) -> int:
    """Print one list."""
    lines = ask.lines
    if lines is None and output == "table" and (sys.stdout.isatty() or this_run.colour != "always"):
        import shutil

        lines = max(shutil.get_terminal_size().lines - _LINES_AROUND, 5)
    procfs = machine_procfs()
    # Those who can never be chosen come last: a list of all has them, the first few do not.
    every = lines in (None, sys.maxsize) or ask.limits or ask.sort or ask.reverse
    scenario = _read(procfs, ask, None if every else lines)
    order = scan(scenario.tasks, scenario.context, procfs.rules)
    rows = ranked_rows(order.ranking, order.spared)
    only = ask.pids(scenario, procfs)
    if only is not None:
        rows = [row for row in rows if row.task.pid in only]
        if not rows:
            raise ask.nothing_matched()
    cmdlines = output == "json" or has_cmdlines(*ask.fields, ask.sort)
    if ask.sort:
        rows = with_details(rows, procfs, cmdlines)
    if ask.sort or ask.reverse:
        rows = fields.sort_rows(rows, ask.sort or fields.find("rank"), procfs.page_size, ask.reverse)
    rows = with_details(rows[:lines], procfs, cmdlines or shows_cmdlines(ask.fields))
    machine = machine_line(scenario, procfs)._replace(
        candidates=len(order.ranking) + scenario.unread_candidates,
        unkillable=len(order.spared) + scenario.unread_unkillable,
    )
    highest = order.ranking[0].badness if order.ranking else 0
    emit_parts(ranking.render(rows, ask.fields, machine, highest, output, in_colour()))
    if not rows and scenario.hidden and output != "json":  # which has the number
        complain(*nobody_visible(scenario.hidden))
    return 0


def _read(procfs: Procfs, ask: Ask, lines: int | None) -> Scenario:
    """Read as little as the question needs: with ``lines``, only what can be among the first ones."""
    if ask.cgroup is not None:
        return survey.memcg(procfs, ask.cgroup)[0]
    if lines is None:
        return survey.machine(procfs, cgroups=names_cgroup(ask.targets))
    return survey.machine_front(procfs, lines, contenders=False)


def _check_that_one_look_tells(*asked: fields.Field) -> None:
    for field in asked:
        if field.name in fields.LIVE_ONLY:
            raise BadInput(f"{field.name} cannot be told from one look: only the live view, on a terminal, has it")


def _check_user(user: str) -> None:
    import pwd

    try:
        if not user.isdigit():
            pwd.getpwnam(user)
    except KeyError:
        raise BadInput(f"user {user!r}: no such user on this machine") from None
