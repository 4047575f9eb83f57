"""The line above the ranking."""

from __future__ import annotations

import pytest

from oomctl.model.listing import Machine
from oomctl.render.ranking import summary

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
