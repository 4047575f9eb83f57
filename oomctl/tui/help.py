"""What ``?`` shows: what colours and signs mean, and every key."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from rich.text import Text

from oomctl.render.palette import Palette
from oomctl.tui.keys import KEYS, MOVING

_SHOWN = 18
"""Columns of the sign or the keys, with the space behind them."""


def legend(palette: Palette) -> list[tuple[Text, str]]:
    """Return samples in the colours of ``palette``, each with what it means."""
    return [
        (Text("next: PID (NAME)", palette.headline), "whom the kernel would kill now"),
        (Text("\u2588" * 4, palette.memory), "RISK: its memory; a full bar is as near as the first"),
        (Text("\u2592" * 4, palette.added), "RISK: what its adj adds"),
        (Text("-" * 4, palette.taken), "RISK: what its adj takes away"),
        (Text("GROWTH"), "MiB a minute over the last minute; - until that is known"),
        (Text("\u2581\u2583\u2585\u2588", palette.warning), "what was used at each look of the last minute"),
        (Text("*1000", palette.marked), "a value that is only marked, and not written"),
        (Text("sshd", palette.spared), "cannot be killed"),
    ]


def help_text(palette: Palette, width: int) -> Text:
    """Return it folded to ``width`` columns."""
    lines = [line for sample, meaning in legend(palette) for line in _entry(sample, meaning, width)]
    lines.append(Text())
    for shown, meaning in (*MOVING, *((key.shown, key.meaning) for key in KEYS)):
        lines += _entry(Text(shown, "bold"), meaning, width)
    return Text("\n").join(lines)


def _entry(shown: Text, meaning: str, width: int) -> Iterator[Text]:
    """Return ``shown`` with its meaning beside it, or below it where that is too narrow."""
    beside = width >= 2 * _SHOWN
    indent = _SHOWN if beside else 2
    words = textwrap.wrap(meaning, max(width - indent, 1))
    if not beside:
        yield shown
    for index, line in enumerate(words):
        if beside and not index:
            yield Text.assemble(shown, " " * (_SHOWN - shown.cell_len), line)
        else:
            yield Text(" " * indent + line)
