"""The first list, on the screen while the interactive view is still being loaded."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from oomctl.live.ask import Ask
from oomctl.live.keyboard import keyboard
from oomctl.live.shot import Shot
from oomctl.live.simple import frame
from oomctl.render.palette import Palette

_OTHER_SCREEN, _BACK = "\x1b[?1049h\x1b[?25l\x1b[H", "\x1b[?1049l\x1b[?25h"


@contextmanager
def shown_at_once(first: Shot, ask: Ask, palette: Palette) -> Iterator[None]:
    """Draw ``first`` where the interactive view will; it stays for that, unless the block fails.

    Keys that are typed meanwhile stay unread for it, too.
    """
    from oomctl.render.screen import painted

    size = shutil.get_terminal_size()  # of a terminal that does not know its own, 80x24
    with keyboard():
        lines, _ = frame(first, ask, size, palette, lambda _: "")
        drawn = painted(lines, palette.ground, size.columns)
        try:
            _write(_OTHER_SCREEN + drawn)
            yield
        except BaseException:
            _write(_BACK)
            raise


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()
