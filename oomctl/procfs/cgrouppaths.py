"""Paths of cgroups: as /proc/PID/cgroup shows them, and as a walk makes them."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator

from oomctl.procfs.reading import read_at

_LONGEST_CGROUPS = 1 << 16  # v1 has some 14 hierarchies, with a path of up to 4,096 bytes in each
_LONGEST_SHOWN = 4096


class Nested:
    """A cgroup below another; a path is made when it is asked for, as thousands may be long ones."""

    def __init__(self, name: str, above: Nested | None = None) -> None:
        self._name = name
        self._above = above

    def path(self) -> str:
        names = []
        nested: Nested | None = self
        while nested is not None:
            names.append(nested._name)
            nested = nested._above
        return "/".join(reversed(names)) or "/"


def shown(path: str) -> str:
    """Return ``path``, or of the cgroups above it the nearest that is not too long for a file to show."""
    text = os.fsencode(path)
    return path if len(text) <= _LONGEST_SHOWN else os.fsdecode(text[: text.rindex(b"/", 0, _LONGEST_SHOWN + 1)])


def cgroups_at(directory: int) -> str:
    """Return the text of ``/proc/PID/cgroup``, without a line that it was cut in. Raises OSError."""
    text = read_at(directory, "cgroup", _LONGEST_CGROUPS)
    if len(text) == _LONGEST_CGROUPS:
        text = text[: text.rfind(b"\n") + 1]
    return text.decode(errors="replace")


def hierarchies(cgroups: str) -> Iterator[tuple[str, str]]:
    """Yield (controllers, path) for each line of ``/proc/PID/cgroup``; a path may hold anything but a newline."""
    for line in cgroups.split("\n"):
        parts = line.split(":", 2)
        if len(parts) == 3:
            yield parts[1], parts[2]


@functools.lru_cache(1000)  # there are fewer cgroups than processes
def memory_path(cgroups: str, version: int) -> str | None:
    """Return the path of the memory cgroup in the text of ``/proc/PID/cgroup``; None where it has none."""
    for controllers, path in hierarchies(cgroups):
        if "memory" in controllers.split(",") if version == 1 else controllers == "":
            return path.removesuffix(" (deleted)")
    return None
