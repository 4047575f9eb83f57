"""Marking a whole group: all members that may be written, and a sentence about those that are left alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from oomctl.errors import ImpossibleHere
from oomctl.live.pending import Mark
from oomctl.model.changes import WhyLeftAlone
from oomctl.model.kernel import Task
from oomctl.procfs.reader import Procfs
from oomctl.render import refusals
from oomctl.render.text import count, named
from oomctl.tui import writing


def allowed(asked: Sequence[Mark], now: Mapping[int, Task], procfs: Procfs) -> tuple[list[Mark], Counter[str]]:
    """Return the marks that ``oomctl set`` would write without a question, and why the others are left alone.

    ``now``: the processes of the latest look by PID.
    """
    marks, left_alone = [], Counter[str]()
    for mark in asked:
        objection = _objection(mark, now, procfs)
        if objection is None:
            marks.append(mark)
        else:
            left_alone[objection[1]] += 1
    return marks, left_alone


def warning(mark: Mark, procfs: Procfs) -> str:
    """Say beforehand what becomes of a mark that is not simply written; empty: it is."""
    objection = None if mark.adj == mark.task.adj else _objection(mark, {}, procfs)
    return "" if objection is None else f"marked, but w {objection[0]} {named(mark.task)}: {objection[1]}"


def _objection(mark: Mark, now: Mapping[int, Task], procfs: Procfs) -> tuple[str, str] | None:
    """Return whether ``w`` refuses a mark or asks about it, and why in a few words."""
    try:
        selection = writing.selection(mark, now, procfs)
    except ImpossibleHere as error:
        return "refuses", str(error)
    if selection.refused:
        return "refuses", _in_short(selection.refused[0].reason)
    if selection.risky:
        return "asks about", _in_short(selection.risky[0][1])
    return None


def sentence(group: str, asked: str, marks: Sequence[Mark], left_alone: Counter[str]) -> str:
    """Say what became of a key pressed on ``group``; ``asked``: the value in words."""
    already = sum(mark.adj == mark.task.adj for mark in marks)
    parts = [f"{count(len(marks) - already, 'process', 'processes')} of {group} marked: {asked}"]
    if already:
        parts.append(f"{already} already there")
    parts += [f"{number} left alone: {why}" for why, number in left_alone.most_common()]
    return "; ".join(parts)


def _in_short(why: WhyLeftAlone) -> str:
    """Return what stands before the explanation: there is one line for all of them."""
    return refusals.cause(why).partition(":")[0]
