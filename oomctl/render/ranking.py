"""The list of processes as table, plain text, tsv or JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from oomctl.model.listing import Machine, Row
from oomctl.render.document import members, with_array
from oomctl.render.fields import COMMAND_LINE, Field, process_document, tsv_line
from oomctl.render.heading import memory
from oomctl.render.text import aligned, count, visible

if TYPE_CHECKING:
    from oomctl.render.lines import Layout

FORMATS = ("table", "plain", "tsv", "json")


def summary(machine: Machine) -> str:
    """Return the line above the ranking."""
    parts = [
        f"{visible(machine.scope)}: {memory(machine)}",
        f"{machine.candidates} killable, {machine.unkillable} not",
    ]
    if machine.hidden:
        parts.append(f"{count(machine.hidden, 'process', 'processes')} hidden from you: the prediction may miss them")
    return "; ".join(parts)


def render(
    rows: Sequence[Row], fields: Sequence[Field], machine: Machine, highest: int, output: str, in_colour: bool
) -> Iterable[str]:
    """Return ``rows`` in one of ``FORMATS``, in parts, with a newline at the end; a table ``in_colour`` or without.

    ``highest`` is the badness of the first in pages, whether it is among them or not.
    """
    if output == "json":
        return document(rows, machine)
    if output == "tsv":
        lines = [[field.name for field in fields]]
        lines += [[field.raw(row, machine.page_size) for field in fields] for row in rows]
        return map(tsv_line, lines)
    if output == "plain":
        cells = [[field.title for field in fields]]
        cells += [[field.text(row, machine.page_size) for field in fields] for row in rows]
        return [aligned(cells, [field.number for field in fields]) + "\n"]
    return [_table(rows, fields, machine, highest, in_colour)]


def document(rows: Sequence[Row], machine: Machine) -> Iterator[str]:
    """Yield the document of ``top --json`` in parts: of 10,000 processes it takes more memory than the rest."""
    head = {
        "schema": "oomctl.top/1",
        "kernel": machine.kernel,
        "page_size": machine.page_size,
        "totalpages": machine.totalpages,
        "hidden_processes": machine.hidden,
    }
    processes = ({**process_document(row, machine.page_size), "rank": row.rank} for row in rows)
    return with_array(f'{{{members(head)}, "processes": ', processes, "}\n")


def shape_of(rows: Sequence[Row], fields: Sequence[Field], page: int, room: int) -> Layout:
    """Lay out the table; what names of cgroups leave of their column when they are shortened goes to the others."""
    from oomctl.render.lines import layout_for

    shape = layout_for(fields, room, [[field.text(row, page, room) for field in fields] for row in rows])
    kept = [(field, room if field is COMMAND_LINE else cells) for field, cells in shape.columns]
    cells = [[field.text(row, page, most) for field, most in kept] for row in rows]
    return layout_for([field for field, _ in kept], room, cells)


def _table(rows: Sequence[Row], fields: Sequence[Field], machine: Machine, highest: int, in_colour: bool) -> str:
    """Draw the table for a terminal, by the lines of the live ranking."""
    from rich.text import Text

    from oomctl.render.lines import row_line, title_line
    from oomctl.render.terminal import drawn, width

    page = machine.page_size
    shape = shape_of(rows, fields, page, width())
    lines = (row_line(row, shape, highest, page) for row in rows)
    return drawn(Text(summary(machine), style="italic"), title_line(shape), *lines, in_colour=in_colour)
