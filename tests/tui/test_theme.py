"""What the interactive view is painted with."""

from __future__ import annotations

import asyncio

import pytest
from rich.segment import Segment

from oomctl.live.ask import Ask
from oomctl.live.shot import shoot
from oomctl.procfs.sampler import Sampler
from oomctl.render import fields
from oomctl.render.palette import DARK_BACKGROUND, LIGHT_BACKGROUND, THEMES
from oomctl.tui.app import TopApp
from oomctl.tui.ranking import Ranking
from tests.proc_tree import ProcTree


async def first_lines(tree: ProcTree, theme: str) -> list[list[Segment]]:
    """The selected line of the ranking, and the one below it."""
    sampler = Sampler(str(tree.root))
    ask = Ask(tuple(map(fields.find, fields.DEFAULT)))
    app = TopApp(ask, sampler, 3600, shoot(sampler, ask), tree.write("kmsg", ""), theme)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        ranking = app.query_one(Ranking)
        return [list(ranking.render_line(y)) for y in (0, 1)]


def colours(line: list[Segment], mark: str) -> tuple[str, str]:
    """Those of the piece with ``mark``: of the text, and behind it."""
    style = next(piece.style for piece in line if mark in piece.text)
    assert style is not None
    return tuple(colour.name if colour else "default" for colour in (style.color, style.bgcolor))  # type: ignore


@pytest.mark.parametrize(("theme", "ground"), [("dark", DARK_BACKGROUND), ("light", LIGHT_BACKGROUND)])
def test_a_theme_paints_the_background_of_every_cell(server: ProcTree, theme: str, ground: str) -> None:
    _, below = asyncio.run(first_lines(server, theme))
    assert {piece.style.bgcolor.name for piece in below if piece.style and piece.style.bgcolor} == {ground}
    assert all(piece.style and piece.style.bgcolor for piece in below)


@pytest.mark.parametrize("theme", THEMES)
def test_the_bar_of_the_selected_line_keeps_its_colour_and_the_line_has_its_own_background(
    server: ProcTree, theme: str
) -> None:
    selected, below = asyncio.run(first_lines(server, theme))
    assert colours(selected, "█")[0] == colours(below, "█")[0]
    assert colours(selected, "java")[1] != colours(below, "postgres")[1]
