"""How often the OOM killer killed, as values."""

from __future__ import annotations

from typing import NamedTuple


class Share(NamedTuple):
    """What one victim, cgroup or day has of the kills."""

    name: str | None
    """None: the log does not say."""
    kills: int
    first_s: float | None
    """Seconds since 1970, where the log has full dates."""
    last_s: float | None


class Tally(NamedTuple):
    """How often the OOM killer ran."""

    events: int
    kills: int
    """Events in which somebody was killed."""
    processes: int
    """That were killed, as far as the log names them."""
    first: str | None
    """When the first event was, as the log or ISO 8601 has it."""
    last: str | None
    by_victim: tuple[Share, ...]
    """The most frequent first."""
    by_cgroup: tuple[Share, ...]
    by_day: tuple[Share, ...]
    """In the order of the log."""
    not_listed: tuple[int, int, int]
    """Kills of victims, cgroups and days beyond the number that is kept."""
