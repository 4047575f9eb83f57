"""Questions in front of the ranking: yes or no, one of a list, or just something to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, OptionList, Static
from textual.widgets.option_list import Option

from oomctl.tui import keys

_Answer = TypeVar("_Answer")
_BORDER = 2
_BESIDE = _BORDER + 4  # cells beside the words: the margins, and a scroll bar


class Dialog(ModalScreen[_Answer]):
    """A box over the ranking; Escape and q leave it without an answer."""

    BINDINGS: ClassVar = [
        Binding("escape,q,f10", "leave", show=False),
        Binding("ctrl+c", "app.interrupt", show=False, priority=True),
    ]

    around: ClassVar = _BORDER
    """Lines of the box beside those that scroll."""

    def on_resize(self, event: events.Resize) -> None:
        """Let what does not fit scroll, and fold what is too wide, whatever the size of the screen."""
        for words in self.query("Static, OptionList"):
            words.styles.max_width = max(event.size.width - _BESIDE, 1)
        for scrolled in self.query("VerticalScroll, OptionList"):
            scrolled.styles.max_height = max(event.size.height - self.around, 1)

    def action_leave(self) -> None:
        """Close it; the answer is None."""
        self.dismiss(None)


class Notice(Dialog[None]):
    """Something to read."""

    BINDINGS: ClassVar = [Binding("enter,space,question_mark,f1,h", "leave", show=False)]

    around = 0  # it is the box that scrolls

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="box") as box:
            box.border_subtitle = "Esc or Enter closes; arrows scroll"
            yield Static(Text(self._text), id="text")

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()


class Help(Notice):
    """All keys, and what the colours mean, as wide as there is room."""

    def __init__(self) -> None:
        super().__init__("")

    def on_resize(self, event: events.Resize) -> None:
        """Fold it anew."""
        super().on_resize(event)
        self.query_one("#text", Static).update(Text(keys.help_text(max(event.size.width - _BESIDE, 1))))


class Confirm(Dialog[bool]):
    """A question; only ``y`` or the button says yes."""

    BINDINGS: ClassVar = [
        Binding("y,Y", "answer(True)", show=False),
        Binding("n,N", "answer(False)", show=False),
        Binding("up,k", "scroll('scroll_up')", show=False),
        Binding("down,j", "scroll('scroll_down')", show=False),
        Binding("pageup,b", "scroll('scroll_page_up')", show=False),
        Binding("pagedown,space", "scroll('scroll_page_down')", show=False),
        Binding("home,g", "scroll('scroll_home')", show=False),
        Binding("end,G", "scroll('scroll_end')", show=False),
    ]
    around = _BORDER + 2  # the answers, and a line above them

    def __init__(self, lines: Sequence[str], yes: str) -> None:
        super().__init__()
        self._text = "\n".join(lines)
        self._yes = yes

    def compose(self) -> ComposeResult:
        with Vertical(classes="box") as box:
            box.border_subtitle = "Esc changes nothing; arrows scroll"
            with VerticalScroll(id="question"):
                yield Static(Text(self._text), id="text")
            with Horizontal(id="answers"):
                yield Button(f"{self._yes} (y)", id="yes", compact=True)
                yield Button("Cancel (n)", id="no", compact=True)

    def on_mount(self) -> None:
        self.query_one("#no").focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Answer what the button says."""
        self.dismiss(event.button.id == "yes")

    def action_scroll(self, how: str) -> None:
        """Scroll the question, however the buttons have the keyboard."""
        getattr(self.query_one("#question"), how)(animate=False)

    def action_answer(self, yes: bool) -> None:
        """Answer with ``yes`` or no."""
        self.dismiss(yes)


class Choice(Dialog[int]):
    """One of a list, by its index."""

    around = _BORDER + 1  # the title

    def __init__(self, title: str, options: Sequence[str], chosen: int = 0) -> None:
        super().__init__()
        self._title = title
        self._options = options
        self._chosen = chosen

    def compose(self) -> ComposeResult:
        with Vertical(classes="box") as box:
            box.border_subtitle = "Enter chooses, Esc closes"
            yield Static(Text(self._title, style="bold"))
            yield OptionList(*(Option(Text(option, overflow="fold")) for option in self._options))

    def on_mount(self) -> None:
        options = self.query_one(OptionList)
        options.highlighted = self._chosen
        options.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Answer with its index."""
        self.dismiss(event.option_index)
