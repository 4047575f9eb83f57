"""The lines of a ranking: which columns fit, how wide they are, and a bar for what badness is made of.

In a live ranking widths depend on the width of the screen only, so that nothing moves sideways from one refresh to the
next; in a table that is printed once each column is as wide as what stands in it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from oomctl.model.kernel import Candidate
from oomctl.model.listing import Row
from oomctl.model.look import Group
from oomctl.render.cgroups import short_name
from oomctl.render.fields import COMMAND_LINE, Field
from oomctl.render.palette import TERMINAL, Palette
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
    "growth": 7,
    "killable": 8,
    "start_time": 13,
}
_TEXT_WIDTHS = {"user": (6, 12), "comm": (11, 16), "group": (8, 32), "unit": (8, 32), "cgroup": (8, 48)}
_NAME_ROOM = 12  # for the id of a container, or that of a pod
_OTHER_TEXT = (10, 400)
_WIDEST_COMM = 16
_FAIR_COMMAND = 32
"""So much of a command line is worth more than wide gaps."""
_COMMAND_LINE = (11, 400)
_ANY_WIDTH = 1 << 16
_FIRST = (("comm", _WIDEST_COMM), ("user", 8), ("group", 20), ("comm", _FAIR_COMMAND), ("user", 12))
"""Which columns get the room that is left, up to so many cells, before bars become longer."""
_FIRST_TO_GO = ("pgtables_bytes", "swap_bytes", "oom_score", "growth", "user", "group", "rss_bytes")


class Layout(NamedTuple):
    """Where the cells of each line stand."""

    columns: tuple[tuple[Field, int], ...]
    """Fields with their widths in cells."""
    bar: int
    """Width of the bar behind the rank; 0: none."""
    width: int
    """Of the whole line."""
    gap: int = 1
    """Spaces between two columns."""

    def field_at(self, x: int) -> Field | None:
        """Return the field in whose column, bar or gap behind it the cell ``x`` of a line is."""
        left = 0
        for field, width in self.columns:
            left += width + self.gap + (self.bar + self.gap if field.name == "rank" and self.bar else 0)
            if x < left:
                return field
        return None

    def without_margin(self) -> Layout:
        """Return the same columns without the empty cells behind the last one."""
        taken = _taken([width for _, width in self.columns], self.bar, self.gap)
        return self._replace(width=min(self.width, taken))


class Bar(NamedTuple):
    """Cells of a bar: what memory does to the badness, what adj adds, what adj takes away."""

    memory: int
    added: int
    taken: int


_Bounds = Callable[[Field], tuple[int, int]]
"""The least and the most cells that a column is worth."""


def layout(fields: Sequence[Field], width: int, empty: Collection[str] = (), sorted_by: str | None = None) -> Layout:
    """Choose among ``fields`` those that fit into ``width`` cells, whatever they say, and share what room is left.

    ``empty`` are names of fields that can hold nothing here, as swap where there is none: they take no more room than
    their titles. The field ``sorted_by`` goes last.
    """

    def bounds(field: Field) -> tuple[int, int]:
        return (len(field.title),) * 2 if field.name in empty else _bounds(field)

    return _laid_out(fields, width, bounds, 1, _FIRST, sorted_by)


def layout_for(fields: Sequence[Field], width: int, cells: Sequence[Sequence[str]]) -> Layout:
    """Do the same for these very ``cells``, which give each column its width; each line has one for every field."""
    from rich.cells import cell_len

    texts = [(field.title, *column) for field, *column in zip(fields, *cells)]
    needed = {field.name: max(map(cell_len, column)) for field, column in zip(fields, texts)}
    named = {field.name: max(map(cell_len, column[1:]), default=0) for field, column in zip(fields, texts)}

    def bounds(field: Field) -> tuple[int, int]:
        longest = needed[field.name]
        if field.told is not None and field is not COMMAND_LINE:
            return min(longest, max(_bounds(field)[0], min(named[field.name], _NAME_ROOM))), longest
        return longest if _is_number(field) else min(longest, _bounds(field)[0]), longest

    whole = [
        min(needed[field.name], _FAIR_COMMAND) if field is COMMAND_LINE else needed[field.name] for field in fields
    ]
    gap = 2 if _taken(whole, _least_bar(fields), 2) <= width else 1
    if COMMAND_LINE in fields and _taken(whole, _least_bar(fields), gap) > width:  # else the columns were asked for
        fields = [field for field, *column in zip(fields, *cells) if not _says_nothing(field, column)]
    first = (("comm", _WIDEST_COMM), *((name, _ANY_WIDTH) for name in needed if name != "comm"), ("comm", 48))
    return _laid_out(fields, width, bounds, gap, first).without_margin()


def _says_nothing(field: Field, column: Sequence[str]) -> bool:
    """Whether it is swap, and nobody has any: where room is short, names can use its column better."""
    return field.name == "swap_bytes" and set(column) == {"0"}


def _laid_out(
    fields: Sequence[Field],
    width: int,
    bounds: _Bounds,
    gap: int,
    before_bar: Iterable[tuple[str, int]],
    sorted_by: str | None = None,
) -> Layout:
    """Lay out what fits; room that is left goes to the columns ``before_bar`` first, up to so many cells."""
    kept, bar = _that_fit(fields, width, bounds, gap, sorted_by)
    widths = [bounds(field)[0] for field in kept]
    spare = max(width - _taken(widths, bar, gap), 0)

    def widen(name: str, most: int = _ANY_WIDTH) -> None:
        nonlocal spare
        for index, field in enumerate(kept):
            if field.name == name:
                more = max(min(spare, min(bounds(field)[1], most) - widths[index]), 0)
                widths[index] += more
                spare -= more

    for name, most in before_bar:  # a little room makes a whole name of half of one
        widen(name, most)
    longer = min(spare // 2, _MOST_BAR - bar) if bar else 0
    spare -= longer
    for field in kept:
        widen(field.name)
    return Layout(tuple(_whole(zip(kept, widths), width, gap)), bar + longer, width, gap)


def _that_fit(
    fields: Sequence[Field], width: int, bounds: _Bounds, gap: int, sorted_by: str | None
) -> tuple[list[Field], int]:
    """Return the fields that are kept on a screen of that width, and the width of their bar."""

    def too_much(fields: Sequence[Field], bar: int) -> bool:
        return _taken([bounds(field)[0] for field in fields], bar, gap) > width

    kept, bar = list(fields), _least_bar(fields)
    for name in sorted(_FIRST_TO_GO, key=lambda name: name == sorted_by):
        if too_much(kept, bar):
            kept = [field for field in kept if field.name != name] or kept
    return kept, 0 if too_much(kept, bar) else bar


def _whole(columns: Iterable[tuple[Field, int]], width: int, gap: int) -> Iterator[tuple[Field, int]]:
    """Leave out numbers that the right edge would cut: half of one would be a wrong one."""
    left = 0  # without a bar: where there is one, everything fits
    for field, cells in columns:
        if left + cells <= width or not _is_number(field):
            yield field, cells
            left += cells + gap


def _least_bar(fields: Sequence[Field]) -> int:
    return _LEAST_BAR if any(field.name == "rank" for field in fields) else 0


def _taken(widths: Sequence[int], bar: int, gap: int) -> int:
    """Cells of a whole line."""
    return sum(widths) + gap * (len(widths) - 1) + (bar + gap if bar else 0)


def _is_number(field: Field) -> bool:
    """Whether half of a value would be another value; one of few words counts as that."""
    return field.number or field.name in _WIDTHS


def _bounds(field: Field) -> tuple[int, int]:
    if field is COMMAND_LINE:
        return _COMMAND_LINE
    if not _is_number(field):
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


BAR_TITLE = "RISK"
"""Of the bar: how near to being killed, as a share of the first one's badness."""


