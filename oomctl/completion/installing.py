"""Which scripts make each shell complete oomctl for good: where it looks by itself, and what belongs there."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import NamedTuple

from oomctl.completion.shells import script

FOR_ALL = {
    "bash": "/usr/local/share/bash-completion/completions",  # of XDG_DATA_DIRS, as bash-completion has it unset
    "zsh": "/usr/local/share/zsh/site-functions",  # in the fpath of Debian and others, before anything is configured
    "fish": "/etc/fish/completions",  # Debian's fish looks into /usr/local/share only if XDG_DATA_DIRS says so
}
"""The directory in which a shell looks for completions on behalf of every user."""

FOR_ONE = {
    "bash": ("XDG_DATA_HOME", ".local/share", "bash-completion/completions"),
    "zsh": ("XDG_DATA_HOME", ".local/share", "zsh/site-functions"),  # not in fpath by itself; pipx puts it there, too
    "fish": ("XDG_CONFIG_HOME", ".config", "fish/completions"),
}
"""The same for one user: the variable that names a directory, where that is below the home without it, and the rest."""

_FILES = {"bash": "{}", "zsh": "_{}", "fish": "{}.fish"}
_WHEN = {
    "bash": "bash has it from its next start on, if the package bash-completion is in use",
    "zsh": "zsh has it from its next start on, if ~/.zshrc has: {}autoload -Uz compinit; compinit",
    "fish": "fish has it from now on",
}


class Script(NamedTuple):
    """A file that completes one name of the program."""

    path: str
    text: str
    mark: str
    """How one of its first lines begins, and of no file of somebody else's."""


def scripts(shell: str, directory: str, programs: Sequence[str]) -> list[Script]:
    """Return what belongs into ``directory``, one file for each of ``programs``."""
    return [
        Script(
            f"{directory}/{_FILES[shell].format(program)}", script(shell, program), f"# {shell} completion of {program}"
        )
        for program in programs
    ]


def is_ours(there: str, wanted: Script) -> bool:
    """Whether a file that holds ``there`` was written by some version of oomctl, for the same shell and name."""
    return any(f"{line} ".startswith(f"{wanted.mark} ") for line in there.splitlines()[:2])


def when(shell: str, directory: str) -> str:
    """Say when ``shell`` completes with what is in ``directory``, and what it still lacks for that."""
    return _WHEN[shell].format("" if directory == FOR_ALL[shell] else f"fpath+={shlex.quote(directory)}; ")
