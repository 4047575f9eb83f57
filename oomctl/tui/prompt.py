"""The line in which a filter or a value is typed; it is there while somebody types."""

from __future__ import annotations

from textual.widgets import Input

from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN
from oomctl.model.kernel import Task
from oomctl.render.text import named


class Prompt(Input):
    """Asks for one thing at a time."""

    def __init__(self) -> None:
        super().__init__(id="prompt", compact=True)
        self.about: Task | None = None
        """The process that a value is typed for, even if another is selected by then; None: a filter is typed."""

    @property
    def is_open(self) -> bool:
        """Whether somebody types."""
        return self.has_class("open")

    def ask_for_filter(self, words: str) -> None:
        """Let the filter be typed that is ``words`` now."""
        self._open(None, words, "filter: PID, command, user, unit or cgroup")

    def ask_for_adj(self, task: Task) -> None:
        """Let the adj be typed that ``task`` might get."""
        self._open(task, "", f"oom_score_adj for {named(task)}, {ADJ_MIN}..{ADJ_MAX}")

    def _open(self, task: Task | None, value: str, placeholder: str) -> None:
        self.about = task
        self.placeholder = placeholder
        self.value = value
        self.add_class("open")
        self.focus()

    def close(self) -> None:
        """Go away; what was typed stays until the next question."""
        self.remove_class("open")
