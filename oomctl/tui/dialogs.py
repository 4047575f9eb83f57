"""Questions in front of the ranking: yes or no, one of a list, or just something to read.

All of them fit on any screen: lines are folded, what is still too long scrolls, and the border says how to get away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, TypeVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, OptionList, Static
from textual.widgets.option_list import Option

from oomctl.render.folding import folded

_Answer = TypeVar("_Answer")
BESIDE = 5
"""Columns that are not text: borders, a space on either side, and the scroll bar."""
_ABOVE_AND_BELOW = 2  # borders
_SLIVER = 6  # columns of the ranking that are too few to be read beside a box


class Dialog(ModalScreen[_Answer]):
    """A box over the ranking; Escape and q leave it without an answer."""

    BINDINGS: ClassVar = [
        Binding("escape,q,f10", "leave", show=False),
        Binding("ctrl+c", "app.interrupt", show=False, priority=True),
        Binding("ctrl+q", "app.quit_view", show=False),
        Binding("ctrl+z", "app.suspend_process", show=False),
        Binding("ctrl+l,f9", "app.refresh_now", show=False),
        Binding("up,k", "scroll('scroll_up')", show=False),
        Binding("down,j", "scroll('scroll_down')", show=False),
        Binding("pageup,b", "scroll('scroll_page_up')", show=False),
        Binding("pagedown,space", "scroll('scroll_page_down')", show=False),
        Binding("home,g", "scroll('scroll_home')", show=False),
        Binding("end,G", "scroll('scroll_end')", show=False),
    ]
    closes = "Esc closes"
    """How to get away, on the border."""
    title_text = ""
    """What it is about, on the border."""
    lines_below = 0
    """Lines of the box below what scrolls."""

    @property
    def body(self) -> Widget:
        """What scrolls."""
        return self.query_one(".body", Widget)

    def on_resize(self) -> None:
        """Fold and cut to what the screen has room for."""
        width = max(self.size.width - BESIDE, 1)
        height = max(self.size.height - _ABOVE_AND_BELOW - self.lines_below, 1)
        self.body.styles.max_height = height
        self.query_one(".box").styles.min_width = None
        self.fit(width)
        self.call_after_refresh(self._say_how_to_leave)

    def fit(self, width: int) -> None:
        """Fold the text to ``width`` columns."""

    def _say_how_to_leave(self) -> None:
        box = self.query_one(".box")
        box.border_title = Text(self.title_text) if self.title_text else None
        if box.size.width and self.size.width - box.outer_size.width < _SLIVER:
            box.styles.min_width = self.size.width
        scrolls = self.body.max_scroll_y and not self.body.can_focus  # in a list arrows choose
        box.border_subtitle = f"{self.closes}, \u2191\u2193 scroll" if scrolls else self.closes

    def action_leave(self) -> None:
        """Close it; the answer is None."""
        self.dismiss(None)

    def action_scroll(self, how: str) -> None:
        """Show another part of the text."""
        getattr(self.body, how)(animate=False)


class _Reading(Dialog[_Answer]):
    """Has a text."""

    def __init__(self, text: str | Callable[[int], Text]) -> None:
        """``text``: or what makes it, for so many columns."""
        super().__init__()
        self._text = text

    def fit(self, width: int) -> None:
        text = Text(folded(self._text, width)) if isinstance(self._text, str) else self._text(width)
        shown = self.query_one("#text", Static)
        shown.styles.max_width = width + 1  # its padding lies beneath the scroll bar
        shown.update(text)


class Notice(_Reading[None]):
    """Something to read."""

    BINDINGS: ClassVar = [Binding("enter,question_mark,f1,h", "leave", show=False)]

    def __init__(self, text: str | Callable[[int], Text], title: str = "") -> None:
        """``text``: or what makes it, for so many columns."""
        super().__init__(text)
        self.title_text = title

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"), VerticalScroll(classes="body", can_focus=False):
            yield Static(id="text")


class Confirm(_Reading[bool]):
    """A question; only ``y`` or the button says yes."""

    BINDINGS: ClassVar = [
        Binding("y,Y", "answer(True)", show=False),
        Binding("n,N", "answer(False)", show=False),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]
    closes = "Esc changes nothing"
    lines_below = 2

    def __init__(self, lines: Sequence[str], yes: str) -> None:
        super().__init__("\n".join(lines))
        self._yes = yes

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            with VerticalScroll(classes="body", can_focus=False):
                yield Static(id="text")
            with Horizontal(id="answers"):
                yield Button(f"{self._yes} (y)", id="yes", compact=True)
                yield Button("Cancel (n)", id="no", compact=True)

    def on_mount(self) -> None:
        self.query_one("#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer what the button says."""
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        """Answer with ``yes`` or no."""
        self.dismiss(yes)


class Choice(Dialog[int]):
    """One of a list, by its index."""

    BINDINGS: ClassVar = [
        Binding("k", "cursor('cursor_up')", show=False),
        Binding("j", "cursor('cursor_down')", show=False),
        Binding("b", "cursor('page_up')", show=False),
        Binding("space", "cursor('page_down')", show=False),
        Binding("g", "cursor('first')", show=False),
        Binding("G", "cursor('last')", show=False),
    ]
    closes = "Enter chooses, Esc closes"

    def __init__(self, title: str, options: Sequence[str], chosen: int = 0) -> None:
        super().__init__()
        self.title_text = title
        self._options = options
        self._chosen = chosen

    def compose(self) -> ComposeResult:
        with Vertical(classes="box"):
            yield OptionList(*(Option(Text(option, overflow="fold")) for option in self._options), classes="body")

    def on_mount(self) -> None:
        options = self.query_one(OptionList)
        options.highlighted = self._chosen
        options.focus()

    def fit(self, width: int) -> None:
        self.body.styles.max_width = width + 1

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Answer with its index."""
        self.dismiss(event.option_index)

    def action_cursor(self, where: str) -> None:
        """Go to another option."""
        getattr(self.query_one(OptionList), f"action_{where}")()
