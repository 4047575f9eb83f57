"""What users write: targets (``sshd``, ``812``, ``nginx.service``, ``user:postgres``), oom_score_adj values, sizes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from oomctl.errors import BadInput
from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN

PID_MAX_LIMIT = 4194304  # include/linux/threads.h
_LONGEST_NUMBER = 32
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE = re.compile(r"(\d{1,20}(?:\.\d{1,20})?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
_UNIT = re.compile(r".\.(service|scope|slice|socket|mount|swap)$")


class TargetKind(str, Enum):
    """What a word of the user's names."""

    PID = "pid"
    NAME = "name"
    """Of the process or its executable, with wildcards."""
    UNIT = "unit"
    CGROUP = "cgroup"
    USER = "user"
    CMD = "cmd"
    """A regular expression for the command line."""


_PREFIXED = (TargetKind.CGROUP, TargetKind.USER, TargetKind.CMD)
"""Kinds that are written in front: ``user:postgres``."""


class Target(NamedTuple):
    """One word of the user's, understood."""

    word: str
    kind: TargetKind
    value: str


def parse_target(word: str) -> Target:
    """Understand one target; BadInput when it can be none."""
    if re.fullmatch(r"[+-]?\d+", word, re.ASCII):
        # int() itself refuses thousands of digits, with a traceback.
        if len(word) > _LONGEST_NUMBER or not 1 <= int(word) <= PID_MAX_LIMIT:
            shown = word if len(word) <= _LONGEST_NUMBER else word[:_LONGEST_NUMBER] + "..."
            raise BadInput(f"target {shown}: not a PID, they run from 1 to {PID_MAX_LIMIT}")
        return Target(word, TargetKind.PID, str(int(word)))
    prefix, colon, value = word.partition(":")
    if colon and prefix in _PREFIXED:
        if not value:
            raise BadInput(f"target {word!r}: nothing behind {prefix}:")
        kind = TargetKind(prefix)
        if kind is TargetKind.CMD:
            expression(word, value)
        return Target(word, kind, value)
    if not word.strip():
        raise BadInput("target: an empty word names no process")
    return Target(word, TargetKind.UNIT if _UNIT.search(word) else TargetKind.NAME, word)


def is_unit(word: str) -> bool:
    """Whether a word ends as the names of units do."""
    return _UNIT.search(word) is not None


def names_cgroup(targets: Iterable[Target]) -> bool:
    """Whether it takes the cgroup of every process to find those that are meant."""
    return any(target.kind is TargetKind.CGROUP for target in targets)


def expression(word: str, value: str) -> re.Pattern[str]:
    """Compile what stands behind ``cmd:``; BadInput names the whole ``word``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a later Python may read differently
            return re.compile(value)
    except (re.error, ValueError, OverflowError, RecursionError) as error:  # ValueError: thousands of digits
        raise BadInput(f"target {word!r}: not a regular expression: {error}") from None


def parse_adj(text: str) -> int | None:
    """Return the ``oom_score_adj`` that ``text`` means; None when it is none.

    A whole decimal number: no hex, no leading zeros (the kernel would read 010 as 8), no underscores.
    """
    text = text.strip()
    if re.fullmatch(r"[+-]?(0|[1-9]\d{0,9})", text, re.ASCII) and ADJ_MIN <= int(text) <= ADJ_MAX:
        return int(text)
    return None


def parse_size(text: str) -> int | None:
    """Return the bytes that ``text`` means, in powers of 1024; None when it is no size."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        return None
    unit = _UNITS[match[2].lower()]
    return int(float(match[1]) * unit) if "." in match[1] else int(match[1]) * unit
