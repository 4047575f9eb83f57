"""A pane: some text beside the ranking, or below it where the screen is narrow, that is open or not."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Static


class Pane(VerticalScroll, can_focus=False):
    """Scrolls what does not fit."""

    def __init__(self, id_: str) -> None:
        super().__init__(id=id_, classes="pane")
        self._text = Static()

    def compose(self) -> ComposeResult:
        yield self._text

    @property
    def is_open(self) -> bool:
        """Whether it is to be seen."""
        return self.has_class("open")

    def open(self, wanted: bool = True) -> None:
        """Be seen, or not any more."""
        self.set_class(wanted, "open")
        if isinstance(self.parent, Widget):
            self.parent.set_class(all(pane.is_open for pane in self.parent.query(Pane)), "both")

    def write(self, text: str | Text) -> None:
        """Show ``text`` in place of what was there."""
        self._text.update(Text(text) if isinstance(text, str) else text)
