"""A log as people have it, to the lines that the kernel wrote: records opened, cut lines mended, oldest first.

Only blocks with words of a report are looked at, and of these only such that are dressed in one of these ways are
changed; every other block passes as it is.
"""

from __future__ import annotations

import re

from oomctl.oomlog.anchors import Finder
from oomctl.oomlog.direction import Reverser, newest_first
from oomctl.oomlog.structured import is_structured, plain_lines
from oomctl.oomlog.unknown import unknown_prefixes, without
from oomctl.oomlog.unwrapping import Unwrapper, is_cut, rows_are_cut

_LOOKED_AT = 32
"""Lines with words of a report, of each block, by which its dress is known."""
_WITHIN = 1 << 16
"""Bytes in which these are looked for: the next reports of a block are dressed as the first."""
_ENTITIES = ("&gt;", "&lt;", "&quot;", "&#", "&amp;")


class Undresser:
    """Takes the blocks of a log in their order; what a block leaves open is given out with the next one."""

    def __init__(self) -> None:
        """Begin at the start of a log."""
        self._rest: list[str] = []
        self._structured = self._cut = self._marked_up = self._backwards = False
        self._prefixes: list[re.Pattern[str]] = []
        self._unwrapper = Unwrapper()
        self._reverser = Reverser()

    @property
    def holds(self) -> bool:
        """Whether lines are held back, which the next block may continue."""
        return bool(self._rest) or self._unwrapper.holds or self._reverser.holds

    def plain(self, before: bytes, block: bytes, finder: Finder) -> tuple[bytes, bytes]:
        """Return a block with words of a report, undressed, behind what stands before it; itself where it is plain.

        ``finder``: that of the block.
        """
        samples = _samples(block, finder)
        self._structured = any(is_structured(line) for line, _ in samples)
        self._cut = not self._structured and (any(is_cut(*sample) for sample in samples) or rows_are_cut(block))
        self._marked_up = any(entity in line for line, _ in samples for entity in _ENTITIES)
        self._prefixes = [] if self._structured else unknown_prefixes(line for line, _ in samples)
        if self._structured or self._cut or self._marked_up or self._prefixes or self._rest or self._unwrapper.holds:
            before, block = b"", self._mended(before + block)
            samples = _samples(block, Finder(block))
        backwards = newest_first([line for line, _ in samples])
        self._backwards = self._backwards if backwards is None else backwards
        if self._backwards:
            return b"", self._reverser.add(before + block)
        if self._reverser.holds:
            return b"", self._reverser.close() + before + block
        return before, block

    def other(self, block: bytes) -> bytes:
        """Return the same of a block without any such word, which may continue the one before."""
        if self._structured or self._cut or self._prefixes or self._rest or self._unwrapper.holds:
            block = self._mended(block)
        return self._reverser.add_other(block) if self._reverser.holds else block

    def close(self) -> bytes:
        """End of the log: return what was held back."""
        rest = self._mended(b"", last=True) if self._rest or self._unwrapper.holds else b""
        if self._reverser.holds:
            return self._reverser.add(rest) + self._reverser.close()
        return rest

    def _mended(self, block: bytes, last: bool = False) -> bytes:
        lines = self._rest + self._lines(block)
        self._rest = []
        if self._prefixes:
            lines = [without(self._prefixes, line) for line in lines]
        if self._structured:
            lines, self._rest = plain_lines(lines, last)
        elif self._cut or self._unwrapper.holds:
            lines = self._unwrapper.unwrapped(lines, last)
        return "".join(line + "\n" for line in lines).encode("utf-8", "replace")

    def _lines(self, block: bytes) -> list[str]:
        text = block.decode("utf-8", "replace")
        if self._marked_up:
            import html

            text = html.unescape(text.replace("<br>", "").replace("<br/>", "").replace("<br />", ""))
        lines = text.split("\n")
        if not lines[-1]:
            lines.pop()
        return [line.rstrip("\r") for line in lines]


def _samples(block: bytes, finder: Finder) -> list[tuple[str, str]]:
    """Return the first lines with words of a report, in their order, each with the line behind it."""
    return [_lines_at(block, start) for start in finder.lines(_LOOKED_AT, _WITHIN)]


def _lines_at(block: bytes, start: int) -> tuple[str, str]:
    end = block.find(b"\n", start)
    if end < 0:
        return _text(block[start:]), ""
    return _text(block[start:end]), _text(block[end + 1 : block.find(b"\n", end + 1) % (len(block) + 1)])


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r")
