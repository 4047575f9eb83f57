"""Rows of numbers as memory is used in practice, one a second."""

from __future__ import annotations

import bisect
import itertools
import math
import random
from collections.abc import Callable

Row = Callable[[float], float]
"""The number at a moment, in seconds."""


def linear(rate: float) -> Row:
    return lambda moment: rate * moment


def steps(rate: float, every: float, phase: float = 0.0) -> Row:
    """As much each ``every`` seconds at once."""
    return lambda moment: rate * every * math.floor((moment + phase) / every)


def steps_at_random(rate: float, every: float, luck: random.Random, end: float = 4000) -> Row:
    gaps = (luck.expovariate(1 / every) for _ in itertools.count())
    moments = [*itertools.takewhile(lambda moment: moment < end, itertools.accumulate(gaps))]
    return lambda moment: rate * every * bisect.bisect(moments, moment)


def teeth(rate: float, every: float, height: float, phase: float = 0.0) -> Row:
    """What a garbage collector leaves, growing at ``rate``, with what it has not collected yet."""
    return lambda moment: rate * moment + height * (((moment + phase) % every) / every)


def spikes(rate: float, height: float, luck: random.Random) -> Row:
    """A line with page cache that comes and goes."""
    return lambda moment: rate * moment + (luck.uniform(-height, height) if luck.random() < 0.3 else 0)


def wandering(step: float, luck: random.Random) -> Row:
    """Ups and downs that lead nowhere; to be asked for one moment after the other."""
    place = itertools.accumulate(luck.gauss(0, step) for _ in itertools.count())
    return lambda _: next(place)


def filling(height: float, seconds: float) -> Row:
    """A cache that warms up: it will stay below ``height``."""
    return lambda moment: height * (1 - math.exp(-moment / seconds))


def noisy(row: Row, height: float, luck: random.Random) -> Row:
    return lambda moment: row(moment) + luck.gauss(0, height)
