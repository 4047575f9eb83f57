"""The line at the bottom: what was said last, else the keys, which can be clicked; how to quit is always there."""

from __future__ import annotations

from textual import events
from textual.message import Message
from textual.widgets import Static

from oomctl.render.lines import plain
from oomctl.render.text import visible
from oomctl.tui import keys

_GAP = "  "


class Footer(Static):
    """One line, however narrow the screen is."""

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

    def show(self, lead: str, said: str, width: int) -> None:
        """Show ``lead``, then ``said`` or, where that is empty, as many keys as fit; at the end how to quit."""
        (quit_key,) = (key for key in keys.KEYS if key.short == "Quit")
        room = max(width - len(_GAP) - len(keys.label(quit_key)), 0)
        text, self._places = visible(lead), []
        if said:
            text += visible(said)
        else:
            for key in keys.that_fit(room - len(text)):
                text += ("" if not self._places else _GAP) + keys.label(key)
                self._places.append((len(text) - len(keys.label(key)), len(text), key.action))
        line = plain(text, room, "reverse")
        line.pad_right(room - line.cell_len)
        self._places.append((room, width, quit_key.action))
        line.append(_GAP + keys.label(quit_key))
        line.truncate(width)
        self.update(line)

    def on_click(self, event: events.Click) -> None:
        """Do what the key does that was clicked."""
        for start, end, action in self._places:
            if start <= event.x < end:
                self.post_message(self.Clicked(action))
