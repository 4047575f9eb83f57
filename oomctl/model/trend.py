"""What was seen of sizes over a while, and what follows from it: plain values.

Moments are seconds of one clock that never turns back; only differences of them mean anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from oomctl.model.kernel import Round, Task
from oomctl.model.limits import Limit
from oomctl.model.look import Pressure


class Sizes(NamedTuple):
    """What a process holds, in pages."""

    private: int
    """Private memory in RAM and in swap, with its page tables."""
    shmem: int = 0
    """Shared memory and tmpfs, in RAM."""
    file: int = 0
    """Mapped pages of files in RAM; reclaim has them before anybody dies."""


class Track(NamedTuple):
    """The sizes of one process while it was watched."""

    start_ticks: int
    """As in ``Task``: a PID alone may have come to mean another process."""
    first_seen: float
    points: Sequence[tuple[float, Sizes]]
    """Each holds from its moment to the next one."""


class Watched(NamedTuple):
    """All that was seen in a while."""

    moments: Sequence[float]
    """When there was a look, the earliest first."""
    left: Mapping[str | None, Sequence[int]]
    """Bytes that were left under a limit at each moment: of a memory cgroup, by its path; None: of the machine."""
    tracks: Mapping[int, Track]
    """By PID."""


class Motion(str, Enum):
    """What a row of numbers does."""

    STEADY = "steady"
    GROWING = "growing"
    SHRINKING = "shrinking"
    SLOWING = "slowing"
    """It grows, each time by less than before: where that ends cannot be told."""
    UNCLEAR = "unclear"
    """It moves, and not so evenly that a rate could be told."""
    TOO_FEW = "too_few"
    """There are not enough numbers to say anything."""


class Seconds(NamedTuple):
    """A time with the interval in which it lies."""

    low: float
    mid: float
    high: float | None
    """None: it may never come."""


class Rate(NamedTuple):
    """Per second, with the interval in which it lies."""

    low: float
    mid: float
    high: float


class Grower(NamedTuple):
    """A process that grows, in bytes per second."""

    task: Task
    rate: float


class Choice(NamedTuple):
    """Whom the kernel takes when the limit is reached."""

    result: Round
    """What comes of the sizes carried forward to the middle of the time left; its certainty is that of the whole
    interval."""
    newcomer: bool = False
    """One that is not there yet may be the first."""


class LimitForecast(NamedTuple):
    """What becomes of one limit."""

    limit: Limit
    """As it is now."""
    limit_bytes: int
    """All that it allows, swap included."""
    motion: Motion
    """Of what is used of it."""
    rate: Rate | None = None
    """Bytes per second; None where it cannot be told."""
    left: Seconds | None = None
    """Until it is reached; None where it is not, or not within the horizon."""
    growing: Sequence[Grower] = ()
    """The fastest first; not looked for where the limit is not reached."""
    choice: Choice | None = None
    pressure: Pressure | None = None
    """How much waiting for memory there was at the end; None: not told."""


class Ahead(NamedTuple):
    """What becomes of the memory in question."""

    forecast: LimitForecast
    used: tuple[int, ...]
    """Bytes of it that were used at each look, the earliest first."""
    all_read: bool
    """Whether every process was read at the last look; else nobody's growth is ruled out."""
