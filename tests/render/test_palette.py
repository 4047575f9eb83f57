"""Colours: what must be read can be read, and which theme suits which terminal."""

from __future__ import annotations

import pytest
from rich.color import Color
from rich.style import Style

from oomctl.render.palette import DARK_BACKGROUND, DARK_TEXT, LIGHT_BACKGROUND, LIGHT_TEXT, THEMES, theme_for

GROUNDS = {"dark": (DARK_BACKGROUND, DARK_TEXT), "light": (LIGHT_BACKGROUND, LIGHT_TEXT)}
READ = ("headline", "victim", "spared", "titles", "warning", "marked", "taken", "memory", "added")


def luminance(color: Color) -> float:
    """As WCAG 2 defines it."""
    parts = [part / 255 for part in color.get_truecolor()]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Color, other: Color) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("name", READ)
def test_text_stands_out_from_its_background_and_from_the_selection(theme: str, name: str) -> None:
    ground, text = map(Color.parse, GROUNDS[theme])
    style = Style.parse(getattr(THEMES[theme], name))
    selected = Style.parse(THEMES[theme].selected).bgcolor
    assert selected is not None
    assert contrast(style.color or text, style.bgcolor or ground) >= 4.5
    if style.bgcolor is None:
        assert contrast(style.color or text, selected) >= 3


@pytest.mark.parametrize(
    ("environment", "theme"),
    [
        ({}, "terminal"),
        ({"COLORTERM": "truecolor"}, "dark"),
        ({"COLORTERM": "24bit", "COLORFGBG": "15;0"}, "dark"),
        ({"COLORTERM": "truecolor", "COLORFGBG": "0;default;15"}, "light"),
        ({"COLORTERM": "truecolor", "NO_COLOR": "1"}, "terminal"),
        ({"COLORTERM": "yes", "COLORFGBG": "0;15"}, "terminal"),
    ],
)
def test_the_theme_follows_what_the_terminal_says_it_can(environment: dict[str, str], theme: str) -> None:
    assert theme_for(environment) == theme
