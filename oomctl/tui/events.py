"""The OOM kills of this boot, and new ones as they happen: the pane of the kernel log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from rich.text import Text
from textual.message import Message

from oomctl.errors import OomctlError
from oomctl.model.oomreport import OomReport
from oomctl.oomlog.follow import Follower
from oomctl.procfs.reader import Procfs
from oomctl.render import history
from oomctl.render.text import aligned
from oomctl.tui.pane import Pane

_LOOK_EVERY_S = 0.5
_MOST_EVENTS = 200
_TITLES = ("", "TIME", "WHAT", "RSS", "ADJ", "MEMORY OF")


class Events(Pane):
    """A line for each kill, the latest one in sight; opens when there is a new one."""

    class Killed(Message):
        """The kernel has killed just now."""

    def __init__(self, kmsg: Path, procfs: Procfs) -> None:
        """Follow ``kmsg``; ``procfs`` knows when this machine was started, and its pages."""
        super().__init__("events")
        self.border_title = "OOM kills since boot (e closes)"
        self._kmsg = kmsg
        self._procfs = procfs
        self._kills: list[tuple[str, ...]] = []
        self._new = 0
        """How many of them happened while this view was there."""
        self._why_none = "no OOM kill since boot, as far as the kernel log reaches"

    def on_mount(self) -> None:
        self.draw()
        self.run_worker(self._follow())

    def draw(self) -> None:
        """Show all of it, the end in sight."""
        self.set_class(bool(self._kills), "kills")
        self.write(self._text_of_kills() if self._kills else self._why_none)
        self.call_after_refresh(self.scroll_end, animate=False)

    async def _follow(self) -> None:
        try:
            follower = Follower(self._kmsg)
        except OomctlError as error:
            self._why_none = str(error)
            self.draw()
            return
        try:
            for _ in range(2):  # the second time for a report that stands at the very end
                self._add(await asyncio.to_thread(follower.poll))
            while True:
                await asyncio.sleep(_LOOK_EVERY_S)
                reports = follower.poll()
                if reports:
                    self.open()
                    self._new += len(reports)
                    self._add(reports)
                    self.post_message(self.Killed())
        except OomctlError as error:
            self._why_none = str(error)
        finally:
            follower.close()

    def _add(self, reports: Sequence[OomReport]) -> None:
        page, boot_time = self._procfs.page_size, self._procfs.boot_time()
        kills = [history.brief(report, boot_time, page) for report in reports]
        self._kills = [*self._kills, *kills][-_MOST_EVENTS:]
        self.draw()

    def _text_of_kills(self) -> Text:
        """Return a line for each, in columns; what happened since the view is there is marked and bold."""
        old = len(self._kills) - self._new
        rows = [("new" if index >= old else "", *kill) for index, kill in enumerate(self._kills)]
        titles, *lines = aligned([_TITLES, *rows], [False, False, False, True, True, False]).split("\n")
        drawn = (Text(line, "bold" if index >= old else "") for index, line in enumerate(lines))
        return Text("\n").join([Text(titles, "dim"), *drawn])
