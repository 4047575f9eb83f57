"""Lists that fit a terminal: columns nearer together, long names shortened, then the least columns left out.

A number is never cut: half of one would be another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from oomctl.render.cgroups import ellipsis
from oomctl.render.text import aligned

_LEAST = 8
"""Characters of a name that is shortened, where nothing else helps."""


def _itself(cell: str) -> str:
    return cell


class Column(NamedTuple):
    """One column of a list."""

    title: str
    right: bool = False
    least: int | None = None
    """It may be shortened to so many characters, the last such column first; None: never."""
    goes: int = 0
    """1 is left out first, then 2, …; 0: it always stays."""
    shown: Callable[[str], str] = _itself
    """What is printed of a cell, whole."""
    shorten: Callable[[str, int], str] = ellipsis
    """The same in so many characters."""


def fitted(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> str:
    """Lay ``rows`` out below the titles, in lines of at most ``width`` characters where that can be; None: whole."""
    table = [_Cells(column, [row[index] for row in rows]) for index, column in enumerate(columns)]
    gap = 2
    if width is not None and _taken(table, 2) > width:
        gap = 1
        for gone in sorted((cells for cells in table if cells.column.goes), key=lambda cells: cells.column.goes):
            if _taken(table, gap, least=True) > width:
                table.remove(gone)
        for last_resort in (False, True):
            for cells in reversed(table):
                cells.give(_taken(table, gap) - width, last_resort)
    lines = [[cells.column.title for cells in table], *zip(*(cells.texts for cells in table))]
    return aligned(lines, [cells.column.right for cells in table], gap)


class _Cells:
    """The cells of one column, as they are printed."""

    def __init__(self, column: Column, raw: Sequence[str]) -> None:
        self.column = column
        self._raw = raw
        self.texts = [column.shown(cell) for cell in raw]

    @property
    def width(self) -> int:
        return max([len(self.column.title), *map(len, self.texts)])

    @property
    def least(self) -> int:
        return self.width if self.column.least is None else min(self.width, max(self.column.least, self._title))

    @property
    def _title(self) -> int:
        return len(self.column.title)

    def give(self, too_much: int, last_resort: bool) -> None:
        """Become narrower by ``too_much`` characters, or as far as that goes."""
        if too_much <= 0 or self.column.least is None:
            return
        room = max(self.width - too_much, max(_LEAST, self._title) if last_resort else self.least)
        shorten = self.column.shorten
        self.texts = [text if len(text) <= room else shorten(raw, room) for raw, text in zip(self._raw, self.texts)]


def _taken(table: Sequence[_Cells], gap: int, least: bool = False) -> int:
    """The width of the lines; ``least``: when all that can be is shortened."""
    return sum(cells.least if least else cells.width for cells in table) + gap * (len(table) - 1)
