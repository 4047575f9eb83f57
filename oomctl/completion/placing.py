"""Completion scripts put where a shell looks for them, each whole or not at all, and none over a file of others."""

from __future__ import annotations

import errno
import os
from enum import Enum

from oomctl.completion.installing import FOR_ALL, FOR_ONE, Script, is_ours
from oomctl.errors import ImpossibleHere, NotPermitted, OomctlError, Refused
from oomctl.guard import files, outputs, places

_MOST_BYTES = 1 << 20
_FILE_MODE = 0o644
_MODE_FOR_ALL, _MODE_FOR_ONE = 0o755, 0o700  # the second as the XDG specification has it

_INSTEAD = "without --system it is installed for you alone"


class State(Enum):
    """What is at a script's place."""

    MISSING = "missing"
    OLD = "of another version"
    SAME = "the same"


def directory(shell: str, for_all: bool) -> str:
    """Return where ``shell`` looks for completions of every user, or of the effective one."""
    if for_all:
        return FOR_ALL[shell]
    variable, usual, below = FOR_ONE[shell]
    return os.path.join(places.of_shells(variable, usual), below)


def state(script: Script) -> State:
    """Look at the place of ``script``; changes nothing.

    Raises Refused where something is that oomctl did not write, NotPermitted where it cannot be looked at.
    """
    try:
        there = files.read_regular(script.path, _MOST_BYTES)
    except FileNotFoundError:
        return State.MISSING
    except OSError as error:
        raise _failure(script.path, error) from None
    if there == script.text.encode():
        return State.SAME
    if not is_ours(there.decode(errors="replace"), script):
        raise Refused(
            f"{script.path}: not written by oomctl, so it was left as it is; move it away to install this one"
        )
    return State.OLD


def put(script: Script, for_all: bool) -> None:
    """Write ``script``, and make the directories above it that are missing.

    Raises NotPermitted, Refused where there is no file but something else, ImpossibleHere.
    """
    try:
        outputs.make_directories(os.path.dirname(script.path), _MODE_FOR_ALL if for_all else _MODE_FOR_ONE)
        outputs.replace(script.path, script.text.encode(), _FILE_MODE)
    except OSError as error:
        raise _failure(script.path, error, _INSTEAD if for_all else None) from None


def _failure(path: str, error: OSError, instead: str | None = None) -> OomctlError:
    message = f"{path}: {error.strerror}"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return NotPermitted(message, instead)
    if error.errno in (errno.EEXIST, errno.EISDIR, errno.EINVAL, errno.ENOTDIR):
        return Refused(message)
    return ImpossibleHere(message)