def title_line(shape: Layout, sort_name: str | None = None, palette: Palette = TERMINAL) -> Text:
    """Return the column titles; the one sorted by is underlined."""

    def cell(field: Field, width: int) -> _Piece:
        style = "underline" if field.name == sort_name else ""
        return _fitted(field.title, width, field.number), style

    return _line(shape, cell, [(_fitted(BAR_TITLE, shape.bar, False), "")], palette.titles)


def row_line(
    row: Row,
    shape: Layout,
    first: int,
    page_size: int,
    marked: Collection[int] = (),
    palette: Palette = TERMINAL,
) -> Text:
    """Return one process as a line of exactly the layout's width.

    ``first`` is the badness of the first in pages; ``marked`` are PIDs whose adj is only thought of.
    """

    def cell(field: Field, width: int) -> _Piece:
        text = field.text(row, page_size, width)
        if field.name == "oom_score_adj" and row.task.pid in marked:
            return _fitted(f"*{text}", width, True), palette.marked
        return _fitted(text, width, field.number), ""

    bar = bar_of(row.candidate, first, shape.bar)
    return _line(shape, cell, _drawn(bar, shape.bar, palette), _style(row, palette))


_Piece = tuple[str, str]
"""Text and style."""


def _line(shape: Layout, cell: Callable[[Field, int], _Piece], bar: Sequence[_Piece], style: str) -> Text:
    """Join the cells of all columns, and the bar behind the rank."""
    from rich.text import Text

    gap = (" " * shape.gap, "")
    pieces: list[_Piece] = []
    for field, width in shape.columns:
        pieces += [cell(field, width), gap]
        if field.name == "rank" and shape.bar:
            pieces += [*bar, gap]
    return _cut(Text.assemble(*pieces[:-1], style=style, no_wrap=True), shape.width)


