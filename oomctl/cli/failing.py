"""The document that ``--json`` prints where the answer is an error."""

from __future__ import annotations

from collections.abc import Sequence

import click

from oomctl.console import discard_stdout, emit, this_run

SCHEMA = "oomctl.error/1"


def promise_json(context: click.Context, _: click.Parameter, value: bool | str | None) -> bool | str | None:
    """Note that JSON was asked for, as the callback of ``--json`` and ``--format``; returns ``value`` as it is."""
    if value in (True, "json") and not context.resilient_parsing:
        this_run.json_of = _name(context)
    return value


def notice_json(words: Sequence[str], context: click.Context | None) -> None:
    """See whether JSON was asked for on a command line that click could not parse, of which it tells no options.

    A group has no such option itself: there a command was mistyped, which would have had it.
    """
    if context is None or this_run.json_of is not None or not _has_json(context.command):
        return
    before = words[: words.index("--")] if "--" in words else words
    behind_format = {before[index + 1] for index, word in enumerate(before[:-1]) if word == "--format"}
    if "--json" in before or "--format=json" in before or "json" in behind_format:
        this_run.json_of = _name(context)


def print_document(exit_status: int) -> None:
    """Print what went wrong, if JSON was asked for and nothing else is on stdout.

    That it cannot be written changes nothing: it was said on stderr, and the status says it, too.
    """
    if exit_status == 0 or this_run.json_of is None or this_run.printed or not this_run.complaints:
        return
    import json

    details = [detail for _, detail in this_run.complaints if detail]
    document = {
        "schema": SCHEMA,
        "command": this_run.json_of or None,
        "error": "; ".join(message for message, _ in this_run.complaints),
        "detail": "; ".join(details) or None,
        "exit_status": exit_status,
    }
    try:
        emit(json.dumps(document) + "\n")
    except OSError:
        discard_stdout()


def _has_json(command: click.Command) -> bool:
    return isinstance(command, click.Group) or any("--json" in param.opts for param in command.params)


def _name(context: click.Context) -> str:
    """Return ``policy check``; nothing for the program itself, however it was called."""
    names: list[str] = []
    while context.parent is not None:
        names.insert(0, context.info_name or "")
        context = context.parent
    return " ".join(names)
