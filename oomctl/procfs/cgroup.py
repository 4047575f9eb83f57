"""Memory cgroups, v1 and v2: where they are, their limits, their members in the kernel's order."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from oomctl.errors import ImpossibleHere
from oomctl.guard.files import read_bounded
from oomctl.kernel.constraint import below
from oomctl.model.kernel import MemcgLimits
from oomctl.procfs.reader import Procfs
from oomctl.procfs.reading import LISTING, LONGEST_LIST, PASSING, READING, pids_in, read_at

_V1_UNLIMITED = 1 << 62  # PAGE_COUNTER_MAX is just below 2**63 bytes, by page size
_ESCAPE = re.compile(r"\\([0-7]{3})")
_LONGEST_MOUNTINFO = 1 << 23  # of the 100,000 mounts that there may be (fs.mount-max) those of the boot come first
_LONGEST_CGROUPS = 1 << 16  # v1 has some 14 hierarchies, with a path of up to 4,096 bytes in each
_LONGEST_CONTROL = 1 << 16  # memory.stat has 100 lines
_LONGEST_PATH = 4000  # what the kernel takes at once, PATH_MAX less something
_LONGEST_SHOWN = 4096
_LINES = re.MULTILINE | re.ASCII
_SIZE = re.compile(r"\d{1,20}", re.ASCII)


class Usage(NamedTuple):
    """Bytes charged now."""

    memory: int
    swap: int
    kernel: int = 0
    """Of the memory what the kernel itself uses, on v1, which does not say how much of it reclaim can have."""


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
            text = _read(f"{procfs.root}/self/mountinfo", _LONGEST_MOUNTINFO)
        except (OSError, ValueError):
            return None
        unified: tuple[str, str] | None = None
        for line in _mounts(text):
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
        return self.path_in(cgroups_at(directory))

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
        if not _is_directory(self.directory(path)):
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
                swappiness=_number(directory, "memory.swappiness", 60),
            )
        return MemcgLimits(
            2,
            _pages(_text(directory, "memory.max"), page),
            swap_pages=_pages(_text(directory, "memory.swap.max"), page),
            swap_total_pages=swap_total,
            swappiness=self._procfs.setting("vm/swappiness"),
        )

    def usage(self, path: str) -> Usage:
        """Return what is charged to ``path`` and below; 0 where the files are not to be had."""
        directory = self.directory(path)
        if self.version == 1:
            memory = _number(directory, "memory.usage_in_bytes")
            both = _number(directory, "memory.memsw.usage_in_bytes", memory)
            return Usage(memory, max(both - memory, 0), _number(directory, "memory.kmem.usage_in_bytes"))
        return Usage(_number(directory, "memory.current"), _number(directory, "memory.swap.current"))

    def stat(self, path: str) -> dict[str, int]:
        """Return the numbers in ``memory.stat`` for ``path`` and below, called as v2 and v1 call them; bytes for sizes.

        Empty where they are not to be had.
        """
        text = _text(self.directory(path), "memory.stat")
        prefix = "total_" if self.version == 1 else ""
        return {name: int(number) for name, number in re.findall(rf"^{prefix}(\w+) (\d{{1,20}})$", text, _LINES)}

    def cache_bytes(self, path: str) -> int:
        """Return the page cache of files charged here and below: reclaim drops it before anybody dies."""
        stat = self.stat(path)
        return stat.get("active_file", 0) + stat.get("inactive_file", 0)

    def members(self, path: str) -> Iterator[tuple[str, list[int]]]:
        """Yield (cgroup, PIDs of its processes) for ``path`` and below in the kernel's walk order.

        Pre-order, siblings by creation (their inode number follows it). v2 lists members in the kernel's
        own order, v1 by PID. A process of which only some thread is in a v1 cgroup is not a member.
        A cgroup whose path is longer than /proc/PID/cgroup can show goes by the name of the nearest above it.
        """
        waiting = [_Nested(path.rstrip("/"))]  # cgroups may be nested deeper than functions
        while waiting:
            nested = waiting.pop()
            path = nested.path()
            pids, below_it = self._members_and_children(path)
            yield _shown(path), pids
            waiting += [_Nested(name, nested) for name in reversed(below_it)]

    def _members_and_children(self, path: str) -> tuple[list[int], list[str]]:
        try:
            directory = _opened(self.directory(path), LISTING)
        except (OSError, ValueError):
            return [], []
        try:
            return self._processes_at(directory), _children_at(directory)
        finally:
            os.close(directory)

    def _processes_at(self, directory: int) -> list[int]:
        # One that moved away and came back while the kernel listed it is there twice.
        pids = list(dict.fromkeys(_list_at(directory, "cgroup.procs")))
        if self.version == 1:
            threads = set(_list_at(directory, "tasks"))
            # An exited leader is not in `tasks`, but its live threads keep the process a member.
            pids = [pid for pid in pids if pid in threads or self._procfs.has_exited(pid)]
        return pids

    def children(self, path: str) -> list[str]:
        """Names of the cgroups right below ``path``, oldest first."""
        try:
            directory = _opened(self.directory(path), LISTING)
        except (OSError, ValueError):
            return []
        try:
            return _children_at(directory)
        finally:
            os.close(directory)

    def kills_as_group(self, path: str) -> bool:
        """Whether ``memory.oom.group`` is set (v1 has no such file)."""
        return _text(self.directory(path), "memory.oom.group").strip() == "1"

    def ancestors(self, path: str) -> list[str]:
        """``path`` and everything above it, the root last."""
        names = [name for name in path.split("/") if name]
        return ["/" + "/".join(names[:depth]) for depth in range(len(names), -1, -1)]


class _Nested:
    """A cgroup below another; a path is made when it is asked for, as thousands may be long ones."""

    def __init__(self, name: str, above: _Nested | None = None) -> None:
        self._name = name
        self._above = above

    def path(self) -> str:
        names = []
        nested: _Nested | None = self
        while nested is not None:
            names.append(nested._name)
            nested = nested._above
        return "/".join(reversed(names)) or "/"


def _shown(path: str) -> str:
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


def _mounts(text: bytes) -> Iterator[str]:
    """Yield the whole lines of mountinfo that are about cgroups."""
    # Anybody may mount FUSE at a name with exotic line breaks and spaces; the kernel escapes only its own.
    for line in text.split(b"\n")[:-1]:
        before, _, filesystem = line.partition(b" - ")
        if filesystem.startswith(b"cgroup") and before.count(b" ") >= 5:
            yield line.decode(errors="surrogateescape")


def _pages(text: str, page_size: int) -> int | None:
    text = text.strip()
    if _SIZE.fullmatch(text) is None:  # "max", or no such file
        return None
    size = int(text)
    return None if size >= _V1_UNLIMITED else size // page_size


def _number(directory: str, name: str, default: int = 0) -> int:
    """Return the number in a control file; ``default`` where there is no such file, or none in it."""
    text = _text(directory, name).strip()
    return int(text) if _SIZE.fullmatch(text) else default


def _text(directory: str, name: str) -> str:
    """Return a control file's text, empty where this kernel or this cgroup has no such file."""
    try:
        return _read(f"{directory}/{name}", _LONGEST_CONTROL).decode(errors="replace")
    except (OSError, ValueError):
        return ""