def _drawn(bar: Bar, width: int, palette: Palette) -> list[_Piece]:
    rest = width - sum(bar)
    return [
        ("█" * bar.memory, palette.memory),
        ("▒" * bar.added, palette.added),
        ("-" * bar.taken, palette.taken),
        ("·" * rest, palette.empty),
    ]


_GROUP_COLUMNS = (("RANK", 5), ("PROCS", 6), ("RSS", 9), ("SWAP", 9), ("PGTABLES", 9))
_FEW_GROUP_COLUMNS = 3
"""So many of them where the screen is narrow: the name of a group may be long."""
_GROUP_VICTIM = 28
_WIDE_FOR_GROUPS = 100


def group_title_line(group_by: str, width: int, palette: Palette = TERMINAL) -> Text:
    """Return the titles of a ranking of groups."""
    return _group_cells([title for title, _ in _GROUP_COLUMNS], "DIES FIRST", group_by.upper(), width, palette.titles)


def group_line(group: Group, width: int, page_size: int, palette: Palette = TERMINAL) -> Text:
    """Return one group as a line: its sums, and the member that would die."""
    first = group.first
    pages = (group.rss_pages, group.swap_pages, group.pgtables_pages)
    values = ["-" if first.rank is None else str(first.rank), str(group.processes)]
    values += [size(number * page_size) for number in pages]
    dies = "nobody" if first.rank is None else f"{first.task.pid} {visible(first.task.comm)}, adj {first.task.adj}"
    name = short_name(group.name) if group.name.startswith("/") else visible(group.name)
    return _group_cells(values, dies, name, width, _style(first, palette))


def _group_cells(values: Sequence[str], dies: str, name: str, width: int, style: str) -> Text:
    from rich.text import Text

    columns = _GROUP_COLUMNS if width >= _WIDE_FOR_GROUPS else _GROUP_COLUMNS[:_FEW_GROUP_COLUMNS]
    cells = [_fitted(value, room, True) for value, (_, room) in zip(values, columns)]
    return _cut(Text(" ".join([*cells, _fitted(dies, _GROUP_VICTIM, False), name]), style=style, no_wrap=True), width)


def _style(row: Row, palette: Palette) -> str:
    if row.candidate is None:
        return palette.spared
    return palette.victim if row.rank == 1 else ""


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
