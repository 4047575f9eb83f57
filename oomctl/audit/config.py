"""check.toml: what a machine's administrator wants not to hear of, or earlier."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import NamedTuple

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from oomctl.audit.catalogue import IDS
from oomctl.audit.facts import Thresholds
from oomctl.errors import BadInput
from oomctl.guard.files import read_bounded
from oomctl.policy.ownership import Distrusted, open_trusted
from oomctl.targets.words import Target, parse_target

STANDARD = "/etc/oomctl/check.toml"
_MOST_BYTES = 1 << 16
_KEYS = ("ignore", "precious", "thresholds")
_MOST = {"limit_near_percent": 100, "futile_percent": 100, "group_blast_processes": 1 << 22}


class Config(NamedTuple):
    """What is in the file; without one, nothing is said otherwise."""

    ignore: frozenset[str] = frozenset()
    precious: tuple[Target, ...] = ()
    thresholds: Thresholds = Thresholds()


def load(path: str | None) -> Config:
    """Read ``path``, or where it belongs if there is one. BadInput, with the key, for what is wrong in it."""
    where = path or STANDARD
    try:
        with open_trusted(where) as opened:
            content = read_bounded(opened.descriptor, _MOST_BYTES + 1)
    except FileNotFoundError as error:
        if path is None:
            return Config()
        raise BadInput(f"{where}: {error.strerror}") from None
    except Distrusted as error:
        raise BadInput("; ".join(f"{wrong.path}: {wrong.message}" for wrong in error.faults)) from None
    except OSError as error:
        raise BadInput(f"{where}: {error.strerror}") from None
    try:
        return _config(_document(content))
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None


def _document(content: bytes) -> Mapping[str, object]:
    if len(content) > _MOST_BYTES:
        raise BadInput(f"expected at most {_MOST_BYTES} bytes")
    try:
        document: dict[str, object] = tomllib.loads(content.decode())
    except UnicodeDecodeError:
        raise BadInput("expected UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"not TOML: {str(error)[:200]}") from None
    return document


def _config(document: Mapping[str, object]) -> Config:
    for key in document:
        if key not in _KEYS:
            raise BadInput(f"{key[:60]}: no such key; expected {', '.join(_KEYS)}")
    ignore = _words(document, "ignore")
    for name in ignore:
        if name not in IDS:
            raise BadInput(f"ignore: no check is called {name[:60]!r}; oomctl check --explain all lists them")
    precious = tuple(parse_target(word) for word in _words(document, "precious"))
    return Config(frozenset(ignore), precious, _thresholds(document.get("thresholds", {})))


def _words(document: Mapping[str, object], key: str) -> list[str]:
    words = document.get(key, [])
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise BadInput(f"{key}: expected a list of strings")
    return words


def _thresholds(table: object) -> Thresholds:
    if not isinstance(table, dict):
        raise BadInput("thresholds: expected a table, [thresholds]")
    for name, value in table.items():
        if name not in _MOST:
            raise BadInput(f"thresholds.{name[:60]}: no such key; expected {', '.join(_MOST)}")
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST[name]:
            raise BadInput(f"thresholds.{name}: expected a whole number from 0 to {_MOST[name]}")
    return Thresholds(**table)
