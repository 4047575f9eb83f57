"""Every deliberate failure, with the exit status it ends in; only ``cli`` turns them into a message."""

from __future__ import annotations

DONE = 0
ANSWER_IS_NO = 1
USAGE = 2
PARTLY_DONE = 3
NOT_PERMITTED = 4
VANISHED = 5
REFUSED = 6
IMPOSSIBLE_HERE = 7
CANNOT_EXECUTE = 126
NOT_FOUND = 127


class OomctlError(Exception):
    """A failure the user can act on: one line that names the thing, what was wrong and what would help."""

    exit_status = ANSWER_IS_NO

    def __init__(self, message: str, detail: str | None = None) -> None:
        """``detail`` is more of the same, for a second line."""
        super().__init__(message)
        self.detail = detail


class NothingMatched(OomctlError):
    """A target names no process."""

    exit_status = ANSWER_IS_NO


class BadInput(OomctlError):
    """An argument or a document is malformed; the message names the field."""

    exit_status = USAGE


class NotPermitted(OomctlError):
    """The kernel refused a write; the message says which of its rules it was."""

    exit_status = NOT_PERMITTED


class Vanished(OomctlError):
    """The process has ended, or its PID belongs to another one."""

    exit_status = VANISHED


class Refused(OomctlError):
    """oomctl itself will not do this without ``--force``."""

    exit_status = REFUSED


class ImpossibleHere(OomctlError):
    """This machine cannot do it: no /proc, no such cgroup, not Linux."""

    exit_status = IMPOSSIBLE_HERE


class CannotExecute(OomctlError):
    """``run`` found the command but could not execute it."""

    exit_status = CANNOT_EXECUTE


class CommandNotFound(OomctlError):
    """``run`` did not find the command."""

    exit_status = NOT_FOUND
