"""What the kills of one kind say: how often oomctl was right, and everything about where it was not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple


class Agreement(NamedTuple):
    """Counts over the kills of one kind by one kernel."""

    kills: int
    certain: int
    certain_right: int
    close_right: int
    within: int
    """The victim was one of the contenders."""
    further: int
    """Kills besides: the same shortage had another victim before the first one's memory was back."""

    def __add__(self, other: object) -> Agreement:
        assert isinstance(other, Agreement)
        return Agreement(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    def __str__(self) -> str:
        close = self.kills - self.certain
        return f"{self.certain_right}/{self.certain} certain, {self.close_right}/{close} close"


NONE = Agreement(0, 0, 0, 0, 0, 0)


def agreement(kills: Iterable[dict[str, Any]]) -> Agreement:
    total = NONE
    for kill in kills:
        certain = kill["certainty"] == "certain"
        right = bool(kill["agrees"])
        within = kill["victim"] in kill["contenders"]
        total += Agreement(1, certain, certain and right, not certain and right, within, kill["further"])
    return total


def misses(kills: Iterable[dict[str, Any]]) -> str:
    """Everything known about the predictions that were wrong, as text; empty when there are none."""
    return "\n\n".join(_told(number, kill) for number, kill in enumerate(kills) if kill["misses"])


def _told(number: int, kill: dict[str, Any]) -> str:
    evidence = kill.get("evidence", {})
    lines = [f"kill {number} of {kill['kind']!r}: {'; '.join(kill['misses'])}"]
    lines += [
        f"  {kill['certainty']}, margin {kill['margin']}, bound {kill['bound']}, oomctl: {evidence.get('oomctl')}"
    ]
    lines += ["  terms before the kill, in pages:", *(f"    {line}" for line in evidence.get("terms", ()))]
    lines += ["  the kernel's report:", *(f"    {line}" for line in evidence.get("kernel_report", ()))]
    return "\n".join(lines)


def table(counts: dict[tuple[str, str], Agreement]) -> list[str]:
    """Lay out kind by kernel."""
    kernels = list(dict.fromkeys(kernel for kernel, _ in counts))
    kinds = list(dict.fromkeys(kind for _, kind in counts))
    rows: list[Sequence[str]] = [("kind", *kernels)]
    for kind in kinds:
        cells = (counts.get((kernel, kind)) for kernel in kernels)
        rows.append((kind, *("-" if cell is None else str(cell) for cell in cells)))
    totals = [
        sum((count for (of_kernel, _), count in counts.items() if of_kernel == kernel), NONE) for kernel in kernels
    ]
    rows.append(("all", *map(str, totals)))
    rows.append(("among the contenders", *(f"{total.within}/{total.kills}" for total in totals)))
    rows.append(("further kills", *(str(total.further) for total in totals)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(kernels) + 1)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
