"""JSON documents as text: one line each, in parts where there may not be memory for all of it.

json is imported where it is used: who prints text does not wait for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def json_line(document: Mapping[str, Any]) -> str:
    """Return a whole document with its newline."""
    import json

    return json.dumps(document) + "\n"


def members(values: Mapping[str, Any]) -> str:
    """Return the members of an object without its braces."""
    import json

    return json.dumps(values)[1:-1]


def with_array(before: str, items: Iterable[Mapping[str, Any]], after: str) -> Iterator[str]:
    """Yield ``before``, an array and ``after``, the first part as soon as the first item is known."""
    import json

    separator = before + "["
    for item in items:
        yield separator + json.dumps(item)
        separator = ", "
    yield ("" if separator == ", " else separator) + "]" + after
