"""The live ranking without any extra: drawn by rich, refreshed until ``q`` or Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from oomctl.live.ask import Ask, has_cmdlines, has_interactive_view, shows_cmdlines
from oomctl.live.cmdlines import CommandLines
from oomctl.live.seen import Seen
from oomctl.live.shot import Shot, first_shot, shoot
from oomctl.live.standing import judged
from oomctl.live.view import View, shown
from oomctl.procfs.details import with_details
from oomctl.procfs.sampler import Sampler
from oomctl.render.fields import empty_fields
from oomctl.render.heading import fitting, heading_lines
from oomctl.render.lines import layout, plain, row_line, title_line
from oomctl.render.palette import TERMINAL, Palette

if TYPE_CHECKING:
    from oomctl.render.screen import Frame


_QUIT = (b"q", b"Q", b"\x03")
_HELP = (b"?", b"h")
_MEANINGS = """
q, Ctrl-C    quit
?            this help; any key closes it
Ctrl-Z       back to the shell for a while
other keys   look again now

next         whom the kernel would kill if memory ran out now
certain      nobody else can be first; close: one of those named may be
settled      no single other process can grow enough to become first
RISK         share of the first one's badness
  █          what its memory counts for
  ▒          what a positive adj adds
  -          what a negative adj takes away
GROWTH       MiB a minute over the last minute; - until that is known
▁▃▅█         what was used at each look of the last minute
red          the next victim; dim: cannot be chosen

With keys to sort, filter, explain and change: {more}
"""


def run(ask: Ask, sampler: Sampler, delay_s: float) -> int:
    """Show the ranking on the terminal until the user has seen enough."""
    from oomctl.live.keyboard import keyboard, stop_here
    from oomctl.render.screen import Screen

    now, seen = first_shot(sampler, ask), Seen(delay_s)
    fresh: list[int] = []
    screen = Screen()
    helps = False
    while True:
        with keyboard() as keys, screen.shown():
            while not keys.wants_stop:
                drawn_for = keys.size
                lines, fresh = frame(now, ask, screen.size)
                screen.draw(help_lines(screen.size) if helps else lines)
                typed = keys.wait(0.0 if now.is_partial else delay_s, drawn_for)
                if typed is not None and (not typed or _has(typed, _QUIT)):
                    return 0
                if typed is not None:
                    helps = not helps and _has(typed, _HELP)
                now = shoot(sampler, ask, fresh, seen=seen)
        stop_here()


def _has(typed: bytes, keys: Iterable[bytes]) -> bool:
    return any(key in typed for key in keys)


def bottom_line(width: int) -> str:
    """Return the keys that there are, and how to have more of them."""
    return fitting([["q quits · ? help"], [f" · {_how_to_have_keys()} for more", ""]], width)


def frame(
    now: Shot,
    ask: Ask,
    size: tuple[int, int],
    palette: Palette = TERMINAL,
    bottom: Callable[[int], str] = bottom_line,
) -> tuple[Frame, list[int]]:
    """Return the lines of the screen, and the PIDs on it; ``bottom`` says what stands in the last line."""
    width, height = size
    standing = judged(now.look)
    page = now.machine.page_size
    above = heading_lines(now.machine, now.look, standing.now, width, palette, now.ahead)
    room = max(height - len(above) - 2, 1)  # the titles, and the keys below
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
    sorted_by = ask.sort.name if ask.sort else None
    shape = layout(ask.fields, width, empty_fields(now.machine, now.look.scenario.tasks), sorted_by)
    lines = [
        *above,
        title_line(shape, sorted_by, palette),
        *(row_line(row, shape, standing.highest, page, (), palette) for row in rows),
        *(plain("", width) for _ in range(room - len(rows))),
    ]
    return [*lines[: height - 1], plain(bottom(width).ljust(width), width, "reverse")], [row.task.pid for row in rows]


def help_lines(size: tuple[int, int]) -> Frame:
    """Return the help as a screen."""
    width, height = size
    text = _MEANINGS.format(more=_how_to_have_keys()).strip("\n")
    return [plain(line, width) for line in text.split("\n")][:height]


def _how_to_have_keys() -> str:
    return "pip install 'oomctl[tui]'" if not has_interactive_view() else "run it without --simple"
