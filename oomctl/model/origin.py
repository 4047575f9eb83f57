"""Where an ``oom_score_adj`` probably comes from: plain values."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class OriginKind(str, Enum):
    """Who sets values."""

    DEFAULT = "default"
    """Nobody did."""
    INHERITED = "inherited"
    UNIT = "unit"
    PROGRAM = "program"
    """By itself, or for what it starts."""
    RUNTIME = "runtime"
    """Of containers."""
    KUBELET = "kubelet"
    OOMCTL = "oomctl"
    UNKNOWN = "unknown"


class Confidence(str, Enum):
    """How sure it is where a value comes from."""

    SURE = "sure"
    LIKELY = "likely"
    POSSIBLE = "possible"


class Origin(NamedTuple):
    """Where an ``oom_score_adj`` probably comes from; the kernel does not record it."""

    kind: OriginKind
    by: str
    """In words."""
    confidence: Confidence
    source: str | None
    """What says so; None where nothing does."""
