"""Where policies stand: which files are read, in which order, and what if one cannot be read."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from oomctl.errors import BadInput
from oomctl.guard.files import read_bounded
from oomctl.guard.walk import Opened
from oomctl.policy import document
from oomctl.policy.overlap import unreachable
from oomctl.policy.ownership import Distrusted, open_trusted
from oomctl.policy.rule import Mistake, Place, Policy

STANDARD = ("/etc/oomctl/policy.toml", "/etc/oomctl/policy.d")
"""A directory means the *.toml in it, by name."""
STDIN = "-"
_CALLED = "<stdin>"
MOST_FILES = 1000
"""Of one directory."""
_MOST_NAMES = 20_000
"""Of one directory, whatever they end in."""


def load(paths: Sequence[str]) -> Policy:
    """Read the policy in ``paths`` (without any: where it belongs; ``-`` is stdin), with all mistakes.

    Stdin is what the caller gave, whoever wrote it, and is read to its end. Whatever else stands there, no file is
    waited for. Raises BadInput where there is no file at all.
    """
    asked = paths or [path for path in STANDARD if os.path.lexists(path)]
    parts = [part for path in asked for part in _at(path)]
    if not parts:
        where = " nor ".join(paths or STANDARD)
        raise BadInput(f"no policy: neither {where} holds a *.toml file; --file FILE reads another one")
    rules = tuple(rule for part in parts for rule in part.rules)
    mistakes = dict.fromkeys(mistake for part in parts for mistake in part.mistakes)
    precious = tuple(dict.fromkeys(target for part in parts for target in part.precious))
    return Policy(rules, (*mistakes, *unreachable(rules)), precious)


def load_valid(paths: Sequence[str]) -> Policy:
    """Read a policy that is to be followed; BadInput, with its first mistake, when any part of it is wrong."""
    policy = load(paths)
    if policy.errors:
        first, *more = policy.errors
        rest = f" (and {len(more)} more: oomctl policy check lists them)" if more else ""
        raise BadInput(f"{first}{rest}; nothing was changed")
    return policy


def _stdin() -> Policy:
    if sys.stdin is None:
        return Policy(mistakes=(Mistake(Place(_CALLED), "cannot be read: it is closed"),))
    try:
        return document.parse(_CALLED, read_bounded(sys.stdin.fileno(), document.MOST_BYTES + 1))
    except OSError as error:
        return _unusable(_CALLED, error)


def _at(path: str) -> list[Policy]:
    """Read the file ``path``, or what is in the directory ``path``; ``-`` is stdin."""
    if path == STDIN:
        return [_stdin()]
    try:
        with open_trusted(path, or_directory=True) as opened:
            if not opened.is_directory:
                return [_parsed(path, opened)]
            names = _names(opened.descriptor)
    except (OSError, Distrusted) as error:
        return [_unusable(path, error)]
    if names is None:
        message = f"expected at most {MOST_FILES} files, and {_MOST_NAMES} names in all; move other files elsewhere"
        return [Policy(mistakes=(Mistake(Place(path), message),))]
    return [_read(os.path.join(path, name)) for name in names]


def _names(directory: int) -> list[str] | None:
    """Return the *.toml of an open directory, by name; None if there are too many."""
    names: list[str] = []
    with os.scandir(directory) as entries:
        for number, entry in enumerate(entries):
            # What ls hides is an editor's, or half written by configuration management.
            if entry.name.endswith(".toml") and not entry.name.startswith("."):
                names.append(entry.name)
            if len(names) > MOST_FILES or number >= _MOST_NAMES:
                return None
    return sorted(names)


def _read(path: str) -> Policy:
    try:
        with open_trusted(path) as opened:
            return _parsed(path, opened)
    except (OSError, Distrusted) as error:
        return _unusable(path, error)


def _parsed(path: str, opened: Opened) -> Policy:
    return document.parse(path, read_bounded(opened.descriptor, document.MOST_BYTES + 1))


def _unusable(path: str, error: OSError | Distrusted) -> Policy:
    if isinstance(error, Distrusted):
        return Policy(mistakes=tuple(Mistake(Place(wrong.path), wrong.message) for wrong in error.faults))
    return Policy(mistakes=(Mistake(Place(path), f"cannot be read: {error.strerror}"),))
