"""The list of processes as table, plain text, tsv or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from oomctl.model.listing import Machine, Row
from oomctl.render.fields import Field, process_document
from oomctl.render.text import aligned, count, size, visible

if TYPE_CHECKING:
    from rich.console import JustifyMethod


FORMATS = ("table", "plain", "tsv", "json")
_BAR = 8
_LEAST_TEXT = 8


def summary(machine: Machine) -> str:
    """Return the line above the ranking."""
    swap = f"swap {size(machine.swap_left)} left of {size(machine.swap_total)}" if machine.swap_total else "no swap"
    parts = [
        f"{visible(machine.scope)}: {size(machine.memory_left)} left of {size(machine.memory_total)}, {swap}",
        f"{machine.candidates} killable, {machine.unkillable} not",
    ]
    if machine.hidden:
        parts.append(f"{count(machine.hidden, 'process', 'processes')} hidden from you: the prediction may miss them")
    return "; ".join(parts)


def render(rows: Sequence[Row], fields: Sequence[Field], machine: Machine, output: str) -> str:
    """Return ``rows`` in one of ``FORMATS``, with a newline at the end."""
    if output == "json":
        return json.dumps(document(rows, machine)) + "\n"
    if output == "tsv":
        lines = [[field.name for field in fields]]
        lines += [[field.raw(row, machine.page_size) for field in fields] for row in rows]
        return "".join("\t".join(line) + "\n" for line in lines)
    if output == "plain":
        cells = [[field.title for field in fields]]
        cells += [[field.text(row, machine.page_size) for field in fields] for row in rows]
        return aligned(cells, [field.number for field in fields]) + "\n"
    return _table(rows, fields, machine)


def document(rows: Sequence[Row], machine: Machine) -> dict[str, Any]:
    """Return the document of ``top --json``."""
    return {
        "schema": "oomctl.top/1",
        "kernel": machine.kernel,
        "page_size": machine.page_size,
        "totalpages": machine.totalpages,
        "hidden_processes": machine.hidden,
        "processes": [{**process_document(row, machine.page_size), "rank": row.rank} for row in rows],
    }


def _table(rows: Sequence[Row], fields: Sequence[Field], machine: Machine) -> str:
    """Draw the table for a terminal: a bar for how near each is to being first, colour for the nearest."""
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    from oomctl.render.terminal import drawn, width

    texts = [[field.text(row, machine.page_size) for field in fields] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip([field.title for field in fields], *texts, strict=True)]
    numbers = [field.number for field in fields]
    bars = any(field.name == "rank" for field in fields)
    gap = 2
    if sum(widths) + (_BAR + gap if bars else 0) + gap * (len(widths) - 1) > width():
        gap = 1
        widths = narrowed(widths, numbers, width() - len(widths) + 1)
        bars = bars and sum(widths) + _BAR + len(widths) <= width()
    table = Table(box=None, pad_edge=False, header_style="bold", expand=False, padding=(0, gap, 0, 0))
    for field, room in zip(fields, widths, strict=True):
        justify: JustifyMethod = "right" if field.number else "left"
        table.add_column(field.title, justify=justify, no_wrap=True, overflow="ellipsis", width=room)
        if bars and field.name == "rank":
            table.add_column("NEAR", no_wrap=True)
    for row, line in zip(rows, texts, strict=True):
        cells: list[Text] = []
        for field, text in zip(fields, line, strict=True):
            cells.append(Text(text))
            if bars and field.name == "rank":
                cells.append(Text(bar(row.lead), style=_colour(row)))
        table.add_row(*cells, style="dim" if row.candidate is None else "bold" if row.rank == 1 else "")
    return drawn(Text(summary(machine), style="italic"), table)


def narrowed(widths: Sequence[int], numbers: Sequence[bool], room: int) -> list[int]:
    """Take from the widest columns of text until all fit into ``room``; half a number would be a wrong one."""
    widths = list(widths)
    while sum(widths) > room:
        wide = [index for index, width in enumerate(widths) if not numbers[index] and width > _LEAST_TEXT]
        if not wide:
            break
        widths[max(wide, key=lambda index: widths[index])] -= 1
    return widths


def bar(share: float) -> str:
    """Return ``share`` (0..1) as a bar of fixed width."""
    full = round(max(0.0, min(share, 1.0)) * _BAR)
    return "█" * full + "·" * (_BAR - full)


def _colour(row: Row) -> str:
    if row.candidate is None:
        return "dim"
    return "red" if row.lead >= 0.9 else "yellow" if row.lead >= 0.5 else "green"
