"""``oomctl run``: start a command with an ``oom_score_adj``, with no process in between."""

from __future__ import annotations

import os
from typing import NoReturn

import click

from oomctl.cli.parameters import ADJ
from oomctl.errors import CannotExecute, CommandNotFound, ImpossibleHere, NotPermitted
from oomctl.model.changes import Status
from oomctl.procfs.machine import machine_procfs
from oomctl.procfs.writer import write_adj_at


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option(
    *("-n", "--adj", "--adjust", "--oom-score-adj", "adj"),
    type=ADJ,
    default=500,
    show_default=True,
    metavar="ADJ",
    help="The value for the command and what it starts: -1000 (never kill) to 1000.",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(adj: int, command: tuple[str, ...]) -> NoReturn:
    """Run COMMAND with an oom_score_adj of its own.

    oomctl sets its own value and becomes the command: PID, exit status and signals are the command's.
    Everything that the command starts inherits the value.

    \b
    oomctl run -n 1000 -- make -j16      let the build die first
    oomctl run -n -500 ./critical-job    needs CAP_SYS_RESOURCE
    """
    if not command[0]:
        raise CommandNotFound("run: an empty word is not a command")
    procfs = machine_procfs()
    try:
        # Not by number: where another PID namespace's /proc is mounted, this number is somebody else there.
        with procfs.open_self() as directory:
            change = write_adj_at(procfs, directory, procfs.identity_at(directory, os.getpid()), adj)
    except (FileNotFoundError, ProcessLookupError):
        raise ImpossibleHere(
            f"run: {procfs.root} does not show this process, so it is that of another PID namespace;"
            " mount this one's own (mount -t proc proc /proc)"
        ) from None
    if change.status is Status.DENIED:
        raise NotPermitted(f"run: {change.reason}; {command[0]} was not started", change.detail)
    try:
        os.execvp(command[0], command)  # noqa: S606 - running the user's command is what this is for
    except (FileNotFoundError, NotADirectoryError):
        raise CommandNotFound(f"run: {command[0]}: command not found") from None
    except (OSError, ValueError) as error:
        raise CannotExecute(f"run: {command[0]}: {getattr(error, 'strerror', None) or error}") from None
