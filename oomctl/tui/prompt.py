"""The line in which a filter or a value is typed; it is there while somebody types."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Static

from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN
from oomctl.model.kernel import Task
from oomctl.render.text import count, named, visible


class Question(Horizontal):
    """The prompt, behind a label that says what is typed; it is there while somebody types."""

    def __init__(self) -> None:
        """Hide it."""
        super().__init__(id="typing")
        self._label = Static(id="label")
        self._found = Static(id="found")

    def compose(self) -> ComposeResult:
        yield self._label
        yield Prompt(self)
        yield self._found

    def ask(self, label: str) -> None:
        """Be there, with ``label`` in front of what is typed."""
        self._label.update(Text(label))
        self._found.update("")
        self.add_class("open")

    def say_found(self, number: int, of: int) -> None:
        """Say how many processes the filter leaves, as far as it is typed."""
        self._found.update(Text(f" {number} of {of}", "" if number else "bold"))


class Prompt(Input):
    """Asks for one thing at a time."""

    def __init__(self, question: Question) -> None:
        super().__init__(id="prompt", compact=True)
        self._question = question
        self.about: tuple[Task, ...] | None = None
        """The processes that a value is typed for, even if others are selected by then; None: a filter is typed."""
        self.group: str | None = None
        """The group whose members they are; None: it is one process."""

    @property
    def is_open(self) -> bool:
        """Whether somebody types."""
        return self.has_class("open")

    def ask_for_filter(self, words: str) -> None:
        """Let the filter be typed that is ``words`` now."""
        self.about = self.group = None
        self._open(words, "Filter: ", "PID, command, user, unit or cgroup")

    def ask_for_adj(self, tasks: Sequence[Task], group: str | None = None) -> None:
        """Let the adj be typed that ``tasks`` might get, all those of ``group`` or a single one."""
        self.about, self.group = tuple(tasks), group
        number = count(len(tasks), "process", "processes")
        whose = named(tasks[0]) if group is None else f"{number} of {visible(group)}"
        self._open("", f"oom_score_adj for {whose}: ", f"{ADJ_MIN}..{ADJ_MAX}")

    def _open(self, value: str, label: str, placeholder: str) -> None:
        self._question.ask(label)
        self.placeholder = placeholder
        self.value = value
        self.add_class("open")
        self.focus()

    def close(self) -> None:
        """Go away; what was typed stays until the next question."""
        self.remove_class("open")
        self._question.remove_class("open")
