"""Words and numbers for people: names made harmless, sizes in MiB and GiB, plain aligned columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

_MIB = 1 << 20
_GIB = 1 << 30
# Categories of characters that can move the cursor, hide text or turn its direction.
_HARMFUL = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def visible(name: str) -> str:
    """Return ``name`` with everything that a terminal would obey, or an eye would miss, written out.

    Process names and command lines are chosen by whoever runs the process.
    """
    if name.isascii() and name.isprintable():
        return name
    import unicodedata

    return "".join(_escaped(char) if unicodedata.category(char) in _HARMFUL else char for char in name)


class Named(Protocol):
    """A process, as whatever has seen it knows it."""

    @property
    def pid(self) -> int:
        """Its number."""

    @property
    def comm(self) -> str:
        """What it calls itself."""


def named(process: Named) -> str:
    """Return ``812 (sshd)``, harmless whatever the process calls itself."""
    return f"{process.pid} ({visible_in_brackets(process.comm)})"


def visible_in_brackets(comm: str) -> str:
    """Return a name that brackets hold: ``a), 1 (systemd`` would pass for two processes, ``(sd-pam)`` is one."""
    name = visible(comm)
    return name[:-1].replace(")", r"\x29") + name[-1:]


def named_or_nobody(process: Named | None) -> str:
    """Return the same of a victim; there may be none."""
    return "nobody" if process is None else named(process)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()


def size(size_bytes: int | None) -> str:
    """Return a size as ``812.4MiB`` or ``1.5GiB``, one word, also below zero; ``-`` for None."""
    if size_bytes is None:
        return "-"
    if size_bytes == 0:
        return "0"
    if abs(size_bytes) >= _GIB:
        return f"{size_bytes / _GIB:.2f}GiB"
    return f"{size_bytes / _MIB:.1f}MiB" if abs(size_bytes) >= _MIB else f"{size_bytes / _MIB:.2f}MiB"


def mib_a_minute(growth_bytes: float) -> str:
    """Return a growth a minute in MiB, with its sign: ``+12.3``, ``-1024``; ``0`` where it rounds to that."""
    mib = growth_bytes / _MIB
    if abs(mib) < _LEAST_MIB:
        return "0"
    return f"{mib:+.1f}" if abs(mib) < _MANY_MIB else f"{mib:+.0f}"


_LEAST_MIB, _MANY_MIB = 0.05, 999.95


_WIDEST = 256


def aligned(rows: Sequence[Sequence[str]], right: Sequence[bool], gap: int = 2) -> str:
    """Lay ``rows`` out in columns ``gap`` spaces apart; the last one is not padded.

    A cell may be wider than its column: one name of kilobytes does not make every line as long.
    """
    widths = [min(max(map(len, column)), _WIDEST) for column in zip(*rows)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if is_right else cell.ljust(width) for cell, width, is_right in zip(row, widths, right)
        ]
        lines.append((" " * gap).join(cells).rstrip())
    return "\n".join(lines)


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return ``1 process`` or ``3 processes``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
