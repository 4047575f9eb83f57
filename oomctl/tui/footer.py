"""The line at the bottom: what was said last, else the keys, which can be clicked; how to quit is always there."""

from __future__ import annotations

import textwrap

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.message import Message
from textual.widgets import Static

from oomctl.render.lines import plain
from oomctl.render.text import visible
from oomctl.tui import keys

_GAP = "  "
_MOST_LINES = 4


class Footer(Static):
    """One line, however narrow the screen is; more only for what was said and does not fit."""

    class Clicked(Message):
        """A key was clicked."""

        def __init__(self, action: str) -> None:
            """``action``: what that key does."""
            super().__init__()
            self.action = action

    def __init__(self) -> None:
        """Say nothing yet."""
        super().__init__(id="status")
        self._places: list[tuple[int, int, str]] = []
        self._last_line = 0

    def show(self, lead: str, said: str, width: int) -> None:
        """Show ``lead``, then ``said`` or, where that is empty, as many keys as fit; at the end how to quit."""
        (quit_key,) = (key for key in keys.KEYS if key.short == "Quit")
        room = max(width - len(_GAP) - len(keys.label(quit_key)), 0)
        text, self._places, above = visible(lead), [], []
        if said:
            *above, text = _folded(text + visible(said), room)
        else:
            for key in keys.that_fit(room - cell_len(text)):
                text += ("" if not self._places else _GAP) + keys.label(key)
                end = cell_len(text)
                self._places.append((end - len(keys.label(key)), end, key.action))
        line = _filled(text, room)
        self._places.append((room, width, quit_key.action))
        line.append(_GAP + keys.label(quit_key))
        line.truncate(width)
        self._last_line = len(above)
        self.update(Text("\n").join([*(_filled(part, width) for part in above), line]))

    def on_click(self, event: events.Click) -> None:
        """Do what the key does that was clicked."""
        for start, end, action in self._places:
            if start <= event.x < end and event.y == self._last_line:
                self.post_message(self.Clicked(action))


def _folded(text: str, width: int) -> list[str]:
    """Return ``text`` in lines; what is too long for them all ends in dots."""
    if cell_len(text) <= width:
        return [text]
    lines = textwrap.wrap(text, max(width, 8)) or [""]
    return lines if len(lines) <= _MOST_LINES else [*lines[: _MOST_LINES - 1], " ".join(lines[_MOST_LINES - 1 :])]


def _filled(text: str, width: int) -> Text:
    line = plain(text, width, "reverse")
    line.pad_right(width - line.cell_len)
    return line
