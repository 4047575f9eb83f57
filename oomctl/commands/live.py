"""The live ranking without any extra: drawn by rich, refreshed until ``q`` or Ctrl-C."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from oomctl.commands.ask import Ask
from oomctl.commands.listing import machine_line, with_details
from oomctl.live.standing import Standing, judged
from oomctl.live.view import View, shown
from oomctl.procfs.reader import Procfs
from oomctl.procfs.watch import Watch
from oomctl.render import heading
from oomctl.render.lines import layout, plain, row_line, title_line
from oomctl.render.ranking import Machine

if TYPE_CHECKING:
    from oomctl.render.screen import Frame

_LINES_ABOVE = 4
_QUIT = (b"q", b"Q", b"\x03")


class Seen(NamedTuple):
    """One look with everything a screen says of it."""

    standing: Standing
    machine: Machine
    only: set[int] | None
    procfs: Procfs


def seen(watch: Watch, ask: Ask, fresh: Collection[int] = ()) -> Seen:
    """Look again and let the rules judge."""
    look, procfs = watch.look(fresh)
    standing = judged(look)
    machine = machine_line(look.scenario, procfs)._replace(
        candidates=len(standing.now.ranking), unkillable=len(standing.now.spared)
    )
    return Seen(standing, machine, ask.pids(look.scenario, procfs), procfs)


def run(ask: Ask, watch: Watch, delay_s: float) -> int:
    """Show the ranking on the terminal until the user has seen enough."""
    from oomctl.commands.keyboard import keyboard, stop_here
    from oomctl.render.screen import Screen

    now = seen(watch, ask)
    if now.only is not None and not now.only:
        raise ask.nothing_matched()
    fresh: list[int] = []
    screen = Screen()
    while True:
        with keyboard() as keys, screen.shown():
            while not keys.wants_stop:
                lines, fresh = _frame(now, ask, screen.size)
                screen.draw(lines)
                typed = keys.wait(delay_s)
                if typed is not None and (not typed or any(key in typed for key in _QUIT)):
                    return 0
                now = seen(watch, ask, fresh)
        stop_here()


def _frame(now: Seen, ask: Ask, size: tuple[int, int]) -> tuple[Frame, list[int]]:
    """Return the lines of the screen, and the PIDs on it."""
    width, height = size
    page = now.machine.page_size
    room = max(height - _LINES_ABOVE, 1)
    rows = list(now.standing.rows)
    if ask.sort is not None and ask.sort.name == "cmdline":
        rows = with_details(rows, now.procfs, cmdline=True)
    rows = shown(rows, View(ask.sort), page, now.only)[: min(ask.lines or room, room)]
    if any(field.name == "cmdline" for field in ask.fields):
        rows = with_details(rows, now.procfs, cmdline=True)
    ranking = now.standing.now.ranking
    first = ranking[0].badness if ranking else 0
    shape = layout(ask.fields, width)
    look = now.standing.look
    lines = [
        plain(f"{now.machine.scope}: {heading.memory(now.machine)}", width),
        plain(heading.pressure(look, now.machine), width),
        plain(f"next: {heading.next_victim(look, now.standing.now)}", width, "bold"),
        title_line(shape, ask.sort.name if ask.sort else None),
        *(row_line(row, shape, first, page) for row in rows),
    ]
    return lines[:height], [row.task.pid for row in rows]
