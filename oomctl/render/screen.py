"""A screen of its own on the terminal, drawn anew as a whole, by rich."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

Frame = Sequence[Text]
"""The lines of a screen, from the top."""


class Screen:
    """The terminal's other screen: what stood on it before comes back at the end."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False, emoji=False)
        self._live = Live(console=self._console, screen=True, auto_refresh=False, redirect_stdout=False)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        return self._console.width, self._console.height

    def draw(self, lines: Frame) -> None:
        """Replace what is on the screen."""
        self._live.update(Group(*lines), refresh=True)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Have the screen shown while the block runs."""
        with self._live:
            yield


def painted(lines: Frame, ground: str, width: int) -> str:
    """Return ``lines`` as a terminal is to get them, in the style ``ground`` up to the right edge."""
    console = Console(stderr=True, highlight=False, markup=False, emoji=False, width=width)
    with console.capture() as captured:
        for line in lines:
            line.truncate(width, pad=True)
            console.print(line, style=ground, end="\n" if line is not lines[-1] else "", soft_wrap=True)
    return captured.get().replace("\n", "\r\n")
