"""Long lines of a text folded between words, for a terminal, which would break them anywhere."""

from __future__ import annotations

import re

_HANGING = re.compile(r" *(?:\S+(?: \S+)?  +)?")  # a label, `Trigger    the whole …`, or only an indentation


def folded(text: str, width: int) -> str:
    """Return ``text`` in lines of at most ``width`` characters; what follows stands below where a line's text begins.

    A word that is longer stays in one piece: a path can be copied then.
    """
    lines = text.split("\n")
    if all(len(line) <= width for line in lines):
        return text
    return "\n".join(line if len(line) <= width else _folded_line(line, width) for line in lines)


def _folded_line(line: str, width: int) -> str:
    import textwrap

    line = line.rstrip()
    match = _HANGING.match(line)
    begins = match.end() if match else 0
    hanging = " " * (begins if begins <= width // 3 else 2)
    words = textwrap.wrap(
        line[begins:],
        width,
        initial_indent=line[:begins],
        subsequent_indent=hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(words)
