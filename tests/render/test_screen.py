"""A screen drawn without anything that redraws it."""

from __future__ import annotations

from rich.text import Text

from oomctl.render.screen import painted


def test_lines_reach_from_edge_to_edge_and_the_last_one_does_not_scroll_the_screen() -> None:
    assert painted([Text("next"), Text("x" * 99)], "", 8) == "next    \r\n" + "x" * 8
