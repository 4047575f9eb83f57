"""Metrics for monitoring: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Sample(NamedTuple):
    """One number, and the labels that tell it from its siblings; a label's value is hostile input."""

    value: float
    labels: Mapping[str, str] = {}


class Family(NamedTuple):
    """All samples of one name, which are gauges."""

    name: str
    help: str
    """One line."""
    samples: tuple[Sample, ...]
