"""What the live view without keys says of itself."""

from __future__ import annotations

import pytest

from oomctl.live import simple


def test_the_last_line_names_the_way_to_keys_as_far_as_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simple, "has_interactive_view", lambda: False)
    assert simple.bottom_line(80) == "q quits · ? help · pip install 'oomctl[tui]' for more"
    assert simple.bottom_line(30) == "q quits · ? help"


def test_with_the_extra_it_says_to_leave_the_option_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simple, "has_interactive_view", lambda: True)
    assert simple.bottom_line(80) == "q quits · ? help · run it without --simple for more"


@pytest.mark.parametrize("size", [(80, 24), (60, 22)])
def test_help_fits(size: tuple[int, int]) -> None:
    lines = [line.plain for line in simple.help_lines(size)]
    assert len(lines) < size[1]
    assert any("RISK" in line for line in lines)
    assert size[0] < 80 or not any("…" in line for line in lines)
