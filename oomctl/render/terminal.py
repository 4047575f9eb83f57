"""rich output captured as text, so that writing it is the caller's one decision."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType


def width() -> int:
    """Columns of the terminal behind stdout."""
    return Console(file=sys.stdout).width


def drawn(*parts: RenderableType) -> str:
    """Draw ``parts`` for the terminal behind stdout: its width, its colours, ``NO_COLOR`` respected."""
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
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
