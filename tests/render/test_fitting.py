"""Lists and sentences on a terminal of any width."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oomctl.render.fitting import Column, fitted
from oomctl.render.folding import folded

COLUMNS = (Column("N", right=True), Column("PATH", least=10), Column("LESS", goes=1), Column("SIZE", right=True))
ROWS = [["1", "/a/long/path/to/something", "unneeded", "123.4MiB"], ["22", "short", "x", "1.0MiB"]]


def test_a_pipe_gets_everything() -> None:
    assert fitted(COLUMNS, ROWS, None).splitlines() == [
        " N  PATH                       LESS          SIZE",
        " 1  /a/long/path/to/something  unneeded  123.4MiB",
        "22  short                      x           1.0MiB",
    ]


def test_columns_come_nearer_before_a_name_is_shortened() -> None:
    assert fitted(COLUMNS, ROWS, 47).splitlines()[1] == " 1 /a/long/path/to/something unneeded 123.4MiB"


def test_a_name_is_shortened_before_a_column_goes() -> None:
    assert fitted(COLUMNS, ROWS, 40).splitlines()[1] == " 1 /a/long/p…something unneeded 123.4MiB"


def test_the_least_column_goes_before_a_name_is_shortened_too_much() -> None:
    assert fitted(COLUMNS, ROWS, 28).splitlines() == [
        f" N PATH{' ' * 17}SIZE",
        " 1 /a/long…omething 123.4MiB",
        f"22 short{' ' * 14}1.0MiB",
    ]


def test_a_list_of_nothing_has_its_titles() -> None:
    assert fitted(COLUMNS, [], 80) == "N  PATH  LESS  SIZE"


@given(st.integers(22, 120))
def test_numbers_stay_whole_at_every_width(width: int) -> None:
    lines = fitted(COLUMNS, ROWS, width).splitlines()
    assert all(len(line) <= width for line in lines)
    assert [line.split()[-1] for line in lines[1:]] == ["123.4MiB", "1.0MiB"]


def test_a_sentence_goes_on_below_where_it_begins() -> None:
    line = "Certainty  certain: it leads by 83.1MiB, what the killer finds may differ by 16.3MiB"
    assert folded(f"{line}\nx\n", 40).splitlines() == [
        "Certainty  certain: it leads by 83.1MiB,",
        "           what the killer finds may",
        "           differ by 16.3MiB",
        "x",
    ]


def test_a_long_word_stays_in_one_piece() -> None:
    assert folded("          /a-path/longer/than/the/terminal", 20) == "          /a-path/longer/than/the/terminal"


@given(st.lists(st.text("ab -:", max_size=60), max_size=4), st.integers(10, 90))
def test_folding_loses_no_word(lines: list[str], width: int) -> None:
    text = "\n".join(lines)
    assert folded(text, width).split() == text.split()
