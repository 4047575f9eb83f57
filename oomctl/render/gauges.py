"""Gauges: how much of a memory is taken, as a bar with what is left of it, side by side where there is room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from oomctl.render.palette import Palette
from oomctl.render.text import size

if TYPE_CHECKING:
    from rich.text import Text

_LABEL = 6  # memory
_LEFT = len("1023.9MiB left")
_LEFT_OF = len("1023.9MiB left of 1023.9MiB")
_LEAST_BAR, _MOST_BAR = 8, 30
_BETWEEN = 3
_LITTLE = 10
"""Percent; less is told in another colour."""


class Gauge(NamedTuple):
    """One memory; sizes in bytes."""

    label: str
    left: int
    total: int


def gauge_lines(gauges: Sequence[Gauge], width: int, palette: Palette) -> list[Text]:
    """Draw ``gauges`` in as few lines as the width allows; how wide a bar is depends on the width alone."""
    from rich.text import Text

    beside = min(len(gauges), max((width + _BETWEEN) // (_LABEL + _LEAST_BAR + 2 + _LEFT + _BETWEEN), 1))
    room = (width - _BETWEEN * (beside - 1)) // beside
    lines = []
    for first in range(0, len(gauges), beside):
        drawn = [_drawn(gauge, room, palette) for gauge in gauges[first : first + beside]]
        lines.append(Text(" " * _BETWEEN).join(drawn))
        lines[-1].truncate(width, overflow="ellipsis")
    return lines


def _drawn(gauge: Gauge, room: int, palette: Palette) -> Text:
    from rich.text import Text

    long = room >= _LABEL + _LEAST_BAR + 2 + _LEFT_OF
    words, most = f"{size(gauge.left)} left", _LEFT
    if long:
        words, most = f"{words} of {size(gauge.total)}", _LEFT_OF
    bar = min(max(room - _LABEL - 2 - most, 0), _MOST_BAR)
    taken = gauge.total - gauge.left
    full = round(taken * bar / gauge.total) if gauge.total else 0
    full = max(0, min(full, bar))
    is_little = gauge.left * 100 < gauge.total * _LITTLE
    style = palette.warning if is_little else palette.memory
    return Text.assemble(
        (gauge.label.ljust(_LABEL), palette.spared),
        " ",
        ("█" * full, style),
        ("░" * (bar - full), palette.empty),
        " " if bar else "",
        (words.ljust(most), palette.warning if is_little else ""),
        no_wrap=True,
    )
