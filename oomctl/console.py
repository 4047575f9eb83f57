"""What is printed where: data to stdout, talk to stderr, one line each."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable

import click

_ONE_LINE = 120


class Said:
    """What this run of the program has said: what a document about an error repeats, and what it must not follow."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget it all: another run begins, which in a test is the same process."""
        self.printed = False
        """Something went to stdout, or was meant to."""
        self.complaints: list[tuple[str, str | None]] = []
        """The lines on stderr that are no hints, each with what more there is to say of it."""
        self.json_of: str | None = None
        """The command that JSON was asked of."""


said = Said()


def emit(text: str) -> None:
    """Write ``text`` to stdout at once; the caller decides what a failure of that means."""
    said.printed = said.printed or bool(text)
    click.echo(text, nl=False)
    sys.stdout.flush()


def emit_text(text: str) -> None:
    """Write sentences to stdout, on a terminal in lines that it need not break."""
    width = terminal_width()
    if width is not None:
        from oomctl.render.folding import folded

        text = folded(text, width)
    emit(text)


def emit_answer(text: str) -> None:
    """Write sentences to stdout; on a terminal their first line, which is the answer, stands out."""
    width = terminal_width()
    if width is None:
        emit(text)
        return
    from oomctl.render.folding import folded

    answer, newline, rest = text.partition("\n")
    answer = folded(answer, width)
    if os.environ.get("TERM", "dumb") != "dumb":
        answer = click.style(answer, bold=True)
    emit(answer + newline + folded(rest, width))


def terminal_width() -> int | None:
    """Return the columns of the terminal that shows stdout; None: it is none, and nothing is shortened for it."""
    import shutil

    shown = sys.stdout is not None and sys.stdout.isatty()
    return shutil.get_terminal_size().columns if shown else None


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
    try:
        emit(text)
    except OSError as error:
        discard_stdout()
        if not isinstance(error, BrokenPipeError):
            complain(f"the change was made, but it cannot be reported: {error.strerror}")


def complain(message: str, detail: str | None = None) -> None:
    """Write one line to stderr, if that is possible; a long ``detail``, of why and what helps, goes below it."""
    from oomctl.render.text import visible

    if not message.startswith("hint: "):
        said.complaints.append((visible(message), visible(detail) if detail else None))
    if detail and len(f"{message}; {detail}") <= _ONE_LINE:
        message, detail = f"{message}; {detail}", None
    with contextlib.suppress(OSError):  # nobody may be listening
        click.echo(f"oomctl: {visible(message)}", err=True)
        if detail:
            click.echo(_folded_for_stderr(f"  {visible(detail)}"), err=True)


def _folded_for_stderr(line: str) -> str:
    """Return ``line`` in lines that a terminal need not break, if stderr is one."""
    try:
        width = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        return line
    from oomctl.render.folding import folded

    return folded(line, width) if width else line


def discard_stdout() -> None:
    """Let the interpreter's last flush of stdout go nowhere, so that it cannot fail again."""
    with contextlib.suppress(OSError, ValueError):  # not a file (a test's buffer), or closed already
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, sys.stdout.fileno())
        os.close(descriptor)
