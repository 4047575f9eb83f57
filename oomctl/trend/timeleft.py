"""When a row of numbers that grows reaches a limit."""

from __future__ import annotations

from oomctl.model.trend import Motion, Seconds
from oomctl.trend.line import Line


def time_left(used: Line, limit: float) -> Seconds | None:
    """Return the seconds until ``used`` reaches ``limit``, in the same unit; None where it does not grow.

    Steps and teeth reach it before the line does, or after: by as much as they were above and below it. The high end is
    None where it may never be reached at the lowest rate that is likely.
    """
    if used.motion is not Motion.GROWING:
        return None
    room = limit - used.level
    middle = max(room, 0.0) / used.slope
    rate = used.rate(middle)
    low = max(room - used.above, 0.0) / rate.high
    high = max(room - used.below, 0.0) / rate.low if rate.low > 0 else None
    return Seconds(low, middle, high)
