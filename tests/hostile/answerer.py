"""A long-lived oomctl that answers every TAB: so that a thousand of them do not start a thousand Pythons.

The program the shell finds is the shell script below. Asked to complete, it hands its environment over and prints what
comes back; called for anything else, it writes down with which words.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from oomctl.cli.main import cli
from oomctl.completion.shells import answer

PROJECT = Path(__file__).parents[2]
PROGRAM = """#!/bin/sh
if [ "$_OOMCTL_COMPLETE" ]; then
    env -0 > "$PLACE/question"
    exec cat "$PLACE/answer"
fi
printf '%s\\0' "$@" > "$PLACE/words.part"
mv "$PLACE/words.part" "$PLACE/words"
"""


@contextlib.contextmanager
def answering(place: Path) -> Iterator[None]:
    """Answer what PROGRAM asks while ``PLACE`` in its environment is ``place``."""
    for name in ("question", "answer"):
        os.mkfifo(place / name)
    command = [sys.executable, "-m", "tests.hostile.answerer", str(place)]
    with subprocess.Popen(command, cwd=PROJECT) as process:
        try:
            yield
        finally:
            process.kill()


def words(place: Path) -> list[str] | None:
    """Return, once, the words with which PROGRAM was called; None when it was not."""
    try:
        text = (place / "words").read_bytes()
    except FileNotFoundError:
        return None
    (place / "words").unlink()
    return text.decode(errors="surrogateescape").split("\0")[:-1]


def _answer_for_ever(place: Path) -> None:
    while True:
        asked = dict(os.fsdecode(pair).split("=", 1) for pair in (place / "question").read_bytes().split(b"\0") if pair)
        os.environ.clear()
        os.environ.update(asked)
        printed = io.BytesIO()
        with contextlib.redirect_stdout(io.TextIOWrapper(printed, write_through=True)):
            answer(cli, asked["_OOMCTL_COMPLETE"])
            (place / "answer").write_bytes(printed.getvalue())


if __name__ == "__main__":
    _answer_for_ever(Path(sys.argv[1]))
