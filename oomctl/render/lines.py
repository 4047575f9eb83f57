"""One line of a live ranking: which columns fit, how wide they are, and a bar for what badness is made of.

Column widths depend on the width of the screen only, so that nothing moves sideways from one refresh to the next.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple

from oomctl.model.kernel import Candidate
from oomctl.model.listing import Group, Row
from oomctl.render.fields import Field
from oomctl.render.text import size, visible

if TYPE_CHECKING:
    from rich.text import Text

_LEAST_BAR, _MOST_BAR = 8, 24
_SIZE_WIDTH = 9  # 1023.9MiB
_WIDTHS = {  # of what is no size: the longest values that there are
    "rank": 5,
    "pid": 7,
    "ppid": 7,
    "uid": 10,
    "oom_score": 4,
    "oom_score_adj": 6,
    "badness_bytes": 10,
    "badness_pages": 9,
    "killable": 8,
    "start_time": 13,
}
_TEXT_WIDTHS = {"user": (6, 12), "comm": (11, 16), "group": (8, 32), "unit": (8, 32), "cgroup": (8, 48)}
_OTHER_TEXT = (10, 400)
_FIRST_TO_GO = ("pgtables_bytes", "swap_bytes", "oom_score", "user", "group", "rss_bytes")


class Layout(NamedTuple):
    columns: tuple[tuple[Field, int], ...]
    """Fields with their widths in cells."""
    bar: int
    """Width of the bar behind the rank; 0: none."""
    width: int


class Bar(NamedTuple):
    """Cells of a bar: what memory does to the badness, what adj adds, what adj takes away."""

    memory: int
    added: int
    taken: int


def layout(fields: Sequence[Field], width: int) -> Layout:
    """Choose among ``fields`` those that fit into ``width`` cells, and share the room that is left."""
    kept = list(fields)
    bar = _LEAST_BAR if any(field.name == "rank" for field in fields) else 0
    for name in _FIRST_TO_GO:
        if _least(kept, bar) <= width:
            break
        kept = [field for field in kept if field.name != name] or kept
    if _least(kept, bar) > width:
        bar = 0
    widths = [_bounds(field)[0] for field in kept]
    spare = max(width - _least(kept, bar), 0)
    for name in ("comm", "user"):  # a little room makes a whole name of half of one
        for index, field in enumerate(kept):
            if field.name == name:
                more = min(spare, _bounds(field)[1] - widths[index])
                widths[index] += more
                spare -= more
    if bar:
        more = min(spare // 2, _MOST_BAR - bar)
        bar += more
        spare -= more
    for index, field in enumerate(kept):
        more = min(spare, _bounds(field)[1] - widths[index])
        widths[index] += more
        spare -= more
    return Layout(tuple(zip(kept, widths, strict=True)), bar, width)


def _least(fields: Sequence[Field], bar: int) -> int:
    return sum(_bounds(field)[0] + 1 for field in fields) - 1 + (bar + 1 if bar else 0)


def _bounds(field: Field) -> tuple[int, int]:
    """The least and the most cells that a column is worth."""
    if not field.number and field.name not in _WIDTHS:
        return _TEXT_WIDTHS.get(field.name, _OTHER_TEXT)
    width = _WIDTHS.get(field.name, _SIZE_WIDTH)
    return width, width


def bar_of(candidate: Candidate | None, first: int, width: int) -> Bar:
    """Draw a badness as a part of the ``first``'s: full is as near to being killed as that one."""
    if candidate is None or first <= 0:
        return Bar(0, 0, 0)
    memory = candidate.badness - candidate.adj_pages
    cells = width / first
    if candidate.adj_pages >= 0:
        whole = _cells(candidate.badness * cells, width)
        own = min(_cells(memory * cells, width), whole)
        return Bar(own, whole - own, 0)
    left = _cells(candidate.badness * cells, width)
    return Bar(left, 0, _cells(memory * cells, width) - left)


def _cells(exact: float, width: int) -> int:
    return max(0, min(round(exact), width))


