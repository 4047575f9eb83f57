"""One JSON object on its way in: every value is checked, and a refusal names the field."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from oomctl.errors import BadInput

_MOST = 1 << 53  # beyond this a JSON number is no longer exact everywhere
_REQUIRED: Any = object()
LONGEST_TEXT = 4096
"""Characters of a string: PATH_MAX, which is where the kernel cuts the path of a cgroup."""
MOST_NODES = 1 << 16
"""Numbers of NUMA nodes are below this; MAX_NUMNODES is 1024 at most."""
_MOST_UNKNOWN = 100  # names of fields that are not understood
_SHOWN = 40  # characters of a value or name in a message
_FOR_READERS = {"user", "unit", "cmdline"}
"""What may be said of a task besides: the kernel does not look at it."""


class Fields:
    """One JSON object on its way in.

    Every getter checks type and range and raises BadInput that names the field. What is missing, or null, is the
    ``default`` where there is one.
    """

    def __init__(self, value: object, path: str) -> None:
        if not isinstance(value, dict):
            raise _wrong(path or "scenario", "an object", value)
        self._values: dict[str, object] = value
        self._path = path
        self._asked: set[str] = set()
        self._below: list[Fields] = []
        self._unknown_below: list[str] = []

    def ask(self, names: Iterable[str]) -> Mapping[str, object]:
        """Return what there is, unchecked: all of ``names`` are known fields."""
        self._asked.update(names)
        return self._values

    def page_size(self, default: int) -> int:
        """Return bytes, a power of two."""
        size: int = self.whole("page_size", default, least=1024, most=1 << 24)
        if size & (size - 1):
            raise _wrong(self._at("page_size"), "a power of two", size)
        return size

    def whole(self, name: str, default: Any = _REQUIRED, least: int = 0, most: int = _MOST) -> Any:
        """Return a whole number from ``least`` to ``most``."""
        value = self._take(name, default)
        if value is default:
            return value
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            expected = f"a whole number from {least}" + (f" to {most}" if most != _MOST else "")
            raise _wrong(self._at(name), expected, value)
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a boolean; 0 and 1 are some, too."""
        value = self._take(name, default)
        if value not in (True, False, 0, 1) or isinstance(value, float):
            raise _wrong(self._at(name), "true or false", value)
        return bool(value)

    def text(self, name: str, default: Any = _REQUIRED, longest: int = LONGEST_TEXT) -> Any:
        """Return a string of at most ``longest`` characters."""
        value = self._take(name, default)
        if value is not default and not isinstance(value, str):
            raise _wrong(self._at(name), "a string", value)
        if isinstance(value, str) and len(value) > longest:
            raise _wrong(self._at(name), f"at most {longest} characters", value)
        return value

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """Return a string that is one of ``choices``."""
        value: str = self.text(name)
        if value not in choices:
            raise _wrong(self._at(name), f"one of {', '.join(choices)}", value)
        return value

    def texts(self, name: str) -> frozenset[str]:
        """Return the strings of a list, or the only one; none where the field is missing."""
        value = self._take(name, None)
        several = [value] if isinstance(value, str) else [] if value is None else value
        if not isinstance(several, list) or not all(isinstance(text, str) for text in several):
            raise _wrong(self._at(name), "a string or a list of strings", value)
        if any(len(text) > LONGEST_TEXT for text in several):
            raise _wrong(self._at(name), f"strings of at most {LONGEST_TEXT} characters", value)
        return frozenset(several)

    def choices(self, name: str, choices: tuple[str, ...]) -> frozenset[str]:
        """Return the strings of a list, each of them one of ``choices``."""
        texts = self.texts(name)
        for text in sorted(texts.difference(choices)):
            raise _wrong(self._at(name), f"some of {', '.join(choices)}", text)
        return texts

    def node_set(self, name: str) -> frozenset[int] | None:
        """Return the numbers of NUMA nodes in a list; None where the field is missing."""
        value = self._take(name, None)
        if value is None:
            return None
        whole = isinstance(value, list) and all(type(node) is int and 0 <= node < MOST_NODES for node in value)
        if not isinstance(value, list) or not whole:
            raise _wrong(self._at(name), "a list of node numbers", value)
        return frozenset(value)

    def child(self, name: str) -> Fields:
        """Return an object that may not be missing."""
        return self._descend(self._take(name, _REQUIRED), self._at(name))

    def optional_child(self, name: str) -> Fields | None:
        """Return an object; None where it is missing."""
        value = self._take(name, None)
        return None if value is None else self._descend(value, self._at(name))

    def children(self, name: str, most: int) -> Iterator[Fields]:
        """Yield one object of a list after the other. Each can be asked until the next one is taken."""
        value = self._take(name, _REQUIRED)
        if not isinstance(value, list):
            raise _wrong(self._at(name), "a list", value)
        if len(value) > most:
            raise BadInput(f"{self._at(name)}: expected at most {most} entries, got {len(value)}")
        for index, entry in enumerate(value):
            value[index] = None  # its memory is wanted for what is made of it
            fields = Fields(entry, f"{self._at(name)}[{index}]")
            yield fields
            self._note_unknown(fields)

    def named(self, name: str, most: int) -> Iterator[tuple[str, Fields]]:
        """Yield name and object of one member after the other. Each can be asked until the next one is taken."""
        group = self.optional_child(name)
        if group is None:
            return
        if len(group._values) > most:
            raise BadInput(f"{self._at(name)}: expected at most {most} entries, got {len(group._values)}")
        for key in group._values:
            if len(key) > LONGEST_TEXT:
                raise _wrong(self._at(name), f"names of at most {LONGEST_TEXT} characters", key)
            fields = Fields(group._take(key, _REQUIRED), group._at(key))
            group._values[key] = None
            yield key, fields
            group._note_unknown(fields)

    def nodes(self, name: str) -> Iterator[tuple[int, Fields]]:
        """Yield number and object of NUMA nodes as ``named`` does."""
        for key, fields in self.named(name, MOST_NODES):
            if not (key.isascii() and key.isdigit() and len(key) < 6 and int(key) < MOST_NODES):
                raise _wrong(f"{self._at(name)}.{shortened(key)}", "a node number as the name", key)
            yield int(key), fields

    def unknown(self) -> Iterator[str]:
        """Paths of the fields here and below that nobody asked for; of lists the first hundred."""
        is_task = self._path.startswith("tasks[") and "." not in self._path
        for name in sorted(self._values.keys() - self._asked - (_FOR_READERS if is_task else set())):
            yield self._at(name)
        for fields in self._below:
            yield from fields.unknown()
        yield from self._unknown_below

    def _note_unknown(self, fields: Fields) -> None:
        self._unknown_below += islice(fields.unknown(), _MOST_UNKNOWN - len(self._unknown_below))

    def _take(self, name: str, default: Any) -> Any:
        self._asked.add(name)
        value = self._values.get(name, default)
        if value is _REQUIRED:
            raise BadInput(f"{self._at(name)}: missing")
        return default if value is None and default is not _REQUIRED else value

    def _descend(self, value: object, path: str) -> Fields:
        fields = Fields(value, path)
        self._below.append(fields)
        return fields

    def _at(self, name: str) -> str:
        name = shortened(name, 100)
        return f"{self._path}.{name}" if self._path else name


def shortened(text: str, longest: int = _SHOWN) -> str:
    """Return ``text`` as it fits into a message."""
    return text if len(text) <= longest else text[: longest - 3] + "..."


def _wrong(path: str, expected: str, value: object) -> BadInput:
    return BadInput(f"{path}: expected {expected}, got {_shown(value)}")


def _shown(value: object) -> str:
    """Return the beginning of a JSON value; no more of it is written than is shown."""
    if isinstance(value, str):
        value = value[: _SHOWN + 1]
    shown = ""
    try:
        for part in json.JSONEncoder().iterencode(value):
            shown += part
            if len(shown) > _SHOWN:
                break
    except RecursionError:  # what could just be read may be too deep to be written here
        return "something nested too deeply"
    return shortened(shown)
