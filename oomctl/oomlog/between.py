"""Text between two fixed ones, found in time that is proportional to the line's length."""

from __future__ import annotations

import re
from typing import NamedTuple


class Found(NamedTuple):
    """What ``Between`` has found."""

    before: re.Match[str]
    text: str
    behind: re.Match[str]


class Between:
    """Any text between two fixed ones: from the first ``before`` to the last ``behind``, or to the first one.

    What ``before(.*)behind`` finds; but ``re`` would look for ``behind`` in the whole rest of the line again for
    every ``before`` that it finds.
    """

    def __init__(self, before: str, behind: str, to_first: bool = False) -> None:
        """Take two patterns without repetitions that have no bound."""
        self._before = re.compile(before)
        self._behind = re.compile(behind)
        self._to_first = to_first

    def search(self, text: str) -> Found | None:
        """Return the first place in ``text``; None: one of the two is not there, or not in this order."""
        before = self._before.search(text)
        if before is None:
            return None
        behind = None
        for behind in self._behind.finditer(text, before.end()):  # noqa: B007 - the last one is wanted
            if self._to_first:
                break
        return None if behind is None else Found(before, text[before.end() : behind.start()], behind)
