"""What bash, zsh and fish send for a TAB and how they want to be answered; their scripts.

A script passes the line up to the cursor in OOMCTL_LINE and gets one line for each candidate: kind, value, help,
between tabs. ``value`` is a whole word, ``prefix`` one that goes on (no space behind it); ``file``, ``dir`` and
``command`` ask the shell to complete by its own means.

Candidates are names that somebody else has chosen. zsh and fish quote them for the quote that is open; bash inserts
what it gets, so ``bashwords`` writes them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import ClassVar

import click
from click.shell_completion import (
    CompletionItem,
    ShellComplete,
    _resolve_context,
    _resolve_incomplete,
    add_completion_class,
    shell_complete,
    split_arg_string,
)

from oomctl.cli.parameters import MINUS
from oomctl.completion import bashwords
from oomctl.render.text import visible

PROGRAMS = ("oomctl", "oomadm")
SHELLS = ("bash", "zsh", "fish")
_CURSOR = "\x01"
# Functions of bash-completion between the TAB and ours behind which a word is read only once.
_TRANSPARENT = {"_command_offset", "_comp_command_offset", "_sudo", "_comp_cmd_sudo"}
_ONLY_LISTED, _ALL_INSERTED = ord("?"), ord("*")  # of COMP_TYPE


class _OwnComplete(ShellComplete):
    """Whole words in, whole words out; negative numbers and ``-FIELD`` are values, not options."""

    name: ClassVar[str]
    line = ""

    def source(self) -> str:
        return script(self.name, self.prog_name)

    def get_completion_args(self) -> tuple[list[str], str]:
        self.line = os.environ.get("OOMCTL_LINE", "")
        words = split_arg_string(self.line + _CURSOR)
        programs = [index for index, word in enumerate(words) if os.path.basename(word) in PROGRAMS]
        start = programs[0] + 1 if programs else 1
        return words[start:-1], words[-1].replace(_CURSOR, "")

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        option, equals, value = incomplete.partition("=") if incomplete.startswith("--") else ("", "", incomplete)
        items = []
        if not (equals and value[:1] == "-"):
            items = self._found(args, incomplete)
        if re.fullmatch(r"-\w*", value):
            items += self._found(args, f"{option}{equals}{MINUS}{value[1:]}")
        return [self._whole(item, option + equals if equals else "") for item in items if item.value.isprintable()]

    def _found(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        """Find what is asked for as click does; but a value is completed by what help calls it.

        click converts the words before it, and takes what it cannot convert for missing, without a word.
        """
        # Both are click's own, and so since 8.0: what is asked for is to be had in no other way.
        context = _resolve_context(self.cli, self.ctx_args, self.prog_name, args)
        asked, begun = _resolve_incomplete(context, args, incomplete)
        if isinstance(asked, click.Command):
            return asked.shell_complete(context, begun)
        from oomctl.completion.candidates import complete  # names of commands and options take no look at the machine

        return complete(asked, begun)

    def _whole(self, item: CompletionItem[str], before: str) -> CompletionItem[str]:
        return CompletionItem(before + item.value, type=item.type, help=item.help)

    def format_completion(self, item: CompletionItem[str]) -> str:
        kind = "value" if item.type == "plain" else item.type
        return f"{kind}\t{item.value}\t{visible(item.help or '')}"


@add_completion_class
class Bash(_OwnComplete):
    """bash replaces only what stands behind the last ``:``, ``=`` or open quote, and quotes nothing by itself."""

    name = "bash"

    def complete(self) -> str:
        items = self.get_completions(*self.get_completion_args())
        shells_own = [item for item in items if item.type in ("file", "dir", "command")]
        words = self._words([item for item in items if item not in shells_own])
        quoted = [CompletionItem("".join(word), type=item.type, help=item.help) for word, item in words.items()]
        return "\n".join(self.format_completion(item) for item in shells_own + quoted)

    def _words(self, items: Sequence[CompletionItem[str]]) -> dict[bashwords.Word, CompletionItem[str]]:
        """Return what can be inserted, written for where the cursor stands."""
        place = self._place()
        kept = self._kept(place)
        words: dict[bashwords.Word, CompletionItem[str]] = {}
        for item in items:
            if kept is not None and item.value.startswith(kept):
                word = bashwords.word(item.value.removeprefix(kept), place.write)
                words |= {word: item} if word and word not in words else {}
        common = bashwords.cut_between_characters([*words])
        if common is None or _comp_type() in (_ONLY_LISTED, _ALL_INSERTED):
            return words
        if not common:  # no word is empty; those that need no quotes at their beginning can be told apart
            return {word: item for word, item in words.items() if len(word[0]) == 1}
        return {**words, common: CompletionItem("", type="prefix", help="how several of these begin")}

    def _place(self) -> bashwords.Place:
        """Return where the cursor stands, as far as that is sure."""
        callers = os.environ.get("OOMCTL_CALLERS")  # a script of an earlier version does not say
        if callers is None or not set(callers.split()) <= _TRANSPARENT:
            return bashwords.Place(None, bashwords.bare)
        place = bashwords.place_behind(self.line)
        if place.begun is not None and _comp_type() == _ALL_INSERTED:
            return place._replace(write=bashwords.bare)  # bash takes the open quote away
        return place

    def _kept(self, place: bashwords.Place) -> str | None:
        """Return the beginning of the word that bash keeps, without its quotes; None where that is not clear."""
        typed = os.environ.get("OOMCTL_WORD", "")
        replaced = "".join(split_arg_string(typed)) if place.begun is None else place.begun
        whole = split_arg_string(self.line + _CURSOR)[-1].replace(_CURSOR, "")
        if not (self.line.endswith(typed) and whole.endswith(replaced)):
            return None
        if place.write is bashwords.bare and os.environ.get("OOMCTL_CALLERS") and {"'", '"'} & set(typed[1:]):
            return None  # others pass the whole word on, even if a quote was opened within it
        return whole.removesuffix(replaced)


def _comp_type() -> int:
    """Return what the TAB is for, as bash says it."""
    text = os.environ.get("OOMCTL_TYPE", "")
    return int(text) if text.isdecimal() else 0


@add_completion_class
class Zsh(_OwnComplete):
    name = "zsh"


@add_completion_class
class Fish(_OwnComplete):
    name = "fish"


def answer(group: click.Group, instruction: str) -> int:
    """Answer a TAB on a line of ``group`` (``bash_complete``) or print a script (``bash_source``)."""
    return shell_complete(group, {}, "oomctl", "_OOMCTL_COMPLETE", instruction)


def script(shell: str, program: str) -> str:
    """Return the script that teaches ``shell`` to complete ``program``."""
    import pkgutil  # a TAB needs no script

    text = pkgutil.get_data("oomctl.completion", f"script.{shell}")  # a file, or in the archive that is run
    assert text is not None  # noqa: S101 - for mypy; it is a part of this package
    return text.decode().replace("PROGRAM", program)
