"""``oomctl dump``: never ours. Hands over to systemd's oomctl, or says where it is."""

from __future__ import annotations

import os
from typing import NoReturn

import click

from oomctl.cli import namesake
from oomctl.errors import CannotExecute, ImpossibleHere


@click.command(
    hidden=True,
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def dump(arguments: tuple[str, ...]) -> NoReturn:
    """Become systemd's `oomctl dump`."""
    other = namesake.find()
    if other is None:
        raise ImpossibleHere(
            "dump: this is a command of another oomctl, that of systemd-oomd, which is not in PATH or"
            f" {namesake.PLACES} (package systemd-oomd);"
            " `oomctl top` of this one ranks processes"
        )
    try:
        os.execv(other, ["oomctl", "dump", *arguments])  # noqa: S606 - no shell
    except OSError as error:
        raise CannotExecute(f"dump: {other}: {error.strerror}") from None
