"""The list of past kills: its columns, and how it fits a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable

from oomctl.model.oomreport import KERNEL
from oomctl.render import cgroups
from oomctl.render.cgroups import cut
from oomctl.render.fitting import Column, fitted


def _limit_whole(cell: str) -> str:
    return cgroups.told(cell) if cell.startswith("/") else cell


def _limit_within(cell: str, room: int) -> str:
    if len(cell) > room:
        cell = cell.removeprefix("by ")
    return cgroups.told_within(cell, room) if cell.startswith("/") else cut(cell, room)


_COLUMNS = (
    Column("N", right=True),
    Column("TIME", least=20, shorten=lambda text, room: cut(re.sub(r"(:\d\d)[.,]\d+", r"\1", text), room)),
    Column("LIMIT", least=14, shown=_limit_whole, shorten=_limit_within),
    Column("TRIGGER", goes=1),
    Column("VICTIM", least=25, shorten=cut),
    Column("RSS", right=True),
    Column("ADJ", right=True),
    Column("AGREES", least=6, goes=2, shorten=lambda text, room: text if len(text) <= room else "?"),
    Column("BY"),
)


def listing(lines: Iterable[tuple[str, ...]], width: int | None = None) -> str:
    """Return a line for each event, whose ``cells`` these are, in ``width`` characters.

    Who killed is told only where it was not always the kernel; a ``width`` of None is as wide as it takes.
    """
    rows = list(lines)
    if all(row[-1] == KERNEL for row in rows):
        return fitted(_COLUMNS[:-1], [row[:-1] for row in rows], width) + "\n"
    whole = fitted(_COLUMNS, rows, None)
    if width is not None and any(len(line) > width for line in whole.split("\n")):
        return fitted(_COLUMNS[:-1], [_with_killer(row) for row in rows], width) + "\n"
    return whole + "\n"


def _with_killer(row: tuple[str, ...]) -> tuple[str, ...]:
    """Say who killed under LIMIT: who is not the kernel goes by a limit of its own, which is not told there."""
    number, time, limit, *others, killer = row
    return (number, time, limit if limit != "-" else f"by {killer}", *others)