def title_line(shape: Layout, sort_name: str | None = None) -> Text:
    """Return the column titles; the one sorted by is underlined."""
    from rich.text import Text

    line = Text(style="bold reverse", no_wrap=True)
    for field, width in shape.columns:
        style = "underline" if field.name == sort_name else ""
        line.append(_fitted(field.title, width, field.number), style)
        line.append(" ")
        if field.name == "rank" and shape.bar:
            line.append(_fitted("MEM ADJ", shape.bar, False) + " ")
    return _cut(line, shape.width)


def row_line(row: Row, shape: Layout, first: int, page_size: int, marked: Collection[int] = ()) -> Text:
    """Return one process as a line of exactly the layout's width.

    ``first`` is the badness of the first in pages; ``marked`` are PIDs whose adj is only thought of.
    """
    from rich.text import Text

    is_marked = row.task.pid in marked
    line = Text(style=_style(row), no_wrap=True)
    for field, width in shape.columns:
        text = field.text(row, page_size)
        if is_marked and field.name == "oom_score_adj":
            line.append(_fitted(f"*{text}", width, True), "bold reverse")
        else:
            line.append(_fitted(text, width, field.number))
        line.append(" ")
        if field.name == "rank" and shape.bar:
            _append_bar(line, bar_of(row.candidate, first, shape.bar), shape.bar)
    return _cut(line, shape.width)


_GROUP_COLUMNS = (("RANK", 5), ("PROCS", 6), ("RSS", 9), ("SWAP", 9), ("PGTABLES", 9))
_FEW_GROUP_COLUMNS = 3
"""So many of them where the screen is narrow: the name of a group may be long."""
_GROUP_VICTIM = 28
_WIDE_FOR_GROUPS = 100


def group_title_line(group_by: str, width: int) -> Text:
    """Return the titles of a ranking of groups."""
    return _group_cells([title for title, _ in _GROUP_COLUMNS], "DIES FIRST", group_by.upper(), width, "bold reverse")


def group_line(group: Group, width: int, page_size: int) -> Text:
    """Return one group as a line: its sums, and the member that would die."""
    first = group.first
    pages = (group.rss_pages, group.swap_pages, group.pgtables_pages)
    values = ["-" if first.rank is None else str(first.rank), str(group.processes)]
    values += [size(number * page_size) for number in pages]
    dies = "nobody" if first.rank is None else f"{first.task.pid} {visible(first.task.comm)}, adj {first.task.adj}"
    return _group_cells(values, dies, visible(group.name), width, _style(first))


def _group_cells(values: Sequence[str], dies: str, name: str, width: int, style: str) -> Text:
    from rich.text import Text

    columns = _GROUP_COLUMNS if width >= _WIDE_FOR_GROUPS else _GROUP_COLUMNS[:_FEW_GROUP_COLUMNS]
    cells = [_fitted(value, room, True) for value, (_, room) in zip(values, columns, strict=False)]
    return _cut(Text(" ".join([*cells, _fitted(dies, _GROUP_VICTIM, False), name]), style=style, no_wrap=True), width)


def _append_bar(line: Text, bar: Bar, width: int) -> None:
    line.append("█" * bar.memory, "cyan")
    line.append("▒" * bar.added, "magenta")
    line.append("-" * bar.taken, "green")
    line.append("·" * (width - sum(bar)) + " ", "dim")


def _style(row: Row) -> str:
    if row.candidate is None:
        return "dim"
    return "bold red" if row.rank == 1 else ""


def _fitted(text: str, width: int, right: bool) -> str:
    """Make ``text`` exactly ``width`` cells wide; what does not fit ends in an ellipsis."""
    if text.isascii():
        if len(text) > width:
            return text[: width - 1] + "…"
        return text.rjust(width) if right else text.ljust(width)
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) > width:
        return set_cell_size(text, width - 1) + "…"
    padding = " " * (width - cell_len(text))
    return padding + text if right else text + padding


def _cut(line: Text, width: int) -> Text:
    line.truncate(width, pad=True)
    return line


def plain(text: str, width: int, style: str = "") -> Text:
    """Return any sentence as one harmless line of at most ``width`` cells."""
    from rich.text import Text

    line = Text(visible(text), style=style, no_wrap=True)
    line.truncate(width, overflow="ellipsis")
    return line
