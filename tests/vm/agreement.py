"""What the kills of one kind say: how often oomctl was right, and everything about where it was not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple


class Agreement(NamedTuple):
    """Counts over some kills by one kernel."""

    kills: int = 0
    certain: int = 0
    certain_right: int = 0
    close_right: int = 0
    within: int = 0
    """The victim was one of the contenders."""
    further: int = 0
    """Kills besides: the same shortage had another victim before the first one's memory was back."""
    settled: int = 0
    settled_right: int = 0
    clear: int = 0
    """The first led by more than twice its pages of files, and had some."""
    clear_certain: int = 0
    outgrown: int = 0
    """The only one that grew was the victim, and the answer had not said who would be in that case."""

    def __add__(self, other: object) -> Agreement:
        assert isinstance(other, Agreement)
        return Agreement(*(mine + theirs for mine, theirs in zip(self, other)))

    def __str__(self) -> str:
        close = self.kills - self.certain
        settled = f", {self.settled_right}/{self.settled} settled" if self.settled else ""
        return f"{self.certain_right}/{self.certain} certain, {self.close_right}/{close} close{settled}"


NONE = Agreement()
_FEW_PAGES = 100
"""Less does not tell who leads in spite of files from who has none: other memory may be reclaimed, too."""


def agreement(kills: Iterable[dict[str, Any]]) -> Agreement:
    return sum(map(_of_one, kills), NONE)


def _of_one(kill: dict[str, Any]) -> Agreement:
    right, outgrown = bool(kill["agrees"]), bool(kill.get("outgrown"))
    # What is certain is certain of now, and so neither right nor wrong where somebody else became first by growing.
    certain = kill["certainty"] == "certain"
    settled = bool(kill.get("settled"))
    margin, file = kill.get("margin"), kill.get("file")
    clear = margin is not None and file is not None and file >= _FEW_PAGES and margin > 2 * file
    return Agreement(
        kills=1,
        certain=certain and not outgrown,
        certain_right=certain and right,
        close_right=not certain and right,
        within=kill["victim"] in kill["contenders"],
        further=kill["further"],
        settled=settled,
        settled_right=settled and right,
        clear=clear,
        clear_certain=clear and certain,
        outgrown=outgrown,
    )


def misses(kills: Iterable[dict[str, Any]]) -> str:
    """Everything known about the predictions that were wrong, as text; empty when there are none."""
    return "\n\n".join(_told(number, kill) for number, kill in enumerate(kills) if kill["misses"])


def _told(number: int, kill: dict[str, Any]) -> str:
    evidence = kill.get("evidence", {})
    lines = [f"kill {number} of {kill['kind']!r}: {'; '.join(kill['misses'])}"]
    lines += [
        f"  {kill['certainty']}, margin {kill['margin']}, bound {kill['bound']}, oomctl: {evidence.get('oomctl')}"
    ]
    doubts = kill.get("doubts") or "none"
    left = f"{kill.get('left')} pages ({kill.get('level')})"
    lines += [f"  settled: {kill.get('settled')}, doubts: {doubts}, left: {left}"]
    lines += ["  terms before the kill, in pages:", *(f"    {line}" for line in evidence.get("terms", ()))]
    lines += ["  the kernel's report:", *(f"    {line}" for line in evidence.get("kernel_report", ()))]
    return "\n".join(lines)


def table(counts: dict[tuple[str, str], Agreement], of: str = "kind") -> list[str]:
    """Lay out kind, or whatever it is counted by, by kernel."""
    kernels = list(dict.fromkeys(kernel for kernel, _ in counts))
    kinds = list(dict.fromkeys(kind for _, kind in counts))
    rows: list[Sequence[str]] = [(of, *kernels)]
    for kind in kinds:
        cells = (counts.get((kernel, kind)) for kernel in kernels)
        rows.append((kind, *("-" if cell is None else str(cell) for cell in cells)))
    totals = [
        sum((count for (of_kernel, _), count in counts.items() if of_kernel == kernel), NONE) for kernel in kernels
    ]
    rows.append(("all", *map(str, totals)))
    rows.append(("among the contenders", *(f"{total.within}/{total.kills}" for total in totals)))
    rows.append(("further kills", *(str(total.further) for total in totals)))
    if any(total.outgrown for total in totals):
        rows.append(("outgrown by the one that grew", *(str(total.outgrown) for total in totals)))
    if any(total.clear for total in totals):
        clear = (f"{total.clear_certain}/{total.clear}" for total in totals)
        rows.append(("certain of leads of twice the files", *clear))
    widths = [max(len(row[column]) for row in rows) for column in range(len(kernels) + 1)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
