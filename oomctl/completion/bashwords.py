"""How a word is written that bash will insert: so that bash reads just that word, whoever chose it.

bash quotes nothing by itself, and does not say which quote is open. What starts a command (``;``, ``$(``, a backquote),
ends a quote or asks for the history is therefore never written, however quoted: such a name is not offered. What
can only split a word (a space, a parenthesis) is, where it is sure how: not where the line is read twice, as behind
``watch``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

Word = tuple[str, ...]
"""The characters of a word, each with what quotes it."""

# These mean nothing to bash inside a word, whichever quote is open.
_PLAIN = r"(?:[\w@%+=:,./-]|[^\x00-\x7f])"
# These split words and make patterns of them; within quotes, or behind a backslash, they do not.
_SPLITTING = r"[ ()\[\]{}#~^]"
# Within backquotes a backslash would take another one from a second; this means the same there and elsewhere.
_BACKSLASH = r"'\'"
_BEFORE = rf"(?:{_PLAIN}| |\\{_SPLITTING}|{re.escape(_BACKSLASH)})*"
_IS_PLAIN = re.compile(_PLAIN, re.ASCII)
_IS_SPLITTING = re.compile(_SPLITTING)
_NO_QUOTE_IS_OPEN = re.compile(_BEFORE, re.ASCII)
_A_QUOTE_IS_OPEN = re.compile(rf"{_BEFORE}[\"']((?:{_PLAIN}|{_SPLITTING})*)", re.ASCII)


class Place(NamedTuple):
    """Where the cursor stands."""

    begun: str | None
    """What the quote that is surely open has behind it; None without one."""
    write: Callable[[str], str]
    """Writes a character; empty where it must not be written here."""


def bare(char: str) -> str:
    """Write a character where no quote is open and none may be written."""
    return char if _IS_PLAIN.match(char) else ""


def escaped(char: str) -> str:
    """Write a character where no quote is open."""
    if char == "\\":
        return _BACKSLASH
    return f"\\{char}" if _IS_SPLITTING.match(char) else bare(char)


def within_quotes(char: str) -> str:
    """Write a character behind an open quote of either kind."""
    return char if _IS_SPLITTING.match(char) else bare(char)


def place_behind(line: str) -> Place:
    """Say how to go on behind ``line``, which bash reads once; where in doubt, with plain characters."""
    if _NO_QUOTE_IS_OPEN.fullmatch(line):
        return Place(None, escaped)
    match = _A_QUOTE_IS_OPEN.fullmatch(line)
    return Place(match[1], within_quotes) if match else Place(None, bare)


def word(value: str, write: Callable[[str], str]) -> Word | None:
    """Write ``value``; None where it cannot be."""
    written = tuple(map(write, value))
    return None if "" in written else written


def cut_between_characters(words: Sequence[Word]) -> Word | None:
    """Return how ``words`` begin, if bash, which compares them as text, would insert half a character; else None.

    It would cut between a backslash and what that quotes. If so set, it takes upper and lower case, and ``_`` and
    ``-``, for the same.
    """
    folded = [[char.casefold().replace("_", "-") for char in one] for one in words]
    length = _in_common(folded)
    if not words or _in_common([list("".join(one)) for one in folded]) == len("".join(folded[0][:length])):
        return None
    return words[0][:length]


def _in_common(words: Sequence[list[str]]) -> int:
    """Return with how many equal elements all ``words`` begin."""
    first, last = min(words, default=[]), max(words, default=[])
    differing = (index for index, (one, other) in enumerate(zip(first, last)) if one != other)
    return next(differing, min(len(first), len(last)))