def _list_at(directory: int, name: str) -> list[int]:
    """Return the PIDs in a file below an open directory, none where it cannot be read."""
    try:
        return pids_in(read_at(directory, name, LONGEST_LIST, in_pieces=True))
    except OSError:
        return []


def _read(path: str, most_bytes: int) -> bytes:
    """Read a file with a path of any length. Raises OSError, and ValueError for a path with a NUL."""
    descriptor = _opened(path, READING)
    try:
        return read_bounded(descriptor, most_bytes)
    finally:
        os.close(descriptor)


def _children_at(directory: int) -> list[str]:
    try:
        with os.scandir(directory) as entries:
            directories = [(entry.inode(), entry.name) for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [name for _, name in sorted(directories)]


def _is_directory(path: str) -> bool:
    try:
        os.close(_opened(path, PASSING))
    except (OSError, ValueError):
        return False
    return True


def _opened(path: str, flags: int) -> int:
    """Open a path of any length: one too long for the kernel piece by piece, as cgroups may be nested.

    Raises OSError, and ValueError for a path with a NUL.
    """
    whole, start, directory = os.fsencode(path), 0, None
    while True:
        cut = whole.rfind(b"/", start + 1, start + _LONGEST_PATH) if len(whole) - start > _LONGEST_PATH else -1
        name = whole[start:cut] if cut > 0 else whole[start:]
        try:
            inner = os.open(name, PASSING if cut > 0 else flags, dir_fd=directory)
        finally:
            if directory is not None:
                os.close(directory)
        if cut < 0:
            return inner
        start, directory = cut + 1, inner


def _unescaped(field: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), field)
