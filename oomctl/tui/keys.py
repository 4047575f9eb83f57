"""Every key of the interactive view: one table for what is bound, for the line at the bottom and for ``?``."""

from __future__ import annotations

from typing import NamedTuple


class Key(NamedTuple):
    """What one or more keys do."""

    names: str
    """As textual names them, separated by commas."""
    action: str
    shown: str
    """How people name them."""
    meaning: str
    short: str = ""
    """One word for the line at the bottom; empty: not there."""


KEYS = (
    Key("f1,question_mark,h", "help", "? F1 h", "this help", "Help"),
    Key("slash,backslash,f3,f4", "filter", "/ \\ F3 F4", "filter as you type; Esc clears it", "Filter"),
    Key("f6,greater_than_sign,full_stop,less_than_sign,comma", "sort", "F6 > .", "sort by a column", "Sort"),
    Key("I", "turn_round", "I", "reverse the order"),
    Key("M", "sort_by('rss_bytes')", "M", "sort by resident memory"),
    Key("N", "sort_by('pid')", "N", "sort by PID"),
    Key("R", "sort_by('')", "R", "sort by rank, the kernel's order"),
    Key("f5,t", "group", "t F5", "group by unit, user, cgroup, not at all", "Group"),
    Key("c", "scope", "c", "which memory runs out: the machine's or a cgroup's", "Scope"),
    Key("plus,f8", "step(100)", "+ F8", "what if its adj were 100 more"),
    Key("minus,f7", "step(-100)", "- F7", "what if it were 100 less"),
    Key("right_square_bracket", "step(10)", "]", "what if it were 10 more"),
    Key("left_square_bracket", "step(-10)", "[", "what if it were 10 less"),
    Key("equals_sign,a", "type_adj", "= a", "what if it were the value that you type", "Adj"),
    Key("p", "mark(-1000)", "p", "what if it were protected: -1000", "Protect"),
    Key("s", "mark(1000)", "s", "what if it were sacrificed: 1000"),
    Key("r", "mark(0)", "r", "what if it were reset: 0"),
    Key("w", "write", "w", "write all marked values, after a question", "Write"),
    Key("u", "undo", "u", "take back the last mark; without any, the last write", "Undo"),
    Key("enter,d,i", "details", "Enter d i", "explain the selected process; in a group: its members", "Details"),
    Key("e", "events", "e", "OOM kills of this boot, and new ones as they happen", "Events"),
    Key("shift+down,J", "scroll_panes(1)", "J Shift-Down", "scroll the explanation and the kills down"),
    Key("shift+up,K", "scroll_panes(-1)", "K Shift-Up", "scroll them up"),
    Key("Z", "pause", "Z", "pause, go on"),
    Key("ctrl+l,f9", "refresh_now", "Ctrl-L", "look again now"),
    Key("escape", "leave", "Esc", "close what is open, clear the filter"),
    Key("ctrl+z", "suspend_process", "Ctrl-Z", "back to the shell for a while"),
    Key("q,Q,f10,ctrl+q", "quit_view", "q F10", "quit; what is only marked is forgotten", "Quit"),
    Key("ctrl+c", "interrupt", "Ctrl-C", "quit"),
)

MOVING = (
    ("Up Down k j", "one process up or down"),
    ("PgUp PgDn b Space", "a screen up or down"),
    ("Home End g G", "to the first, to the last"),
    ("the mouse", "click a line, a key at the bottom; the wheel scrolls"),
    ("click on a title", "sort by that column; again: reverse the order"),
)

_FIRST_TO_GO = ("Undo", "Sort", "Scope", "Adj", "Events", "Group", "Details", "Write", "Filter", "Protect", "Help")
"""Which of the short ones give way first on a narrow screen."""


def label(key: Key) -> str:
    """Return a key as the line at the bottom has it."""
    return f"{key.shown.split()[0]} {key.short}"


def that_fit(width: int) -> list[Key]:
    """Return the most needed keys that fit into ``width`` cells, two spaces apart; how to quit is not among them."""
    kept = [key for key in KEYS if key.short and key.short != "Quit"]
    for short in _FIRST_TO_GO:
        if sum(len(label(key)) + 2 for key in kept) - 2 <= width:
            break
        kept = [key for key in kept if key.short != short]
    return kept
