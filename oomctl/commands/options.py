"""What several commands share: option types, output formats, arguments that begin with a minus."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click

from oomctl.errors import BadInput
from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN
from oomctl.procfs.reader import Procfs

_Function = TypeVar("_Function", bound=Callable[..., Any])
MINUS = "\N{MINUS SIGN}"
"""Stands in for a leading "-" while click parses."""
_NEGATIVE = re.compile(r"-\d")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE = re.compile(r"(\d{1,20}(?:\.\d{1,20})?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE | re.ASCII)


class AdjType(click.ParamType):  # type: ignore[type-arg]  # generic only since click 8.4
    """A value of ``oom_score_adj``: a whole decimal number in its range, nothing else."""

    name = "adj"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        text = str(value).strip().replace(MINUS, "-", 1)
        # No hex, no leading zeros: the kernel would read 010 as 8.
        if re.fullmatch(r"[+-]?(0|[1-9]\d{0,9})", text, re.ASCII) and ADJ_MIN <= int(text) <= ADJ_MAX:
            return int(text)
        message = f"{text!r} is not an oom_score_adj: {ADJ_MIN}..{ADJ_MAX}, {ADJ_MIN} = never kill"
        raise click.BadParameter(message, ctx, param)


class SizeType(click.ParamType):  # type: ignore[type-arg]
    """A size in bytes: ``512M``, ``2G``, ``1.5GiB``, ``4096``; units are powers of 1024."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        size = parse_size(str(value))
        if size is None:
            self.fail(f"{value!r} is not a size: 512M, 2G, 1.5GiB or bytes", param, ctx)
        return size


def parse_size(text: str) -> int | None:
    """Return the bytes that ``text`` means; None when it is no size."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        return None
    unit = _UNITS[match[2].lower()]
    return int(float(match[1]) * unit) if "." in match[1] else int(match[1]) * unit


ADJ = AdjType()
SIZE = SizeType()


class NumbersAsArguments(click.Command):
    """A command whose arguments may be negative numbers without a ``--`` in front."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
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


def unescaped(words: Sequence[str]) -> list[str]:
    """Give back the minus signs that ``NumbersAsArguments`` hid."""
    return [re.sub(f"^{MINUS}", "-", word) for word in words]


def json_option(function: _Function) -> _Function:
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(function)


def dry_run_option(function: _Function) -> _Function:
    text = "Print what would change and write nothing."
    return click.option("--dry-run", "--dryrun", is_flag=True, help=text)(function)


def cgroup_option(function: _Function) -> _Function:
    return click.option("--cgroup", metavar="PATH", help="Ask about this memory cgroup instead of the machine.")(
        function
    )


def format_options(*formats: str) -> Callable[[_Function], _Function]:
    """Add ``--format`` with ``formats`` and ``--json``; read them with ``output_format``."""

    def decorate(function: _Function) -> _Function:
        choice = click.Choice(formats)
        option = click.option("--format", "wanted", type=choice, help="Default: table on a terminal, else plain.")
        return option(json_option(function))

    return decorate


def output_format(wanted: str | None, as_json: bool) -> str:
    """Decide how to print: as asked, else a table for a terminal and plain text for everything else."""
    if as_json:
        if wanted not in (None, "json"):
            raise BadInput(f"--json and --format {wanted} contradict each other")
        return "json"
    return wanted or ("table" if sys.stdout.isatty() else "plain")


def proc_root() -> str:
    """Where /proc is mounted; ``OOMCTL_PROC`` names another place."""
    return os.environ.get("OOMCTL_PROC", "/proc")


def machine_procfs() -> Procfs:
    """Return this machine's /proc."""
    return Procfs(proc_root(), on_purpose="OOMCTL_PROC" in os.environ)


def emit(text: str) -> None:
    """Write ``text`` to stdout at once; the caller decides what a failure of that means."""
    click.echo(text, nl=False)
    sys.stdout.flush()


def emit_parts(parts: Iterable[str]) -> None:
    """Write a text that need not be in memory as a whole."""
    gathered: list[str] = []
    characters = 0
    for part in parts:
        gathered.append(part)
        characters += len(part)
        if characters > 1 << 16:
            emit("".join(gathered))
            gathered, characters = [], 0
    emit("".join(gathered))


def emit_after_change(text: str) -> None:
    """Write the report of a change that was made: that it cannot be printed does not undo the change."""
    from oomctl.cli import complain, discard_stdout

    try:
        emit(text)
    except OSError as error:
        discard_stdout()
        if not isinstance(error, BrokenPipeError):
            complain(f"the change was made, but it cannot be reported: {error.strerror}")
