"""The ranking as a widget: draws only the lines on the screen, and keeps to the selected process wherever it goes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar, NamedTuple

from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from oomctl.live.cmdlines import CommandLines
from oomctl.model.listing import Row
from oomctl.model.look import Group
from oomctl.render.fields import Field
from oomctl.render.lines import Layout, group_line, group_title_line, layout, row_line, title_line
from oomctl.render.palette import Palette


class Contents(NamedTuple):
    """What is to be drawn."""

    lines: Sequence[Row | Group] = ()
    group_by: str | None = None
    fields: Sequence[Field] = ()
    sorted_by: str | None = None
    highest: int = 0
    """Badness of the first in pages."""
    page_size: int = 4096
    marked: Collection[int] = ()
    cmdlines: CommandLines | None = None
    """Of processes that have been on the screen; None: nobody wants to see them."""
    empty: Collection[str] = ()
    """Fields that hold nothing on this machine."""


def identity(line: Row | Group) -> tuple[object, ...]:
    """What makes a line the same one after a refresh."""
    return (line.name,) if isinstance(line, Group) else (line.task.pid, line.task.start_ticks)


class Titles(Widget):
    """The column titles; a click sorts."""

    class Clicked(Message):
        """Somebody wants the list sorted by ``field``."""

        def __init__(self, field: Field) -> None:
            super().__init__()
            self.field = field

    def __init__(self) -> None:
        super().__init__(id="titles")
        self.line = Text()
        self.shape: Layout | None = None

    def render(self) -> Text:
        return self.line

    def on_click(self, event: events.Click) -> None:
        """Tell which column that was."""
        field = self.shape.field_at(event.x) if self.shape else None
        if field is not None:
            self.post_message(self.Clicked(field))


class Ranking(ScrollView, can_focus=True):
    """Lines of processes or groups, one of them selected."""

    BINDINGS: ClassVar = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup,b", "move_screen(-1)", show=False),
        Binding("pagedown,space", "move_screen(1)", show=False),
        Binding("home,g", "move_to(0)", show=False),
        Binding("end,G", "move_to(-1)", show=False),
    ]

    class Moved(Message):
        """Another line is selected."""

    class Opened(Message):
        """A line was clicked twice."""

    def __init__(self, titles: Titles, palette: Palette) -> None:
        super().__init__(id="ranking")
        self._palette = palette
        self._titles = titles
        self._contents = Contents()
        self._shape = layout((), 80)
        self.cursor = 0
        self._held: tuple[object, ...] | None = None
        """The line that the cursor stays with; None: with the first, whoever that is."""

    @property
    def selected(self) -> Row | Group | None:
        """The line under the cursor; None where there is no line."""
        lines = self._contents.lines
        return lines[self.cursor] if self.cursor < len(lines) else None

    @property
    def visible_pids(self) -> list[int]:
        """Of the processes on the screen."""
        top = self.scroll_offset.y
        lines = self._contents.lines[top : top + self.size.height]
        return [(line.first if isinstance(line, Group) else line).task.pid for line in lines]

    def show(self, contents: Contents) -> None:
        """Draw other contents; the cursor follows its process, or stays where it was if that is gone."""
        was_visible = self._is_visible()
        self._contents = contents
        if self._held is None:
            self.cursor = 0
        else:
            places = [index for index, line in enumerate(contents.lines) if identity(line) == self._held]
            self.cursor = places[0] if places else max(min(self.cursor, len(contents.lines) - 1), 0)
            if not places:
                self._hold()
        self._lay_out()
        if was_visible:
            self._scroll_to_cursor()

    def hold_next(self) -> None:
        """Go on to the line below, wherever the selected one goes to: several are marked one after the other."""
        below = self.cursor + 1
        if below < len(self._contents.lines):
            self._held = identity(self._contents.lines[below])
        else:
            self._hold()

    def hold(self, pid: int, start_ticks: int) -> None:
        """Let the cursor go to that process when it is shown next, and stay with it."""
        self._held = pid, start_ticks

    def hold_selected(self) -> None:
        """Let the cursor stay with the selected process, even if it is the first now."""
        self._hold()

    def render_line(self, y: int) -> Strip:
        index = y + self.scroll_offset.y
        if index >= len(self._contents.lines):
            return Strip.blank(self.size.width, self.rich_style)
        contents, line, palette = self._contents, self._contents.lines[index], self._palette
        if isinstance(line, Group):
            text = group_line(line, self._shape.width, contents.page_size, palette)
        else:
            line = contents.cmdlines.added(line) if contents.cmdlines else line
            text = row_line(line, self._shape, contents.highest, contents.page_size, contents.marked, palette)
        if index == self.cursor:
            text.stylize_before(palette.selected)  # beneath the bar, which keeps its colours
        strip = Strip(text.render(self.app.console), self._shape.width)
        return strip if self.app.native_ansi_color else strip.apply_style(self.rich_style)

    def on_resize(self) -> None:
        self._lay_out()
        self._scroll_to_cursor()

    def on_click(self, event: events.Click) -> None:
        """Select the line; a second click opens it."""
        index = event.y + self.scroll_offset.y
        if index < len(self._contents.lines):
            self.action_move_to(index)
            if event.chain > 1:
                self.post_message(self.Opened())

    def action_move(self, lines: int) -> None:
        """Select the line so many further down; upwards below zero."""
        self.action_move_to(max(self.cursor + lines, 0))

    def action_move_screen(self, screens: int) -> None:
        """Do that by so many screens."""
        self.action_move(screens * max(self.size.height - 1, 1))

    def action_move_to(self, index: int) -> None:
        """Select the line with that index; the last one below zero."""
        last = len(self._contents.lines) - 1
        self.cursor = max(last if index < 0 else min(index, last), 0)
        self._held = None
        if self.cursor:
            self._hold()
        self._scroll_to_cursor()
        self.refresh()
        self.post_message(self.Moved())

    def _hold(self) -> None:
        self._held = identity(self.selected) if self.selected is not None else None

    def _lay_out(self) -> None:
        contents = self._contents
        width = max(self.size.width - 1, 1)  # the scroll bar's column stays free, so that nothing jumps
        self._shape = layout(contents.fields, width, contents.empty, contents.sorted_by)
        titles = self._titles
        titles.shape = None if contents.group_by else self._shape
        titles.line = (
            group_title_line(contents.group_by, width + 1, self._palette)
            if contents.group_by
            else title_line(self._shape._replace(width=width + 1), contents.sorted_by, self._palette)
        )
        titles.refresh()
        self.virtual_size = Size(width, len(contents.lines))
        self.refresh()

    def _is_visible(self) -> bool:
        return 0 <= self.cursor - self.scroll_offset.y < max(self.size.height, 1)

    def _scroll_to_cursor(self) -> None:
        top, height = self.scroll_offset.y, max(self.size.height, 1)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, immediate=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, immediate=True)
