"""What is printed where: data to stdout, talk to stderr, one line each."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping

import click

COLOURS = ("auto", "always", "never")
_ONE_LINE = 120
_FORCING = ("CLICOLOR_FORCE", "FORCE_COLOR")
_PLAIN_TERMINALS = ("", "dumb", "unknown")


class Run:
    """This run of the program: how it is to print, and what it has said."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget it all: another run begins, which in a test is the same process."""
        self.printed = False
        """Something went to stdout, or was meant to."""
        self.complaints: list[tuple[str, str | None]] = []
        """The lines on stderr that are no hints, each with what more there is to say: a document repeats them."""
        self.json_of: str | None = None
        """The command that JSON was asked of."""
        self.colour: str | None = None
        """One of ``COLOURS``, if the command line says so."""
        self.quiet = False
        """Only what went wrong is to be said, and data that was asked for."""


this_run = Run()


def is_coloured(wanted: str | None, environment: Mapping[str, str], on_terminal: bool) -> bool:
    """Whether to write colours and bold: as the command line says, else as the environment does by its conventions.

    These are https://no-color.org, and CLICOLOR and CLICOLOR_FORCE of BSD; many programs have FORCE_COLOR.
    """
    if wanted in ("always", "never"):
        return wanted == "always"
    if environment.get("NO_COLOR"):
        return False
    if any(environment.get(name, "0") not in ("", "0") for name in _FORCING):
        return True
    return on_terminal and environment.get("CLICOLOR") != "0" and environment.get("TERM", "") not in _PLAIN_TERMINALS


def in_colour() -> bool:
    """Whether what goes to stdout has colours and bold."""
    return is_coloured(this_run.colour, os.environ, _on_terminal())


def emit(text: str) -> None:
    """Write ``text`` to stdout at once; the caller decides what a failure of that means."""
    this_run.printed = this_run.printed or bool(text)
    click.echo(text, nl=False, color=True if in_colour() else None)  # click takes them out for a pipe
    sys.stdout.flush()


def emit_text(text: str) -> None:
    """Write sentences to stdout, on a terminal in lines that it need not break."""
    width = terminal_width()
    if width is not None:
        from oomctl.render.folding import folded

        text = folded(text, width)
    emit(text)


def emit_answer(text: str) -> None:
    """Write sentences to stdout; their first line, which is the answer, stands out where that can be seen."""
    width = terminal_width()
    answer, newline, rest = text.partition("\n")
    if width is not None:
        from oomctl.render.folding import folded

        answer, rest = folded(answer, width), folded(rest, width)
    emit((click.style(answer, bold=True) if in_colour() else answer) + newline + rest)


def terminal_width() -> int | None:
    """Return the columns of the terminal that shows stdout; None: it is none, and nothing is shortened for it."""
    import shutil

    return shutil.get_terminal_size().columns if _on_terminal() else None


def _on_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


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

    is_hint = message.startswith("hint: ")
    if is_hint and this_run.quiet:
        return
    if not is_hint:
        this_run.complaints.append((visible(message), visible(detail) if detail else None))
    if detail and len(f"{message}; {detail}") <= _ONE_LINE:
        message, detail = f"{message}; {detail}", None
    with contextlib.suppress(OSError):  # nobody may be listening
        click.echo(f"oomctl: {visible(message)}", err=True)
        if detail:
            click.echo(_folded_for_stderr(f"  {visible(detail)}"), err=True)


@contextlib.contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Give what shows a passing line on stderr, if that is a terminal; at the end the line is gone."""
    shown = 0

    def show(text: str) -> None:
        nonlocal shown
        width = _stderr_width()
        if width:
            text = text[: width - 1]
            with contextlib.suppress(OSError):  # the terminal may have gone
                click.echo("\r" + text.ljust(shown), nl=False, err=True)
            shown = len(text)

    try:
        yield show
    finally:
        if shown:
            with contextlib.suppress(OSError):
                click.echo("\r" + " " * shown + "\r", nl=False, err=True)


def _stderr_width() -> int:
    """Return the columns of the terminal that shows stderr; 0: it is none."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError, AttributeError):
        return 0


def _folded_for_stderr(line: str) -> str:
    """Return ``line`` in lines that a terminal need not break, if stderr is one."""
    width = _stderr_width()
    if not width:
        return line
    from oomctl.render.folding import folded

    return folded(line, width)


def discard_stdout() -> None:
    """Let the interpreter's last flush of stdout go nowhere, so that it cannot fail again."""
    with contextlib.suppress(OSError, ValueError):  # not a file (a test's buffer), or closed already
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, sys.stdout.fileno())
        os.close(descriptor)
