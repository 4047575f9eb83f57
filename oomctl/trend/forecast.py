"""Whether a limit is reached, when, by whose growth, and whom the kernel takes then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oomctl.model.kernel import Scenario
from oomctl.model.limits import Limit
from oomctl.model.trend import Grower, LimitForecast, Motion, Watched
from oomctl.trend.choice import Room, choice_then
from oomctl.trend.line import line
from oomctl.trend.outlook import Outlook, outlook, without_members
from oomctl.trend.timeleft import time_left

_LEAST_SHARE = 0.01
"""Of the growth; who has less is not named."""


def of_limit(
    limit: Limit, limit_bytes: int, moments: Sequence[float], left: Sequence[int], horizon: float
) -> LimitForecast:
    """Return what becomes of ``limit``, of which ``left`` bytes were left at each moment; ``horizon`` in seconds."""
    found = line(moments, [-number for number in left])
    if found is None:
        return LimitForecast(limit, limit_bytes, Motion.TOO_FEW)
    seconds = time_left(found, 0, limit.doubtful_bytes)
    rate = found.rate(moments[-1] - moments[0] if seconds is None else max(seconds.mid, 1.0))
    reached = seconds if seconds is not None and seconds.mid <= horizon else None
    return LimitForecast(limit, limit_bytes, found.motion, rate, reached)


def with_choice(forecast: LimitForecast, scenario: Scenario, watched: Watched) -> LimitForecast:
    """Add who grows and whom the kernel takes, by the ``scenario`` of that limit as it is now."""
    page = scenario.page_size
    used_pages = [-left // page for left in watched.left[forecast.limit.memcg]]
    rest = line(watched.moments, without_members(used_pages, scenario.tasks, watched))
    if forecast.left is None or rest is None:
        return forecast
    outlooks = {task.pid: outlook(task, watched) for task in scenario.tasks}
    limit = forecast.limit
    room = Room(limit.left_bytes // page, rest, limit.doubtful_bytes // page)
    choice = choice_then(scenario, outlooks, forecast.left, room)
    return forecast._replace(growing=_growers(scenario, outlooks), choice=choice)


def _growers(scenario: Scenario, outlooks: Mapping[int, Outlook]) -> tuple[Grower, ...]:
    page = scenario.page_size
    rates = [Grower(task, outlooks[task.pid].rate * page) for task in scenario.tasks]
    growing = sorted((one for one in rates if one.rate > 0), key=lambda one: -one.rate)
    total = sum(one.rate for one in growing)
    return tuple(one for one in growing if one.rate >= total * _LEAST_SHARE)
