"""What became of an attempt to change something, and what is written down of it: plain values."""

from __future__ import annotations

from typing import NamedTuple


class Change(NamedTuple):
    """What became of one attempt to set ``oom_score_adj``."""

    pid: int
    comm: str
    before: int | None
    after: int | None
    """The value read back; with ``dry-run`` the one that would have been written."""
    status: str
    """changed, unchanged, dry-run, denied, vanished or refused."""
    reason: str | None = None
    rank_before: int | None = None
    rank_after: int | None = None


class LeftAlone(NamedTuple):
    """A process that a target matches but that is not to be changed, and why."""

    pid: int
    comm: str
    reason: str
    distrusted: bool = False
    """It only says that it is what was asked for; a policy's later rules may decide about it."""


class Replaced(NamedTuple):
    """One value that was replaced. PID, start time and boot together are an identity."""

    pid: int
    start_ticks: int
    comm: str
    before: int
    after: int


class DropIn(NamedTuple):
    """``OOMScoreAdjust=`` in oomctl's own drop-in of a unit, before and after a change; None: no drop-in."""

    unit: str
    user: bool
    """Of the user's own service manager, not the system's."""
    before: int | None
    after: int | None


class Persisted(NamedTuple):
    """What became of one attempt to make a value outlive its process."""

    drop_in: DropIn
    path: str
    status: str
    """changed, unchanged, dry-run or ineffective."""
    reason: str | None = None
    text: str | None = None
    """With ``dry-run``: the file that would be written."""


class Recorded(NamedTuple):
    """What one command changed."""

    what: str
    """The command, for people: ``set 500 firefox``."""
    time: float
    """Seconds since the epoch."""
    boot_id: str
    values: tuple[Replaced, ...]
    drop_ins: tuple[DropIn, ...] = ()
