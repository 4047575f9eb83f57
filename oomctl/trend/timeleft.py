"""When a row of numbers that grows reaches a limit."""

from __future__ import annotations

from oomctl.model.trend import Motion, Seconds
from oomctl.trend.line import Line

_FARTHEST = 100
"""So many times what was watched the end of growth can be told. Of loads that never reach their limit
(benchmarks/false_alarms.py), PostgreSQL, a JVM and page cache seemed to grow now and then when they were warm; watched
for 10 or 30 s, they were farther off each time. A build that starts and ends all the time is not told by this."""


def time_left(used: Line, limit: float, doubtful: float = 0.0) -> Seconds | None:
    """Return the seconds until ``used`` reaches ``limit``, in the same unit; None where it does not grow.

    Steps and teeth reach it before the line does, or after: by as much as they were above and below it. It comes
    earlier as well where the ``doubtful`` part of what is left cannot be had. The high end is None where it may never
    be reached at the lowest rate that is likely, or is too far off to say so.
    """
    if used.motion is not Motion.GROWING:
        return None
    room = limit - used.level
    middle = max(room, 0.0) / used.slope
    rate = used.rate(middle)
    low = max(room - used.above - doubtful, 0.0) / rate.high
    is_known = rate.low > 0 and middle <= used.seconds * _FARTHEST
    high = max(room - used.below, 0.0) / rate.low if is_known else None
    return Seconds(low, middle, high)
