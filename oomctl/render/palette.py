"""Which colour says what: styles by what they mean, once for each background."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Palette(NamedTuple):
    """Styles as rich writes them; red is the victim's alone."""

    headline: str
    """The name of whom the kernel would take, above the list."""
    victim: str
    """The line of that process."""
    memory: str
    """What memory counts for; memory that is taken."""
    added: str
    """What a positive adj adds to it."""
    taken: str
    """What a negative adj takes away."""
    empty: str
    """The rest of a bar."""
    spared: str
    """Processes that cannot be chosen, and what matters least."""
    titles: str
    """The titles of the columns."""
    selected: str
    """Lies behind the selected line."""
    warning: str
    """Little is left, or somebody waits."""
    marked: str
    """Values that are only thought of."""
    ground: str = ""
    """Of everything, where the theme paints it."""


TERMINAL = Palette(
    headline="bold white on red",
    victim="bold red",
    memory="cyan on default",
    added="magenta on default",
    taken="green on default",
    empty="dim on default",
    spared="dim",
    titles="bold reverse",
    selected="not dim bright_white on blue",
    warning="bold yellow",
    marked="bold magenta",
)
"""The sixteen colours that the terminal has chosen for its own background, on which a bar stays when it is selected."""

PLAIN = Palette(
    headline="bold reverse",
    victim="bold",
    memory="not reverse",
    added="not reverse",
    taken="not reverse",
    empty="dim not reverse",
    spared="dim",
    titles="bold reverse",
    selected="not dim reverse",
    warning="bold",
    marked="bold",
)
"""No colour at all: a bar stays as it is on the selected line."""

DARK_BACKGROUND, DARK_TEXT = "#16191f", "#d5d9e0"
DARK = Palette(
    headline="bold #16191f on #ff7b72",
    victim="bold #ff7b72",
    memory="#58a6c7",
    added="#c792ea",
    taken="#7ec488",
    empty="#4a5160",
    spared="#868e9c",
    titles="bold #c3cad5 on #2a303b",
    selected="on #2c3a52",
    warning="bold #e3b341",
    marked="bold #d2a8ff",
    ground=f"{DARK_TEXT} on {DARK_BACKGROUND}",
)

LIGHT_BACKGROUND, LIGHT_TEXT = "#fbfaf8", "#24292f"
LIGHT = Palette(
    headline="bold #ffffff on #b8181f",
    victim="bold #b8181f",
    memory="#1d7396",
    added="#8a3fb0",
    taken="#2f7d3b",
    empty="#bcc2cb",
    spared="#666d78",
    titles="bold #343a42 on #e1e4e9",
    selected="on #d3e3f6",
    warning="bold #855700",
    marked="bold #8a3fb0",
    ground=f"{LIGHT_TEXT} on {LIGHT_BACKGROUND}",
)

THEMES = {"dark": DARK, "light": LIGHT, "terminal": TERMINAL}
"""What a live view can look like; ``terminal``: in the terminal's own colours."""

_LIGHT_BACKGROUNDS = ("7", "15")


def theme_for(environment: Mapping[str, str]) -> str:
    """Return the theme for a terminal of which only the environment tells what it can do.

    Where it does not promise all colours (``COLORTERM``), as over most ssh connections, its own are right;
    else a theme paints the background itself, light where ``COLORFGBG`` says that the terminal's is.
    """
    if "NO_COLOR" in environment or environment.get("COLORTERM") not in ("truecolor", "24bit"):
        return "terminal"
    background = environment.get("COLORFGBG", "").rpartition(";")[2]
    return "light" if background in _LIGHT_BACKGROUNDS else "dark"
