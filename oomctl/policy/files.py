"""Where policies stand: which files are read, in which order, and what if one cannot be read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from oomctl.errors import BadInput
from oomctl.policy import document
from oomctl.policy.overlap import unreachable
from oomctl.policy.rules import Mistake, Place, Policy

STANDARD = ("/etc/oomctl/policy.toml", "/etc/oomctl/policy.d")
"""A directory means the *.toml in it, by name."""


def load(paths: Sequence[str]) -> Policy:
    """Read the policy in ``paths`` (without any: where it belongs), with all mistakes.

    Raises BadInput where there is no file at all.
    """
    parts = [_read(path) for path in _files(paths)]
    if not parts:
        where = " nor ".join(paths or STANDARD)
        raise BadInput(f"no policy: neither {where} holds a *.toml file; --file FILE reads another one")
    rules = tuple(rule for part in parts for rule in part.rules)
    mistakes = [mistake for part in parts for mistake in part.mistakes]
    return Policy(rules, (*mistakes, *unreachable(rules)))


def load_valid(paths: Sequence[str]) -> Policy:
    """Read a policy that is to be followed; BadInput, with its first mistake, when any part of it is wrong."""
    policy = load(paths)
    if policy.errors:
        first, *more = policy.errors
        rest = f" (and {len(more)} more: oomctl policy check lists them)" if more else ""
        raise BadInput(f"{first}{rest}; nothing was changed")
    return policy


def _files(paths: Sequence[str]) -> Iterator[str]:
    for path in paths or STANDARD:
        if os.path.isdir(path) and os.access(path, os.R_OK):
            # What ls hides is an editor's, or half written by configuration management.
            names = [name for name in os.listdir(path) if name.endswith(".toml") and not name.startswith(".")]
            yield from (os.path.join(path, name) for name in sorted(names))
        elif paths or os.path.lexists(path):
            yield path


def _read(path: str) -> Policy:
    try:
        with open(path, "rb") as file:
            return document.parse(path, file.read(document.MOST_BYTES + 1))
    except OSError as error:
        return Policy(mistakes=(Mistake(Place(path), f"cannot be read: {error.strerror}"),))
