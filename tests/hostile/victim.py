"""Somebody at a shell who completes a name that another has chosen, and presses Enter."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.hostile import answerer
from tests.shells import home
from tests.shells.terminal import PROMPT, TAB, Terminal

PAYLOAD = '#!/bin/sh\necho >> "$PLACE/ran"\n'
"""The program ``zx``, which every hostile name would like to start."""

SUDO = '#!/bin/sh\nexec "$@"\n'
WATCH = '#!/bin/sh\nexec sh -c "$*"\n'  # as the real one does, once


class Victim:
    def __init__(self, terminal: Terminal, place: Path) -> None:
        self._terminal = terminal
        self._place = place

    def enter(self, typed: str, quote: str = "", keys: str = TAB, is_read_again: bool = False) -> list[str] | None:
        """Type ``typed``, which leaves ``quote`` open, ``keys`` and Enter; return the program's words, None if zx ran.

        A quote that is still open then is closed: what is a newline at the end of the word is taken off. Nothing is
        left of that where a shell reads the word again (``is_read_again``); there the word is what was typed.
        """
        self._terminal.type(typed + keys + "\r")
        if quote:
            self._terminal.type(quote + "\r")
        words = self._words(typed)
        if words is None:
            return None
        was_closed_here = words[-1].endswith("\n")
        if is_read_again:
            was_closed_here = typed.replace(quote, "").endswith(words[-1])
        if quote and not was_closed_here:
            self._terminal.type(quote + "\r")  # the one typed above has begun another word, on a line of its own
        return [word.removesuffix("\n") for word in words]

    def _words(self, typed: str) -> list[str] | None:
        received: list[list[str]] = []

        def ended() -> bool:
            words = answerer.words(self._place)
            received.extend([words] if words is not None else [])
            return bool(received) or self._has_run()

        self._terminal.wait_until(ended, f"the end of {typed!r}")
        return None if self._has_run() else received[0]

    def _has_run(self) -> bool:
        return (self._place / "ran").exists()


@contextlib.contextmanager
def at(shell: str, place: Path, env: Mapping[str, str], rc: str = "") -> Iterator[Victim]:
    """Sit somebody down at ``shell``, in a home under ``place``; ``rc`` is for its start-up file."""
    (place / "bin").mkdir()
    for name, text in {"zx": PAYLOAD, "sudo": SUDO, "watch": WATCH}.items():
        home.executable(place / "bin" / name, text)
    env = {"PLACE": str(place), **env}
    with answerer.answering(place), home.start(shell, place, env, answerer.PROGRAM, rc) as terminal:
        terminal.wait_for(PROMPT)
        yield Victim(terminal, place)
