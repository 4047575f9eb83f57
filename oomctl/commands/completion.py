"""``oomctl completion``: the script that teaches a shell to complete oomctl, printed or installed."""

from __future__ import annotations

import os

import click

from oomctl.cli import namesake
from oomctl.cli.options import dry_run_option
from oomctl.completion import installing, placing
from oomctl.completion.placing import State
from oomctl.completion.shells import PROGRAMS, SHELLS, script
from oomctl.console import emit, emit_after_change
from oomctl.render.text import visible

_WRITTEN = {State.MISSING: "written", State.OLD: "written, in place of another version's", State.SAME: "unchanged"}


@click.command()
@click.argument("shell", type=click.Choice(SHELLS), required=False, metavar=f"[{'|'.join(SHELLS)}]")
@click.option("--install", is_flag=True, help="Put it where the shell (default: $SHELL) looks, for both names.")
@click.option("--system", "for_all", is_flag=True, help="With --install: for all users.")
@dry_run_option
@click.pass_context
def completion(context: click.Context, shell: str | None, install: bool, for_all: bool, dry_run: bool) -> None:
    """Print or install the script that lets a shell complete oomctl.

    It completes commands, options, fields, values of oom_score_adj with their meaning, and targets:
    PIDs, the likeliest victims first, names, units, cgroups and users.

    \b
    oomctl completion --install             for the shell that you use
    oomctl completion --install zsh         for another one
    sudo oomctl completion --install --system
    eval "$(oomctl completion bash)"        for this bash only
    """
    if install:
        _install(shell or _users_shell(), for_all, dry_run)
        return
    if for_all or dry_run:
        raise click.UsageError(f"{'--system' if for_all else '--dry-run'} needs --install")
    if shell is None:
        raise click.UsageError(f"Missing SHELL: one of {', '.join(SHELLS)}")
    called = os.path.basename(context.find_root().info_name or "")
    emit(script(shell, called if called in PROGRAMS else PROGRAMS[0]))


def _users_shell() -> str:
    """Return the shell that $SHELL names."""
    name = os.path.basename(os.environ.get("SHELL", ""))
    if name not in SHELLS:
        said = f"$SHELL is {visible(os.environ['SHELL'])}" if name else "$SHELL is not set"
        raise click.UsageError(f"{said}; name one of {', '.join(SHELLS)}")
    return name


def _install(shell: str, for_all: bool, dry_run: bool) -> None:
    """Write what is not there yet; nothing where one of the files is somebody else's."""
    others = namesake.found_by_sudo() if for_all else namesake.found_by_shell()
    directory = placing.directory(shell, for_all)
    scripts = installing.scripts(shell, directory, [name for name in PROGRAMS if not (others and name == "oomctl")])
    states = [placing.state(one) for one in scripts]
    for one, state in zip(scripts, states):
        if state is not State.SAME and not dry_run:
            placing.put(one, for_all)
        would = "would be " if dry_run and state is not State.SAME else ""
        emit_after_change(f"{visible(one.path)}: {would}{_WRITTEN[state]}\n")
    if others:
        emit_after_change(f"oomctl is systemd's {visible(others)} here, which keeps its own completion\n")
    emit_after_change(f"{installing.when(shell, directory)}\n")
