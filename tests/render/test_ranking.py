"""The line above the ranking, its bar, and which columns give way."""

from __future__ import annotations

import pytest

from oomctl.model.listing import Machine
from oomctl.render.ranking import bar, narrowed, summary

MIB = 1 << 20
MACHINE = Machine("7.1", 4096, 1000, "machine", 100 * MIB, 25 * MIB, 0, 0, candidates=3, unkillable=2)


def test_the_summary_says_what_is_left_and_who_counts() -> None:
    assert summary(MACHINE) == "machine: 25.0MiB left of 100.0MiB, no swap; 3 killable, 2 not"
    swapping = MACHINE._replace(swap_total=MIB, swap_left=0)
    assert "swap 0 left of 1.0MiB" in summary(swapping)


@pytest.mark.parametrize(
    ("hidden", "said"), [(0, ""), (1, "1 process hidden from you"), (7, "7 processes hidden from you")]
)
def test_the_summary_says_how_many_are_hidden(hidden: int, said: str) -> None:
    text = summary(MACHINE._replace(hidden=hidden))
    assert said in text
    assert ("hidden" in text) == (hidden > 0)


def test_a_hostile_cgroup_is_harmless_in_the_summary() -> None:
    assert "\x1b" not in summary(MACHINE._replace(scope="cgroup /\x1b[31m"))


@pytest.mark.parametrize(
    ("share", "drawn"),
    [
        (1.0, "████████"),
        (0.5, "████····"),
        (0.0, "········"),
        (-3.0, "········"),
        (7.0, "████████"),
        (0.07, "█·······"),
    ],
)
def test_a_bar_has_one_width(share: float, drawn: str) -> None:
    assert bar(share) == drawn


@pytest.mark.parametrize(
    ("widths", "numbers", "room", "expected"),
    [
        pytest.param([5, 20], [True, False], 25, [5, 20], id="what fits stays"),
        pytest.param([5, 20], [True, False], 20, [5, 15], id="text gives way"),
        pytest.param([5, 20, 10], [True, False, False], 25, [5, 10, 10], id="the widest first"),
        pytest.param([5, 20, 18], [True, False, False], 25, [5, 10, 10], id="down to the same"),
        pytest.param([30, 20], [True, False], 20, [30, 8], id="never a number, and never all of a text"),
    ],
)
def test_text_gives_way_to_numbers(widths: list[int], numbers: list[bool], room: int, expected: list[int]) -> None:
    assert narrowed(widths, numbers, room) == expected
