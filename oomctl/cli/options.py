"""Options that several commands have."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from oomctl.cli.failing import promise_json
from oomctl.console import COLOURS, this_run
from oomctl.errors import BadInput
from oomctl.guard.elsewhere import said

_Function = TypeVar("_Function", bound=Callable[..., Any])


def json_option(function: _Function) -> _Function:
    """Add ``--json``, as ``as_json``."""
    return click.option(
        # Eager, so that a mistake anywhere else on the command line is told in JSON as well.
        *("--json", "as_json"),
        is_flag=True,
        is_eager=True,
        callback=promise_json,
        help="Print one JSON document.",
    )(function)


def color_option(function: _Function) -> _Function:
    """Add ``--color``, which holds for this run of the program, whether a command or the group has it."""
    return click.option(
        "--color",
        type=click.Choice(COLOURS),
        metavar="WHEN",
        is_eager=True,
        expose_value=False,
        callback=_choose_colour,
        help="Colours and bold: auto (on a terminal, as NO_COLOR and its like say), always or never.",
    )(function)


def _choose_colour(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None and not context.resilient_parsing:
        this_run.colour = value


def elsewhere_options(hidden: bool = False) -> list[click.Option]:
    """Return ``--proc`` and ``--cgroup-root``, which hold for this run, whether a command or the group has them."""
    texts = {
        "proc": "Ask this /proc, as the host's in a container; PIDs are those that it shows.",
        "cgroup_root": "Where the cgroups of that /proc are: what is /sys/fs/cgroup there.",
    }
    return [
        click.Option(
            [f"--{name.replace('_', '-')}"],
            metavar="DIR",
            hidden=hidden,
            is_eager=True,
            expose_value=False,
            callback=_choose_elsewhere,
            help=text,
        )
        for name, text in texts.items()
    ]


def accept_elsewhere(command: click.Command) -> None:
    """Let ``command``, and those below it, take the options of the group behind their names, too."""
    if not any("--proc" in param.opts for param in command.params):
        command.params += elsewhere_options(hidden=True)
    for below in command.commands.values() if isinstance(command, click.Group) else ():
        accept_elsewhere(below)


def _choose_elsewhere(context: click.Context, option: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    if not value and not context.resilient_parsing:
        raise click.BadParameter("an empty word is not a directory", context, option)
    setattr(said, str(option.name), value or None)  # for a TAB as well: what it offers is read there


def dry_run_option(function: _Function) -> _Function:
    """Add ``--dry-run``, as ``dry_run``."""
    text = "Print what would change and write nothing."
    return click.option("--dry-run", "--dryrun", is_flag=True, help=text)(function)


def quiet_option(function: _Function) -> _Function:
    """Add ``--quiet`` to a command that changes something, which holds for this run of the program."""
    return click.option(
        *("-q", "--quiet"),
        is_flag=True,
        expose_value=False,
        callback=_be_quiet,
        help="Say nothing of what went well; errors, refusals and --json stay.",
    )(function)


def _be_quiet(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not context.resilient_parsing:
        this_run.quiet = True


def cgroup_option(function: _Function) -> _Function:
    """Add ``--cgroup``: the path of a memory cgroup, or None."""
    return click.option("--cgroup", metavar="PATH", help="Assume that this memory cgroup runs out, not the machine.")(
        function
    )


def shortage_options(function: _Function) -> _Function:
    """Add ``--cgroup``, ``--nodes`` and ``--mempolicy``: which memory runs out."""
    nodes = click.option(
        "--nodes", metavar="LIST", help="A task confined to these NUMA nodes (0,2-3) runs out of memory."
    )
    mempolicy = click.option("--mempolicy", is_flag=True, help="--nodes are set by a memory policy, not by a cpuset.")
    return cgroup_option(nodes(mempolicy(function)))


def format_options(
    *formats: str, text: str = "Default: table on a terminal, else plain."
) -> Callable[[_Function], _Function]:
    """Add ``--format`` with ``formats`` and ``--json``; read them with ``output_format``."""

    def decorate(function: _Function) -> _Function:
        choice = click.Choice(formats)
        option = click.option("--format", "wanted", type=choice, is_eager=True, callback=promise_json, help=text)
        return option(json_option(function))

    return decorate


def output_format(wanted: str | None, as_json: bool) -> str:
    """Decide how to print: as asked, else a table for a terminal and plain text for everything else.

    Plain text has no colour, so who insists on it on the command line gets the table, for ``less -R``.
    """
    if as_json:
        if wanted not in (None, "json"):
            raise BadInput(f"--json and --format {wanted} contradict each other")
        return "json"
    return wanted or ("table" if sys.stdout.isatty() or this_run.colour == "always" else "plain")
