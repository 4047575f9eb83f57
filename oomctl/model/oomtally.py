"""How often the OOM killer killed, as values."""

from __future__ import annotations

from typing import NamedTuple


class When(NamedTuple):
    """When something was logged, in every way that is known."""

    epoch_s: float | None
    """Seconds since 1970, where the log has a full date."""
    text: str | None
    """The date as it stands there."""
    uptime_s: float | None


class Share(NamedTuple):
    """The kills of one victim, cgroup or day."""

    name: str | None
    """A name, a path, a date; None: the log does not say."""
    kills: int
    last: When


class Shares(NamedTuple):
    """The kills by one of these."""

    listed: tuple[Share, ...]
    not_listed: int = 0
    """Kills of others, where there are more names than are kept."""


class Tally(NamedTuple):
    """How often the OOM killer ran, and what it killed."""

    events: int
    kills: int
    """Events in which somebody was killed."""
    first: When | None
    last: When | None
    by_victim: Shares
    """The most frequent first."""
    by_cgroup: Shares
    """The victim's cgroup, where that is not known the one that was full; the most frequent first."""
    by_day: Shares
    """In the order of the log."""
