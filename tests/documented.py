"""The commands as README and the manual write about them: found, asked for their options, run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click

from oomctl.cli.main import cli

PROJECT = Path(__file__).parents[1]


def command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None, f"oomctl has no command {name}"
    return found


def with_subcommands(*commands: click.Command) -> list[click.Command]:
    below = [list(one.commands.values()) for one in commands if isinstance(one, click.Group) and one is not cli]
    return [*commands, *(command for found in below for command in with_subcommands(*found))]


def option_names(*commands: click.Command) -> set[str]:
    every = with_subcommands(*commands)
    options = [option for one in every for option in one.params if isinstance(option, click.Option)]
    return {name for option in options for name in option.opts} | {"-h", "--help"}


def run(arguments: list[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "oomctl", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=PROJECT,
    )
