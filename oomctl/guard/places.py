"""Where a user's own files belong: below their home, or where an XDG variable says if nobody else has a hand in that.

The environment may be another user's: sudo -E and su keep it.
"""

from __future__ import annotations

import os

from oomctl.guard.walk import only_ours


def state() -> str:
    """Return $XDG_STATE_HOME, else ``.local/state`` of the home."""
    return _place("XDG_STATE_HOME", ".local/state")


def config() -> str:
    """Return $XDG_CONFIG_HOME, else ``.config`` of the home."""
    return _place("XDG_CONFIG_HOME", ".config")


def of_shells(variable: str, usual: str) -> str:
    """Return where a user's shells look for files: in ``$variable``, else in ``usual`` of what they call ~: $HOME."""
    home = os.environ.get("HOME", "")
    return _place(variable, usual, home if only_ours(home) else None)


def _place(variable: str, usual: str, home: str | None = None) -> str:
    named = os.environ.get(variable, "")
    return named if only_ours(named) else os.path.join(home or _home(), usual)


def _home() -> str:
    """Return the effective user's home, not $HOME: root should neither make nor trust files in another user's."""
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:  # a container's number without a name
        home = os.environ.get("HOME", "/")
        return home if only_ours(home) else "/"
