"""Prefixes that nobody told this program of: learned from the lines whose beginning is known, taken off the others."""

from __future__ import annotations

import re
from collections.abc import Iterable

from oomctl.oomlog.openings import opening_in
from oomctl.oomlog.prefix import names_program, split_prefix, trimmed

_KNOWN = "Mem-Info:"
"""A line whose beginning is the kernel's; stands for what follows the prefix."""
_LEARNED_FROM = 4
_LONGEST = 200
_TAG = re.compile(r"\s{0,80}<[a-z]{1,10}>")
_CLOSING_TAGS = re.compile(r"(?:</[a-z]{1,10}>){1,8}$")
_PIECES = re.compile(r"\d+|[^\W\d_]+|\s+|.", re.DOTALL)


def unknown_prefixes(lines: Iterable[str]) -> list[re.Pattern[str]]:
    """Return what matches the prefixes of these lines; nothing where one of them is understood, or is a program's."""
    learned: dict[str, None] = {}
    seen = 0
    for line in lines:
        start = opening_in(line[: 2 * _LONGEST])
        if start is None:
            continue
        front = line[:start]
        if len(front) > _LONGEST or not (_left_over(front).strip() or _opened(front)):
            return []
        learned.setdefault("".join(map(_likeness, _PIECES.findall(front))))
        seen += 1
        if seen >= _LEARNED_FROM:
            break
    return [re.compile(pattern) for pattern in learned] if seen > 1 else []


def _likeness(piece: str) -> str:
    if piece.isdigit():
        return r"\d{1,20}"
    if piece.isspace():
        return r"\s{1,40}"
    return r"[^\W\d_]{1,40}" if piece.isalpha() else re.escape(piece)


def _left_over(front: str) -> str:
    """Return what is not understood of a prefix, which is at its end."""
    line = split_prefix(front + _KNOWN)
    if line.foreign or names_program(line.message) or not line.message.endswith(_KNOWN):
        return ""
    return line.message[: -len(_KNOWN)]


def without(prefixes: list[re.Pattern[str]], line: str) -> str:
    """Return a line without what is not understood of its prefix, and without what closes it at the other end."""
    match = next(filter(None, (prefix.match(line) for prefix in prefixes)), None)
    if match is None:
        return line
    front, message = match[0], trimmed(line[match.end() :])
    mark = _opened(front)
    message = _CLOSING_TAGS.sub("", message) if mark == ">" else message.removesuffix(mark)
    left = _left_over(front)
    known = front[: len(front) - len(left)]
    return known + (" " if left and known[-1:].isalnum() else "") + message


def _opened(front: str) -> str:
    """Return the mark that a prefix opens and that stands behind the message, too."""
    for mark in ('"', "'"):
        if front.count(mark) % 2:
            return mark
    return ">" if _TAG.match(front) or _TAG.search(front[-16:]) else ""
