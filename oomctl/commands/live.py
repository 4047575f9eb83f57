"""The live ranking without any extra: drawn by rich, refreshed until ``q`` or Ctrl-C."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from oomctl.commands.ask import Ask
from oomctl.commands.listing import machine_line, with_details
from oomctl.live.standing import judged
from oomctl.live.view import View, shown
from oomctl.model import Look
from oomctl.procfs.reader import Procfs
from oomctl.procfs.watch import Watch
from oomctl.render import heading
from oomctl.render.lines import layout, plain, row_line, title_line
from oomctl.render.ranking import Machine

if TYPE_CHECKING:
    from oomctl.render.screen import Frame

_LINES_ABOVE = 4
_QUIT = (b"q", b"Q", b"\x03")


class Shot(NamedTuple):
    """One look with what else a screen says of it."""

    look: Look
    machine: Machine
    only: set[int] | None
    """The processes that the list is limited to; None: all."""
    procfs: Procfs


def shoot(watch: Watch, ask: Ask, fresh: Collection[int] = (), sharers_of: Collection[int] = ()) -> Shot:
    """Look again; the arguments are those of ``Watch.look``."""
    look, procfs = watch.look(fresh, sharers_of)
    return Shot(look, machine_line(look.scenario, procfs), ask.pids(look.scenario, procfs), procfs)


def run(ask: Ask, watch: Watch, delay_s: float) -> int:
    """Show the ranking on the terminal until the user has seen enough."""
    from oomctl.commands.keyboard import keyboard, stop_here
    from oomctl.render.screen import Screen

    now = shoot(watch, ask)
    if now.only is not None and not now.only:
        raise ask.nothing_matched()
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
                now = shoot(watch, ask, fresh)
        stop_here()


def _frame(now: Shot, ask: Ask, size: tuple[int, int]) -> tuple[Frame, list[int]]:
    """Return the lines of the screen, and the PIDs on it."""
    width, height = size
    standing = judged(now.look)
    page = now.machine.page_size
    room = max(height - _LINES_ABOVE, 1)
    rows = list(standing.rows)
    if ask.sort is not None and ask.sort.name == "cmdline":
        rows = with_details(rows, now.procfs, cmdline=True)
    rows = shown(rows, View(ask.sort), page, now.only)[: min(ask.lines or room, room)]
    if any(field.name == "cmdline" for field in ask.fields):
        rows = with_details(rows, now.procfs, cmdline=True)
    shape = layout(ask.fields, width)
    lines = [
        plain(f"{now.machine.scope}: {heading.memory(now.machine)}", width),
        plain(heading.pressure(now.look, standing.now), width),
        plain(f"next: {heading.next_victim(now.look, standing.now)}", width, "bold"),
        title_line(shape, ask.sort.name if ask.sort else None),
        *(row_line(row, shape, standing.highest, page) for row in rows),
    ]
    return lines[:height], [row.task.pid for row in rows]
