"""Questions in front of the ranking: yes or no, one of a list, or just something to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, OptionList, Static
from textual.widgets.option_list import Option

_Answer = TypeVar("_Answer")


class Dialog(ModalScreen[_Answer]):
    """A box over the ranking; Escape and q leave it without an answer."""

    BINDINGS: ClassVar = [
        Binding("escape,q,f10", "leave", show=False),
        Binding("ctrl+c", "app.interrupt", show=False, priority=True),
    ]

    def action_leave(self) -> None:
        """Close it; the answer is None."""
        self.dismiss(None)


class Notice(Dialog[None]):
    """Something to read."""

    BINDINGS: ClassVar = [Binding("enter,space,question_mark,f1,h", "leave", show=False)]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="box") as box:
            box.border_subtitle = "Esc or Enter closes; arrows scroll"
            yield Static(Text(self._text), id="text")

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()


class Confirm(Dialog[bool]):
    """A question; only ``y`` or the button says yes."""

    BINDINGS: ClassVar = [
        Binding("y,Y", "answer(True)", show=False),
        Binding("n,N", "answer(False)", show=False),
    ]

    def __init__(self, lines: Sequence[str], yes: str) -> None:
        super().__init__()
        self._text = "\n".join(lines)
        self._yes = yes

    def compose(self) -> ComposeResult:
        with Vertical(classes="box") as box:
            box.border_subtitle = "Esc changes nothing"
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

    def action_answer(self, yes: bool) -> None:
        """Answer with ``yes`` or no."""
        self.dismiss(yes)


class Choice(Dialog[int]):
    """One of a list, by its index."""

    def __init__(self, title: str, options: Sequence[str], chosen: int = 0) -> None:
        super().__init__()
        self._title = title
        self._options = options
        self._chosen = chosen

    def compose(self) -> ComposeResult:
        with Vertical(classes="box") as box:
            box.border_subtitle = "Enter chooses, Esc closes"
            yield Static(Text(self._title, style="bold"))
            yield OptionList(*(Option(Text(option, no_wrap=True)) for option in self._options))

    def on_mount(self) -> None:
        options = self.query_one(OptionList)
        options.highlighted = self._chosen
        options.focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Answer with its index."""
        self.dismiss(event.option_index)
