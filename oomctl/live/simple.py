"""The live ranking without any extra: drawn by rich, refreshed until ``q`` or Ctrl-C."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oomctl.live.ask import Ask, has_cmdlines, shows_cmdlines
from oomctl.live.cmdlines import CommandLines
from oomctl.live.shot import Shot, first_shot, shoot
from oomctl.live.standing import judged
from oomctl.live.view import View, shown
from oomctl.procfs.details import with_details
from oomctl.procfs.sampler import Sampler
from oomctl.render.fields import empty_fields
from oomctl.render.lines import heading_lines, layout, row_line, title_line

if TYPE_CHECKING:
    from oomctl.render.screen import Frame


_LINES_ABOVE = 4
_QUIT = (b"q", b"Q", b"\x03")


def run(ask: Ask, sampler: Sampler, delay_s: float) -> int:
    """Show the ranking on the terminal until the user has seen enough."""
    from oomctl.live.keyboard import keyboard, stop_here
    from oomctl.render.screen import Screen

    now = first_shot(sampler, ask)
    fresh: list[int] = []
    screen = Screen()
    while True:
        with keyboard() as keys, screen.shown():
            while not keys.wants_stop:
                drawn_for = keys.size
                lines, fresh = _frame(now, ask, screen.size)
                screen.draw(lines)
                typed = keys.wait(delay_s, drawn_for)
                if typed is not None and (not typed or any(key in typed for key in _QUIT)):
                    return 0
                now = shoot(sampler, ask, fresh)
        stop_here()


def _frame(now: Shot, ask: Ask, size: tuple[int, int]) -> tuple[Frame, list[int]]:
    """Return the lines of the screen, and the PIDs on it."""
    width, height = size
    standing = judged(now.look)
    page = now.machine.page_size
    room = max(height - _LINES_ABOVE, 1)
    rows = list(standing.rows)
    if has_cmdlines(ask.sort):
        rows = with_details(rows, now.procfs, cmdline=True)
    rows = shown(rows, View(ask.sort, ask.reverse), page, now.only)[: min(ask.lines or room, room)]
    if has_cmdlines(*ask.fields):
        rows = with_details(rows, now.procfs, cmdline=True)
    if shows_cmdlines(ask.fields):
        read = CommandLines()
        read.read((row.task for row in rows), now.procfs)
        rows = [read.added(row) for row in rows]
    shape = layout(ask.fields, width, empty_fields(now.machine, now.look.scenario.tasks))
    lines = [
        *heading_lines(now.machine, now.look, standing.now, width),
        title_line(shape, ask.sort.name if ask.sort else None),
        *(row_line(row, shape, standing.highest, page) for row in rows),
    ]
    return lines[:height], [row.task.pid for row in rows]
