"""What the interactive view looks like: its layout, and the colours of its boxes."""

from __future__ import annotations

from textual.theme import Theme

from oomctl.render.palette import DARK_BACKGROUND, DARK_TEXT, LIGHT_BACKGROUND, LIGHT_TEXT

CSS = """
Screen { layout: vertical; background: $background; color: $foreground; }
#heading { height: auto; background: $panel; }
#middle { height: 1fr; layout: vertical; }
#middle.wide { layout: horizontal; }
#list { width: 1fr; height: 1fr; }
#titles { height: 1; }
#ranking { height: 1fr; background: $background; scrollbar-gutter: stable; scrollbar-size: 0 1; overflow-x: hidden; }
#side { height: auto; }
.wide #side { width: auto; height: 100%; max-height: 100%; }
.pane { height: auto; max-height: 50vh; background: $surface; border-top: solid $primary; display: none; }
.pane.open { display: block; }
.both .pane { max-height: 25vh; }
.wide .pane { width: 62; height: 1fr; max-height: 100%; border-left: solid $primary; }
#events.kills Static { text-wrap: nowrap; text-overflow: ellipsis; }
#events.kills Static { text-wrap: nowrap; text-overflow: ellipsis; }
#typing { display: none; height: 1; }
#typing.open { display: block; }
#label { width: auto; max-width: 60%; height: 1; text-style: bold; }
#found { width: auto; height: 1; }
#prompt { width: 1fr; height: 1; border: none; padding: 0; }
#status { height: auto; min-height: 1; }
Dialog { align: center middle; background: transparent; }
.box { width: auto; min-width: 30; max-width: 100%; height: auto; max-height: 100%; border: round $primary;
       padding: 0 1; background: $surface; border-title-style: bold; border-subtitle-color: $foreground; }
.body { width: auto; height: auto; scrollbar-size: 0 1; scrollbar-gutter: stable; overflow-x: hidden; }
.box Static { width: auto; padding-right: 1; }
#answers { height: 1; width: auto; margin-top: 1; }
#answers Button { margin-right: 2; }
OptionList { width: auto; height: auto; border: none; padding: 0; background: $surface; }
"""

THEMES = (
    Theme(
        name="dark",
        primary="#58a6c7",
        secondary="#7ec488",
        warning="#e3b341",
        error="#ff7b72",
        success="#7ec488",
        accent="#c792ea",
        foreground=DARK_TEXT,
        background=DARK_BACKGROUND,
        surface="#1c2028",
        panel="#1f242d",
        dark=True,
    ),
    Theme(
        name="light",
        primary="#1d7396",
        secondary="#2f7d3b",
        warning="#855700",
        error="#b8181f",
        success="#2f7d3b",
        accent="#8a3fb0",
        foreground=LIGHT_TEXT,
        background=LIGHT_BACKGROUND,
        surface="#f3f3f0",
        panel="#eeefec",
        dark=False,
    ),
)
"""Painted whole, background and all."""

TERMINAL = "ansi-dark"
"""textual's own theme of the sixteen colours and the background that the terminal has."""
