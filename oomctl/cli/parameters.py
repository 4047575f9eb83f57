"""Types of what is written on the command line: targets, values of oom_score_adj, sizes, and pairs of them."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import click

from oomctl.errors import BadInput
from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN
from oomctl.targets.words import Target, parse_adj, parse_size, parse_target

MINUS = "\N{MINUS SIGN}"
"""Stands in for a leading "-" while click parses."""
_NEGATIVE = re.compile(r"-\d")
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d|)", re.ASCII)
_SECONDS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class AdjType(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.4
    """A value of ``oom_score_adj``: a whole decimal number in its range, nothing else."""

    name = "adj"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the value."""
        if isinstance(value, int):
            return value
        text = unescaped(str(value).strip())
        adj = parse_adj(text)
        if adj is None:
            raise click.BadParameter(_no_adj(text), ctx, param)
        return adj


class SizeType(click.ParamType):  # type: ignore[type-arg]
    """A size in bytes: ``512M``, ``2G``, ``1.5GiB``, ``4096``; units are powers of 1024."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the bytes."""
        if isinstance(value, int):
            return value
        size = parse_size(str(value))
        if size is None:
            self.fail(f"{value!r} is {_NO_SIZE}", param, ctx)
        return size


class DurationType(click.ParamType):  # type: ignore[type-arg]
    """A time in seconds: ``30s``, ``5m``, ``1.5h``, ``2d``, ``500ms``, ``30``."""

    name = "duration"

    def __init__(self, shortest: float, longest: float) -> None:
        """``shortest`` and ``longest``: seconds."""
        self._shortest, self._longest = shortest, longest

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        if isinstance(value, (int, float)):
            return float(value)
        match = _DURATION.fullmatch(str(value).strip())
        if match is None:
            self.fail(f"{value!r} is not a time: 30s, 5m, 24h, 2d, 500ms or seconds", param, ctx)
        seconds = float(match[1]) * _SECONDS[match[2]]
        if not self._shortest <= seconds <= self._longest:
            self.fail(f"{value!r}: expected {self._shortest:g}s to {self._longest:g}s", param, ctx)
        return seconds


WATCHING_FOR = DurationType(0.1, 7 * 86400.0)
"""How long somebody may want a command to watch."""


class TargetType(click.ParamType):  # type: ignore[type-arg]
    """A word that means processes, understood. BadInput when it can mean none."""

    name = "target"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Target:
        """Return the target, with the minus that ``NumbersAsArguments`` hid."""
        return value if isinstance(value, Target) else parse_target(unescaped(value))


class Addition(NamedTuple):
    """A process that is not there."""

    size_bytes: int
    adj: int


class AdjOfTarget(click.ParamType):  # type: ignore[type-arg]
    """``TARGET=ADJ``: a Target and its value."""

    name = "TARGET=ADJ"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Target, int]:
        """Return both; BadInput names the option."""
        word, text = _pair(self.name, value, param)
        return parse_target(word), _adj(text, value, param)


class SizeOfTarget(click.ParamType):  # type: ignore[type-arg]
    """``TARGET=SIZE``: a Target and bytes."""

    name = "TARGET=SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Target, int]:
        """Return both; BadInput names the option."""
        word, text = _pair(self.name, value, param)
        return parse_target(word), _size(text, value, param)


class AdditionType(click.ParamType):  # type: ignore[type-arg]
    """``SIZE[@ADJ]``: one more process."""

    name = "SIZE[@ADJ]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Addition:
        """Return it, its adj 0 where none is given; BadInput names the option."""
        size, at, adj = str(value).partition("@")
        return Addition(_size(size, value, param), _adj(adj, value, param) if at else 0)


ADJ = AdjType()
SIZE = SizeType()
TARGET = TargetType()
_NO_SIZE = "not a size: 512M, 2G, 1.5GiB or bytes"


def _no_adj(text: str) -> str:
    return f"{text!r} is not an oom_score_adj: {ADJ_MIN}..{ADJ_MAX}, {ADJ_MIN} = never kill"


def _pair(shape: str, whole: str, option: click.Parameter | None) -> tuple[str, str]:
    word, equals, value = whole.rpartition("=")
    if not (word and equals and value):
        raise BadInput(f"{_written(whole, option)}: expected {shape}")
    return word, value


def _adj(text: str, whole: str, option: click.Parameter | None) -> int:
    adj = parse_adj(text)
    if adj is None:
        raise BadInput(f"{_written(whole, option)}: {_no_adj(text)}")
    return adj


def _size(text: str, whole: str, option: click.Parameter | None) -> int:
    size = parse_size(text)
    if size is None:
        raise BadInput(f"{_written(whole, option)}: {_NO_SIZE}")
    return size


def _written(whole: str, option: click.Parameter | None) -> str:
    return f"{option.opts[0]} {whole}" if option is not None else whole


class NumbersAsArguments(click.Command):
    """A command whose arguments may be negative numbers without a ``--`` in front."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse with each leading minus of a number hidden."""
        options = [param for param in self.params if isinstance(param, click.Option)]
        takes_value = {name for option in options if not option.is_flag for name in option.opts}
        escaped: list[str] = []
        for index, arg in enumerate(args):
            if arg == "--":
                escaped += args[index:]
                break
            is_value = index > 0 and args[index - 1] in takes_value
            escaped.append(MINUS + arg[1:] if _NEGATIVE.match(arg) and not is_value else arg)
        return super().parse_args(ctx, escaped)


def unescaped(word: str) -> str:
    """Give back the minus sign that ``NumbersAsArguments`` hid."""
    return re.sub(f"^{MINUS}", "-", word)
