"""The lines above the ranking as a widget."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static

from oomctl.live.shot import Shot
from oomctl.live.standing import Standing
from oomctl.render.heading import heading_lines, victim_name
from oomctl.render.lines import plain
from oomctl.render.palette import Palette
from oomctl.render.text import count


class Heading(Static):
    """Who is next, the memory, and what would be if the marks were written."""

    def __init__(self, palette: Palette) -> None:
        super().__init__(id="heading")
        self._palette = palette

    def show(self, shot: Shot, standing: Standing, marks: int) -> None:
        """Draw that for this look; ``marks``: how many values are only thought of."""
        width = max(self.app.size.width, 1)
        lines = heading_lines(shot.machine, shot.look, standing.now, width, self._palette, shot.ahead)
        if marks:
            marked = count(marks, "value")
            what_if = f"what if: {marked} marked, not written; next would be {victim_name(standing.then)}"
            lines.append(plain(what_if, width, self._palette.marked))
        self.update(Text("\n").join(lines))
