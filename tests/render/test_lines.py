"""A line of a ranking: which columns fit, the bar, harmless names."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from oomctl.kernel.selection import ranked_rows
from oomctl.model.listing import Details, Row
from oomctl.render import fields, ranking
from oomctl.render.lines import Bar, Layout, bar_of, layout, layout_for, plain, row_line, title_line
from tests.tasks import round_of, task

DEFAULT = tuple(map(fields.find, fields.DEFAULT))
WIDTHS = [20, 40, 60, 79, 80, 81, 100, 120, 132, 160, 200, 300]


def rows_of(*tasks: object) -> list[Row]:
    result = round_of(*tasks)  # type: ignore[arg-type]
    return ranked_rows(result.ranking, result.spared)


def names(width: int) -> list[str]:
    return [field.name for field, _ in layout(DEFAULT, width).columns]


def test_80_columns_have_what_matters_most() -> None:
    assert names(80) == ["rank", "pid", "user", "oom_score_adj", "badness_bytes", "rss_bytes", "group", "comm"]
    assert layout(DEFAULT, 80).bar >= 8


def test_wide_terminals_have_every_column_and_a_long_bar() -> None:
    assert names(200) == [field.name for field in DEFAULT]
    assert layout(DEFAULT, 200).bar == 24


def test_growth_is_there_where_there_is_room_and_wherever_it_is_sorted_by() -> None:
    live = fields.with_growth(DEFAULT)
    shapes = {width: [field.name for field, _ in layout(live, width).columns] for width in WIDTHS}
    assert [width for width in WIDTHS if "growth" in shapes[width]] == [100, 120, 132, 160, 200, 300]
    assert shapes[80] == names(80)
    assert "growth" in [field.name for field, _ in layout(live, 80, sorted_by="growth").columns]
    assert "growth" in [field.name for field, _ in layout(live, 60, sorted_by="growth").columns]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("comm", ["java", "名前" * 8, "x" * 80, "a\x1b[31mb\n"])
def test_a_line_is_exactly_as_wide_as_the_screen(width: int, comm: str) -> None:
    shape = layout(DEFAULT, width)
    (row,) = rows_of(task(4_194_304, rss=10**7, comm=comm, adj=-100))
    lines = [title_line(shape), row_line(row, shape, 100, 4096, {row.task.pid})]
    assert [cell_len(line.plain) for line in lines] == [width, width]


@pytest.mark.parametrize("width", [80, 120, 200])
def test_numbers_are_whole(width: int) -> None:
    (row,) = rows_of(task(4_194_304, rss=10**6, adj=-1000 + 1))
    line = row_line(row, layout(DEFAULT, width), 100, 4096).plain
    assert {"4194304", "-999", "3.81GiB"} <= set(line.split())


@pytest.mark.parametrize("width", range(1, 100))
def test_the_right_edge_cuts_no_number(width: int) -> None:
    (row,) = rows_of(task(4_194_304, rss=10**6, adj=-999, comm="java"))
    whole = {"1", "4194304", "-999", "3.81GiB", "-"} | {field.text(row, 4096) for field in DEFAULT}
    for shape in (layout(DEFAULT, width), printed(width, row)):
        numbers = [word for word in row_line(row, shape, 1, 4096).plain.split() if word[-1].isdigit() or "B" in word]
        assert set(numbers) <= whole


def printed(width: int, *rows: Row) -> Layout:
    """The layout of these rows, printed once."""
    return layout_for(DEFAULT, width, [[field.text(row, 4096) for field in DEFAULT] for row in rows])


def test_printed_once_a_column_is_as_wide_as_what_stands_in_it() -> None:
    (row,) = rows_of(task(10, rss=100, comm="名前"))
    line = row_line(row, printed(200, row), 100, 4096).plain
    assert line == f"   1  {'█' * 24}   10  -       -    0  0.39MiB  0.39MiB     0         0  -            名前   "


def test_printed_once_on_a_wide_terminal_two_spaces_are_between_columns() -> None:
    (row,) = rows_of(task(10, rss=100))
    assert [printed(width, row).gap for width in (200, 100, 80, 40)] == [2, 2, 1, 1]


def test_printed_once_a_text_gives_way_before_a_number_does() -> None:
    (row,) = rows_of(task(4_194_304, rss=10**6, comm="x" * 15, adj=-999))
    title, line = (str(text) for text in (title_line(printed(40, row)), row_line(row, printed(40, row), 1, 4096)))
    assert title.split() == ["RANK", "PID", "ADJ", "BADNESS", "COMMAND"]
    assert line.split()[:3] == ["1", "4194304", "-999"]
    assert line.split()[-1] == "x" * 13 + "…"


PATH = "/process_api/" + "9fd781ccd1ef0000" * 2
LISTED = fields.with_command_lines(DEFAULT)


def running(cmdline: str, **facts: int) -> Row:
    (row,) = rows_of(task(10, rss=100, comm="java", **facts))
    return row._replace(details=Details("root", cgroup=PATH, cmdline=cmdline))


def table(width: int, *rows: Row) -> list[str]:
    shape = ranking.shape_of(rows, LISTED, 4096, width)
    return [title_line(shape).plain, *(row_line(row, shape, 100, 4096).plain for row in rows)]


def test_a_command_line_gets_the_room_that_is_left_and_comm_at_least() -> None:
    row = running("/usr/bin/java -jar " + "x" * 300)
    lengths = [len(table(width, row)[1].partition("java")[2]) for width in (80, 120, 160, 200)]
    assert lengths == sorted(lengths)
    assert lengths[-1] > 70
    assert all(" java " in table(width, row)[1] for width in (50, 60, 80, 120, 200))
    assert [len(line) for line in table(120, row)] == [120, 120]


def test_a_table_whose_columns_were_chosen_shows_comm_alone() -> None:
    row = running("/usr/bin/java -jar app.jar")
    assert fields.find("comm").text(row, 4096, 80) == "java"
    assert fields.find("comm").raw(row, 4096) == fields.COMMAND_LINE.raw(row, 4096) == "java"
    assert fields.COMMAND_LINE.text(row, 4096) == "java"
    assert fields.COMMAND_LINE.text(row, 4096, 80) == "java -jar app.jar"


def test_the_last_part_of_a_cgroup_stays_and_what_it_leaves_free_goes_to_others() -> None:
    row = running("/usr/bin/java -jar " + "x" * 300)
    assert "/process_api/9fd781ccd1ef…" in table(120, row)[1]
    assert "/…/9fd781ccd1ef… java -jar" in table(92, row)[1]
    assert "…/9fd781ccd… java " in table(72, row)[1]


def test_where_room_is_short_swap_that_nobody_has_any_of_takes_none() -> None:
    row = running("/usr/bin/java -jar " + "x" * 300)
    assert "SWAP" in table(200, row)[0]
    assert "SWAP" not in table(100, row)[0]
    assert "SWAP" in table(100, running("java", swap=1))[0]
    assert "SWAP" in title_line(printed(80, row)).plain


def test_a_live_column_is_narrow_where_it_can_hold_nothing() -> None:
    wide, narrow = (dict(layout(DEFAULT, 200, empty).columns)[fields.find("swap")] for empty in ((), ("swap_bytes",)))
    assert (wide, narrow) == (9, len("SWAP"))


def test_a_live_line_with_a_command_line_is_exactly_as_wide_as_the_screen() -> None:
    row = running("/usr/bin/java -jar \x1b[2J名前" + "x" * 300)
    for width in WIDTHS:
        line = row_line(row, layout(LISTED, width), 100, 4096)
        assert cell_len(line.plain) == width
        assert line.plain.isprintable()


def test_a_click_finds_the_column_under_it() -> None:
    shape = Layout(((fields.find("rank"), 5), (fields.find("pid"), 7)), 8, 30)
    found = [shape.field_at(x) for x in (0, 5, 6, 14, 15, 22, 23)]
    assert [field and field.name for field in found] == [*["rank"] * 4, "pid", "pid", None]


def test_escape_sequences_in_a_name_are_written_out() -> None:
    (row,) = rows_of(task(10, rss=1, comm="\x1b[2J\x9b1m\u202e"))
    line = row_line(row, layout(DEFAULT, 200), 1, 4096).plain
    assert line.isprintable()
    assert r"\x1b[2J" in line
    assert plain("cgroup /a\x1b[31m", 40).plain == r"cgroup /a\x1b[31m"


def test_the_bar_is_full_for_the_first_and_tells_memory_from_adj() -> None:
    first, second, third = rows_of(task(10, rss=100_000, adj=100), task(11, rss=100_000), task(12, rss=50_000))
    assert first.candidate is not None
    assert bar_of(first.candidate, first.candidate.badness, 8) == Bar(4, 4, 0)
    assert bar_of(second.candidate, first.candidate.badness, 8) == Bar(4, 0, 0)
    assert bar_of(third.candidate, first.candidate.badness, 8) == Bar(2, 0, 0)


def test_the_bar_shows_what_a_negative_adj_takes_away() -> None:
    first, second = rows_of(task(10, rss=200_000), task(11, rss=200_000, adj=-100))
    assert first.candidate is not None
    assert bar_of(second.candidate, first.candidate.badness, 8) == Bar(4, 0, 4)


def test_a_badness_below_zero_and_nobody_to_compare_with_are_empty_bars() -> None:
    (row,) = rows_of(task(10, rss=100, adj=-500))
    assert row.candidate is not None
    assert bar_of(row.candidate, row.candidate.badness, 8) == Bar(0, 0, 0)
    assert bar_of(None, 100, 8) == Bar(0, 0, 0)


def test_the_first_is_red_and_who_cannot_be_chosen_is_dim() -> None:
    rows = rows_of(task(10, rss=200), task(11, rss=100), task(12, rss=100, adj=-1000))
    assert [row_line(row, printed(80, *rows), 1, 4096).style for row in rows] == ["bold red", "", "dim"]


def test_a_marked_adj_has_a_star() -> None:
    (row,) = rows_of(task(10, rss=100, adj=-500))
    shape = layout(DEFAULT, 80)
    assert " *-500 " in row_line(row, shape, 1, 4096, {10}).plain
    assert "*" not in row_line(row, shape, 1, 4096).plain
