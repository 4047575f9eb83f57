"""rich output captured as text, so that writing it is the caller's one decision."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType


def width() -> int:
    """Columns of the terminal behind stdout."""
    return Console(file=sys.stdout).width


def drawn(*parts: RenderableType, in_colour: bool) -> str:
    """Draw ``parts`` in the width of the terminal behind stdout, in the colours that it has, or without any style."""
    # Colours may be asked for on a terminal that does not say what it has.
    says_nothing = os.environ.get("TERM", "") in ("", "dumb", "unknown")
    console = Console(
        file=sys.stdout,
        highlight=False,
        markup=False,
        emoji=False,
        force_terminal=in_colour,
        no_color=not in_colour,
        color_system=("standard" if says_nothing else "auto") if in_colour else None,
        width=width(),
    )
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return capture.get()


@contextmanager
def progress(name: str, total_bytes: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr that goes away at the end; yields what to call with the bytes just done."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(name, total=total_bytes)
        yield lambda done: bars.advance(task, done)
