"""The line in which a filter or a value is typed; it is there while somebody types."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Static

from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN
from oomctl.model.kernel import Task
from oomctl.model.look import Group
from oomctl.render.text import named, visible


class Question(Horizontal):
    """The prompt, behind a label that says what is typed; it is there while somebody types."""

    def __init__(self) -> None:
        """Hide it."""
        super().__init__(id="typing")
        self.label = Static(id="label")

    def compose(self) -> ComposeResult:
        yield self.label
        yield Prompt(self)


class Prompt(Input):
    """Asks for one thing at a time."""

    def __init__(self, question: Question) -> None:
        super().__init__(id="prompt", compact=True)
        self._question = question
        self.about: Task | Group | None = None
        """What a value is typed for, even if something else is selected by then; None: a filter is typed."""

    @property
    def is_open(self) -> bool:
        """Whether somebody types."""
        return self.has_class("open")

    def ask_for_filter(self, words: str) -> None:
        """Let the filter be typed that is ``words`` now."""
        self._open(None, words, "filter: ", "PID, command, user, unit or cgroup")

    def ask_for_adj(self, about: Task | Group) -> None:
        """Let the adj be typed that a process, or every member of a group, might get."""
        whom = f"all of {visible(about.name)}" if isinstance(about, Group) else named(about)
        self._open(about, "", f"oom_score_adj for {whom}: ", f"{ADJ_MIN}..{ADJ_MAX}")

    def _open(self, about: Task | Group | None, value: str, label: str, placeholder: str) -> None:
        self.about = about
        self._question.label.update(Text(label))
        self._question.add_class("open")
        self.placeholder = placeholder
        self.value = value
        self.add_class("open")
        self.focus()

    def close(self) -> None:
        """Go away; what was typed stays until the next question."""
        self.remove_class("open")
        self._question.remove_class("open")
