"""What bash, zsh and fish send for a TAB and how they want to be answered; their scripts.

A script passes the line up to the cursor in OOMCTL_LINE and gets one line for each candidate: kind, value, help,
between tabs. ``value`` is a whole word, ``prefix`` one that goes on (no space behind it); ``file`` and ``command``
ask the shell to complete by its own means.
"""

from __future__ import annotations

import importlib.resources
import json
import os
import re
from typing import ClassVar

from click.shell_completion import CompletionItem, ShellComplete, add_completion_class, split_arg_string

from oomctl.commands.options import MINUS
from oomctl.completion.candidates import complete
from oomctl.completion.outline import stand_in
from oomctl.render.text import visible

PROGRAMS = ("oomctl", "oomadm")
SHELLS = ("bash", "zsh", "fish")
_CURSOR = "\x01"
_NEEDS_QUOTING = re.compile(r"([^\w@%+=:,./-])")


class _OwnComplete(ShellComplete):
    """Whole words in, whole words out; negative numbers are values, not options."""

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
        found = []
        if not (equals and value[:1] == "-"):
            found = super().get_completions(args, incomplete)
        if re.fullmatch(r"-\d*", value):
            found += super().get_completions(args, f"{option}{equals}{MINUS}{value[1:]}")
        return [self._whole(item, option + equals if equals else "") for item in found if item.value.isprintable()]

    def _whole(self, item: CompletionItem[str], before: str) -> CompletionItem[str]:
        return CompletionItem(before + item.value, type=item.type, help=item.help)

    def format_completion(self, item: CompletionItem[str]) -> str:
        kind = "value" if item.type == "plain" else item.type
        return f"{kind}\t{item.value}\t{visible(item.help or '')}"


@add_completion_class
class Bash(_OwnComplete):
    """bash replaces only what stands behind the last ``:`` or ``=``, and quotes nothing by itself."""

    name = "bash"

    def format_completion(self, item: CompletionItem[str]) -> str:
        typed = os.environ.get("OOMCTL_WORD", "")  # what bash will replace
        known = "".join(split_arg_string(typed))
        whole = split_arg_string(self.line + _CURSOR)[-1].replace(_CURSOR, "")
        value = item.value.removeprefix(whole.removesuffix(known))
        opened = self.line.removesuffix(typed)[-1:]
        if opened not in ("'", '"'):
            value = _NEEDS_QUOTING.sub(r"\\\1", value)
        return super().format_completion(CompletionItem(value, type=item.type, help=item.help))


@add_completion_class
class Zsh(_OwnComplete):
    name = "zsh"


@add_completion_class
class Fish(_OwnComplete):
    name = "fish"


def answer(instruction: str) -> int:
    """Answer a TAB (``bash_complete``) or print a script (``bash_source``)."""
    from click.shell_completion import shell_complete

    outline = json.loads(_file("outline.json"))
    return shell_complete(stand_in("oomctl", outline, complete), {}, "oomctl", "_OOMCTL_COMPLETE", instruction)


def script(shell: str, program: str) -> str:
    """Return the script that teaches ``shell`` to complete ``program``."""
    return _file(f"script.{shell}").replace("PROGRAM", program)


def _file(name: str) -> str:
    return importlib.resources.files("oomctl.completion").joinpath(name).read_text(encoding="utf-8")
