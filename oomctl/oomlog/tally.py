"""Counts kills by victim, cgroup and day, in bounded memory however many there are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timezone

from oomctl.model.oomreport import Ended, OomReport
from oomctl.model.oomtally import Share, Shares, Tally, When
from oomctl.oomlog.wanted import cgroups_of

MOST_NAMES = 4096
"""Of victims, of cgroups and of days. Whoever fills a log with names fills no memory."""
_LONGEST_NAME = 4096  # PATH_MAX
_DAY_BEFORE_CLOCK = re.compile(r"(.{1,40}?),?[ T]+\d\d:\d\d")


def tally(reports: Iterable[tuple[OomReport, float | None]]) -> Tally:
    """Count ``reports``, each with when it was, in seconds since 1970 as far as that is known."""
    victims, cgroups, days = _Counter(), _Counter(), _Counter()
    events = kills = 0
    first: When | None = None
    last: When | None = None
    for report, epoch_s in reports:
        when = When(epoch_s, report.time_text, report.uptime_s)
        first, last = _earlier(first, when), _later(last, when)
        events += 1
        if report.ended is not Ended.KILL and report.selected is None:
            continue
        kills += 1
        victim = report.victim or report.selected
        victims.add(victim.comm if victim else None, when)
        cgroups.add(next(iter(cgroups_of(report)), None), when)
        days.add(_day(when), when)
    return Tally(events, kills, first, last, victims.ranked(), cgroups.ranked(), days.in_order())


class _Counter:
    """Kills by name; of names that come when it is full only the number of kills."""

    def __init__(self) -> None:
        self._shares: dict[str | None, Share] = {}
        self._not_listed = 0

    def add(self, name: str | None, when: When) -> None:
        name = name and name[:_LONGEST_NAME]
        known = self._shares.get(name)
        if known is not None:
            self._shares[name] = Share(name, known.kills + 1, _later(known.last, when))
        elif len(self._shares) < MOST_NAMES:
            self._shares[name] = Share(name, 1, when)
        else:
            self._not_listed += 1

    def in_order(self) -> Shares:
        return Shares(tuple(self._shares.values()), self._not_listed)

    def ranked(self) -> Shares:
        return Shares(tuple(sorted(self._shares.values(), key=lambda share: -share.kills)), self._not_listed)


def _earlier(one: When | None, other: When) -> When:
    """The earlier one; without both dates the one that the log has first."""
    if one is None or (one.epoch_s is not None and other.epoch_s is not None and other.epoch_s < one.epoch_s):
        return other
    return one


def _later(one: When | None, other: When) -> When:
    if one is None or one.epoch_s is None or other.epoch_s is None:
        return other
    return max(one, other, key=lambda when: when.epoch_s or 0)


def _day(when: When) -> str | None:
    """The local date; where the year is not known, what stands before the time of day."""
    if when.epoch_s is not None:
        try:
            return datetime.fromtimestamp(when.epoch_s, timezone.utc).astimezone().date().isoformat()
        except (ValueError, OverflowError, OSError):
            return None
    match = _DAY_BEFORE_CLOCK.match(when.text or "")
    return match[1] if match else None
