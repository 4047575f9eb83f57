"""OOM kills as they happen: the kernel's ring buffer, read on whenever somebody asks."""

from __future__ import annotations

import os
from pathlib import Path

from oomctl.model.oomreport import OomReport
from oomctl.oomlog.anchors import may_open
from oomctl.oomlog.parser import Parser
from oomctl.oomlog.sources import KMSG, KMSG_RECORD_BYTES, open_kmsg, records


class Follower:
    """Yields every report once: first those that the buffer holds already, then new ones."""

    def __init__(self, path: Path = KMSG) -> None:
        """Open the buffer. ImpossibleHere, NotPermitted: there is none, or it may not be read."""
        self._descriptor = open_kmsg(path)
        self._parser = Parser()

    def poll(self) -> list[OomReport]:
        """Return the reports that are over since the last call; never waits."""
        # A report has no last line: it is over when its kill is told and somebody asks again.
        was_open = not self._parser.idle
        reports: list[OomReport] = []
        for record in records(lambda: os.read(self._descriptor, KMSG_RECORD_BYTES)):
            for line in record.splitlines(keepends=True):
                if not self._parser.idle or may_open(line):
                    reports += self._parser.feed(line)
        return reports + (self._parser.skip() if was_open else [])

    def close(self) -> None:
        """Close the buffer; ``poll`` must not be called again."""
        os.close(self._descriptor)
