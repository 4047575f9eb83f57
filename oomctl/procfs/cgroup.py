"""Memory cgroups, v1 and v2: where they are, their limits, their members in the kernel's order."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from oomctl.errors import ImpossibleHere
from oomctl.kernel.constraint import below
from oomctl.model import MemcgLimits
from oomctl.procfs.reader import Procfs, read_at

_V1_UNLIMITED = 1 << 62  # PAGE_COUNTER_MAX is just below 2**63 bytes, by page size
_ESCAPE = re.compile(r"\\([0-7]{3})")


class Usage(NamedTuple):
    """Bytes charged now."""

    memory: int
    swap: int


class Memcgs:
    """The hierarchy that has the memory controller, as ``procfs`` sees it mounted."""

    def __init__(self, procfs: Procfs, version: int, mount_point: str, mount_root: str) -> None:
        self._procfs = procfs
        self.version = version
        self.mount_point = mount_point
        self.root = mount_root
        """Path of the topmost cgroup that is mounted here."""

    @classmethod
    def of(cls, procfs: Procfs) -> Memcgs | None:
        """Find the hierarchy by ``self/mountinfo``; None where no memory controller is mounted."""
        try:
            with open(f"{procfs.root}/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
                # Anybody may mount FUSE at a name with exotic line breaks and spaces; the kernel escapes only its own.
                lines = file.read().split("\n")[:-1]
        except OSError:
            return None
        unified: tuple[str, str] | None = None
        for line in lines:
            fields, _, filesystem = line.partition(" - ")
            root, point = (_unescaped(field) for field in fields.split(" ")[3:5])
            kind, *_, options = filesystem.split(" ")
            if kind == "cgroup" and "memory" in options.split(","):
                return cls(procfs, 1, point, root)
            if kind == "cgroup2":
                unified = point, root
        if unified is None or "memory" not in _text(unified[0], "cgroup.controllers").split():
            return None
        return cls(procfs, 2, *unified)

    def path_of(self, directory: int) -> str | None:
        """Return the memory cgroup of the process behind an open directory of /proc."""
        return self.path_in(read_at(directory, "cgroup").decode(errors="replace"))

    def path_in(self, cgroups: str) -> str | None:
        """Return the memory cgroup named in the text of ``/proc/PID/cgroup``."""
        for controllers, path in hierarchies(cgroups):
            if "memory" in controllers.split(",") if self.version == 1 else controllers == "":
                return path.removesuffix(" (deleted)")
        return None

    def path_of_pid(self, pid: int) -> str | None:
        """Like ``path_of``; None as well when the process is gone."""
        try:
            with self._procfs.open_task(pid) as directory:
                return self.path_of(directory)
        except OSError:
            return None

    def resolve(self, name: str) -> str:
        """Turn what the user wrote, a cgroup path or its directory, into the path /proc/PID/cgroup shows.

        Raises ImpossibleHere when there is no such cgroup.
        """
        path = name
        if below(os.path.normpath(name), self.mount_point):
            path = self.root.rstrip("/") + os.path.normpath(name)[len(self.mount_point) :]
        path = os.path.normpath("/" + path.strip("/"))
        if not os.path.isdir(self.directory(path)):
            raise ImpossibleHere(f"cgroup {name}: no such memory cgroup under {self.mount_point}")
        return path

    def directory(self, path: str) -> str:
        """Return where ``path`` is mounted."""
        inside = path
        if self.root != "/" and below(path, self.root):
            inside = path[len(self.root) :]
        return os.path.normpath(self.mount_point + "/" + inside)

    def limits(self, path: str) -> MemcgLimits:
        """Return the limits set on ``path`` itself, in pages."""
        directory, page = self.directory(path), self._procfs.page_size
        swap_total = self._procfs.meminfo.swap_total // page
        if self.version == 1:
            return MemcgLimits(
                1,
                _pages(_text(directory, "memory.limit_in_bytes"), page),
                memsw_pages=_pages(_text(directory, "memory.memsw.limit_in_bytes"), page),
                swap_total_pages=swap_total,
                swappiness=int(_text(directory, "memory.swappiness") or 60),
            )
        return MemcgLimits(
            2,
            _pages(_text(directory, "memory.max"), page),
            swap_pages=_pages(_text(directory, "memory.swap.max"), page),
            swap_total_pages=swap_total,
            swappiness=self._procfs.setting("vm/swappiness"),
        )

    def usage(self, path: str) -> Usage:
        directory = self.directory(path)
        if self.version == 1:
            memory = int(_text(directory, "memory.usage_in_bytes") or 0)
            both = int(_text(directory, "memory.memsw.usage_in_bytes") or memory)
            return Usage(memory, max(both - memory, 0))
        return Usage(int(_text(directory, "memory.current") or 0), int(_text(directory, "memory.swap.current") or 0))

    def cache_bytes(self, path: str) -> int:
        """Return the page cache of files charged here and below: reclaim drops it before anybody dies."""
        text = _text(self.directory(path), "memory.stat")
        prefix = "total_" if self.version == 1 else ""
        sizes = dict(re.findall(r"^(\w+) (\d+)$", text, re.MULTILINE))
        return sum(int(sizes.get(f"{prefix}{name}", 0)) for name in ("active_file", "inactive_file"))

    def members(self, path: str) -> Iterator[tuple[str, list[int]]]:
        """Yield (cgroup, PIDs of its processes) for ``path`` and below in the kernel's walk order.

        Pre-order, siblings by creation (their inode number follows it). v2 lists members in the kernel's
        own order, v1 by PID. A process of which only some thread is in a v1 cgroup is not a member.
        """
        directory = self.directory(path)
        pids = [int(pid) for pid in _text(directory, "cgroup.procs").split()]
        if self.version == 1:
            threads = set(_text(directory, "tasks").split())
            # An exited leader is not in `tasks`, but its live threads keep the process a member.
            pids = [pid for pid in pids if str(pid) in threads or self._procfs.has_exited(pid)]
        yield path, pids
        for name in self.children(path):
            yield from self.members(f"{path.rstrip('/')}/{name}")

    def children(self, path: str) -> list[str]:
        """Names of the cgroups right below ``path``, oldest first."""
        try:
            with os.scandir(self.directory(path)) as entries:
                found = [(entry.inode(), entry.name) for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            return []
        return [name for _, name in sorted(found)]

    def kills_as_group(self, path: str) -> bool:
        """Whether ``memory.oom.group`` is set (v1 has no such file)."""
        return _text(self.directory(path), "memory.oom.group").strip() == "1"

    def ancestors(self, path: str) -> list[str]:
        """``path`` and everything above it, the root last."""
        found = [path]
        while found[-1] != "/":
            found.append(os.path.dirname(found[-1]))
        return found


def hierarchies(cgroups: str) -> Iterator[tuple[str, str]]:
    """Yield (controllers, path) for each line of ``/proc/PID/cgroup``; a path may hold anything but a newline."""
    for line in cgroups.split("\n"):
        if line:
            _, controllers, path = line.split(":", 2)
            yield controllers, path


def _pages(text: str, page_size: int) -> int | None:
    text = text.strip()
    if not text or text == "max":
        return None
    size = int(text)
    return None if size >= _V1_UNLIMITED else size // page_size


def _text(directory: str, name: str) -> str:
    """Return a control file's text, empty where this kernel or this cgroup has no such file."""
    try:
        with open(f"{directory}/{name}", encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def _unescaped(field: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), field)
