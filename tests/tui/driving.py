"""The interactive view without a terminal: keys in, the text on the screen out."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from oomctl.live.ask import Ask
from oomctl.live.shot import shoot
from oomctl.procfs.sampler import Sampler
from oomctl.render import fields
from oomctl.tui.app import TopApp
from tests.proc_tree import ProcTree

PATIENCE = 3000
"""Turns of 20 ms: for a machine that is busy with other things."""
PATIENCE_S = 60.0
HOPS = 6
"""A message goes up from a widget to the screen and the app, and what they do about it comes down again."""
Steps = Callable[["Driver"], Awaitable[None]]


class Driver:
    """Hands on the keyboard, eyes on the screen."""

    def __init__(self, app: TopApp, pilot: Pilot[int]) -> None:
        self.app = app
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        """Press one after the other, each when all that the one before has led to is done.

        The pilot waits until the process takes no CPU time, which it does not either where others have the CPU.
        """
        for key in keys:
            await self.pilot.press(key)
            for _ in range(HOPS):
                await self.pilot._wait_for_screen(PATIENCE_S)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        names = {"/": "slash", "-": "minus", ".": "full_stop", " ": "space", "+": "plus"}
        await self.press(*(names.get(char, char) for char in text))

    async def until(self, is_so: Callable[[], object]) -> None:
        """Wait until ``is_so``; what it waits for is on the screen if it fails."""
        for _ in range(PATIENCE):
            if is_so():
                return
            await self.pilot.pause(0.02)
        raise AssertionError("it never came to be:\n" + "\n".join(self.lines))

    async def sees(self, text: str) -> None:
        await self.until(lambda: text in self.text)

    async def sees_no(self, text: str) -> None:
        await self.until(lambda: text not in self.text)

    @property
    def lines(self) -> list[str]:
        """What stands on the screen, line by line, without what is behind the last character."""
        picture = self.app.export_screenshot(title="")
        rows: dict[float, list[tuple[float, str]]] = {}
        for x, y, text in re.findall(r'<text class="[^"]*-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>', picture):
            rows.setdefault(float(y), []).append((float(x), html.unescape(text).replace("\xa0", " ")))
        drawn = []
        for y in sorted(rows):
            line = ""
            for x, text in sorted(rows[y]):
                line = line.ljust(round(x / 12.2)) + text
            drawn.append(line.rstrip())
        return drawn

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def rows(self) -> list[list[str]]:
        """The words of each line of the ranking."""
        lines = self.lines
        title = next(index for index, line in enumerate(lines) if line.lstrip().startswith("RANK"))
        return [line.split() for line in lines[title + 1 :]]

    def pids(self) -> list[int]:
        """PIDs in the ranking, from the top."""
        found = []
        for row in self.rows:
            if len(row) < 3 or not re.fullmatch(r"\d+|-", row[0]):
                break
            found.append(int(next(word for word in row[1:] if word.isdigit())))
        return found

    @property
    def selected(self) -> int | None:
        """PID of the selected process."""
        selected: Any = self.app.query_one("Ranking").selected  # type: ignore[attr-defined]
        return None if selected is None else int(getattr(selected, "first", selected).task.pid)


def drive(
    tree: ProcTree,
    steps: Steps,
    *,
    size: tuple[int, int] = (80, 24),
    delay_s: float = 3600,
    proc: str = "",
    **asked: Any,
) -> int | None:
    """Show ``tree`` (or what is mounted at ``proc``) and let ``steps`` drive it; return the exit status.

    ``asked`` are fields of Ask.
    """
    ask = Ask(tuple(map(fields.find, asked.pop("columns", fields.DEFAULT))), **asked)
    kmsg = tree.root.parent / "kmsg"
    kmsg.touch()
    return asyncio.run(_drive(ask, steps, size, delay_s, proc or str(tree.root), kmsg))


async def _drive(ask: Ask, steps: Steps, size: tuple[int, int], delay_s: float, proc: str, kmsg: Path) -> int | None:
    sampler = Sampler(proc, ask.cgroup)
    app = TopApp(ask, sampler, delay_s, shoot(sampler, ask), kmsg)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await steps(Driver(app, pilot))
    return app.return_value
