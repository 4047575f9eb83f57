"""``oomctl completion``: the script that teaches a shell to complete oomctl."""

from __future__ import annotations

import os

import click

from oomctl.completion.shells import PROGRAMS, SHELLS, script
from oomctl.console import emit


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that lets a shell complete oomctl.

    Its first lines say where to put it. It completes commands, options, fields, values of oom_score_adj
    with their meaning, and targets: PIDs, the likeliest victims first, names, units, cgroups and users.

    \b
    eval "$(oomctl completion bash)"
    oomctl completion zsh > ~/.zfunc/_oomctl
    oomctl completion fish > ~/.config/fish/completions/oomctl.fish
    """
    called = os.path.basename(context.find_root().info_name or "")
    emit(script(shell, called if called in PROGRAMS else PROGRAMS[0]))
