"""Names made harmless, sizes for people, columns."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oomctl.render.text import aligned, count, mib_a_minute, named, named_or_nobody, size, visible
from tests.tasks import task


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("sshd", "sshd"),
        ("[red]x", "[red]x"),
        ("a b", "a b"),
        ("Zürich", "Zürich"),
        ("日本", "日本"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x7f", "\\x7f"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202egnp", "\\u202egnp"),
        ("\u200b", "\\u200b"),
        ("\u2028", "\\u2028"),
        ("\ue000", "\\ue000"),
        ("\U000e0041", "\\U000e0041"),
        ("\udcff", "\\udcff"),
        ("\ufffd", "\ufffd"),
    ],
)
def test_only_what_a_terminal_obeys_is_written_out(name: str, shown: str) -> None:
    assert visible(name) == shown


@given(st.text(st.characters(codec=None)))
def test_nothing_visible_is_harmful(name: str) -> None:
    shown = visible(name)
    assert all(unicodedata.category(char)[0] != "C" and char not in "\u2028\u2029" for char in shown)
    assert visible(shown) == shown


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (None, "-"),
        (0, "0"),
        (4096, "0.00MiB"),
        (40960, "0.04MiB"),
        (1 << 20, "1.0MiB"),
        (-(1 << 20), "-1.0MiB"),
        ((1 << 30) - (1 << 19), "1023.5MiB"),
        (1 << 30, "1.00GiB"),
        (-3 << 29, "-1.50GiB"),
        (5 << 40, "5120.00GiB"),
    ],
)
def test_a_size_is_one_word(size_bytes: int | None, shown: str) -> None:
    assert size(size_bytes) == shown


@pytest.mark.parametrize(
    ("mib", "shown"),
    [
        (0, "0"),
        (0.04, "0"),
        (-0.04, "0"),
        (0.06, "+0.1"),
        (12.34, "+12.3"),
        (-7, "-7.0"),
        (999.94, "+999.9"),
        (999.96, "+1000"),
        (-123456.7, "-123457"),
    ],
)
def test_a_growth_has_its_sign_and_as_many_digits_as_matter(mib: float, shown: str) -> None:
    assert mib_a_minute(mib * (1 << 20)) == shown


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert aligned([("A", "BBB", "C"), ("100", "x", "y z")], [True, False, False]) == "  A  BBB  C\n100  x    y z"


def test_a_row_ends_without_spaces() -> None:
    assert aligned([("A", "B"), ("x", "")], [False, False]) == "A  B\nx"


def test_counts_agree_with_their_noun() -> None:
    assert [count(number, "round") for number in (0, 1, 2)] == ["0 rounds", "1 round", "2 rounds"]
    assert count(2, "process", "processes") == "2 processes"


def test_a_process_is_named_by_number_and_harmless_name() -> None:
    assert named(task(812, comm="sshd")) == "812 (sshd)"
    assert named(task(812, comm="\x1b[2J")) == r"812 (\x1b[2J)"
    assert named_or_nobody(None) == "nobody"
