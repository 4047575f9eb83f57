"""Memory cgroups, v1 and v2: where they are, their limits, their members in the kernel's order."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from oomctl.errors import ImpossibleHere
from oomctl.kernel.constraint import below
from oomctl.model.kernel import MemcgLimits
from oomctl.procfs.cgroupfiles import (
    children_at,
    is_directory,
    limit_in,
    lists_at,
    number_in,
    opened,
    text_in,
)
from oomctl.procfs.cgroupmounts import Mount, memory_mount
from oomctl.procfs.cgrouppaths import Nested, cgroups_at, memory_path, shown
from oomctl.procfs.cgrouproot import mount_at, own_namespace
from oomctl.procfs.namespaces import in_first_pid_namespace
from oomctl.procfs.opening import LISTING
from oomctl.procfs.reader import Procfs
from oomctl.procfs.statfiles import PF_EXITING, flags_at

_LINES = re.MULTILINE | re.ASCII
_KILL_DISABLED = re.compile(r"^oom_kill_disable 1$", re.MULTILINE)


class Usage(NamedTuple):
    """Bytes charged now."""

    memory: int
    swap: int
    kernel: int = 0
    """Of the memory what the kernel itself uses, on v1, which does not say how much of it reclaim can have."""


class Members(NamedTuple):
    """The processes of one memory cgroup, without those below it."""

    cgroup: str
    pids: list[int]
    """As /proc has them."""
    unseen: int = 0
    """Further ones, which have no number in this PID namespace."""
    whole: bool = True
    """Whether these are all: lists may be unreadable, or leave out who has no number here."""


class Memcgs:
    """The hierarchy that has the memory controller, as ``procfs`` sees it mounted."""

    def __init__(self, procfs: Procfs, mount: Mount) -> None:
        self._procfs = procfs
        self.version = mount.version
        self.mount_point = mount.point
        self.root = mount.root
        """Path of the topmost cgroup that is mounted here."""
        self._mount = mount

    @classmethod
    def of(cls, procfs: Procfs) -> Memcgs | None:
        """Find the hierarchy by ``self/mountinfo``; None where no memory controller is mounted.

        One that was named on purpose is taken, or ImpossibleHere raised where it is none.
        """
        if procfs.cgroup_root is not None:
            return cls(procfs, mount_at(procfs.cgroup_root, procfs.root))
        mount = memory_mount(procfs.root)
        return None if mount is None else cls(procfs, mount)

    @cached_property
    def is_whole(self) -> bool:
        """Whether no cgroup lies above ``root``, so that no limit is out of sight."""
        return self._mount.is_whole

    def path_of(self, directory: int) -> str | None:
        """Return the memory cgroup of the process behind an open directory of /proc."""
        return self.path_in(cgroups_at(directory), directory)

    def path_in(self, cgroups: str, directory: int) -> str | None:
        """Return the memory cgroup that the text of ``cgroup`` there names; None where that is not known.

        Raises OSError. Whoever is ending is in ``/`` of v1 whatever the namespace (``proc_cgroup_show``), which is else
        the cgroup that a namespace begins with.
        """
        path = memory_path(cgroups, self.version)
        if path is None or not self._mount.prefix:
            return path
        if path == "/" and self.version == 1 and flags_at(directory) & PF_EXITING:
            return path
        return self._named(path)

    def _named(self, path: str) -> str | None:
        """Return the name that a path seen from this process's cgroup namespace has in what is mounted here.

        The kernel goes up only as far as it has to: what lies beside the namespace is ``/../x``, however deep both are.
        """
        prefix = self._mount.prefix
        if below(path, prefix):
            return path[len(prefix) :] or "/"
        own = self._own_namespace
        return None if own is None else os.path.normpath(own + path)

    @cached_property
    def _own_namespace(self) -> str | None:
        return own_namespace(self._mount, self._procfs.root)

    def path_of_pid(self, pid: int) -> str | None:
        """Like ``path_of``; None as well when the process is gone."""
        try:
            with self._procfs.open_task(pid) as directory:
                return self.path_of(directory)
        except OSError:
            return None

    def resolve(self, name: str) -> str:
        """Turn what the user wrote, a cgroup path or its directory, into the path /proc/PID/cgroup shows.

        A path may also begin where the mount does. Raises ImpossibleHere when there is no such cgroup.
        """
        normal = os.path.normpath(name)
        if below(normal, self.mount_point):
            path = self.root.rstrip("/") + normal[len(self.mount_point) :]
        else:
            path = "/" + os.path.normpath(name.strip("/"))  # keeps the ".." of a path out of a cgroup namespace
        path = path.rstrip("/").removesuffix("/.") or "/"
        if self._mount.prefix and path.startswith("/.."):
            path = self._named(path) or path
        if not self.sees(path) and ".." not in (self.root + path).split("/"):
            path = (self.root + path).rstrip("/")
        if not is_directory(self.directory(path)):
            raise ImpossibleHere(f"cgroup {name}: no such memory cgroup under {self.mount_point}")
        return path

    def sees(self, path: str) -> bool:
        """Whether ``path`` would lie in what is mounted here.

        It does not where only some of the hierarchy is mounted, or where this process is in a cgroup namespace
        and ``path`` begins with ``/..``.
        """
        return self._mount.inside(path) is not None

    def directory(self, path: str) -> str:
        """Return where ``path`` is mounted. Raises ImpossibleHere where it lies outside of what is mounted."""
        inside = self._mount.inside(path)
        if inside is None:
            raise ImpossibleHere(
                f"cgroup {path}: no such memory cgroup under {self.mount_point}, which shows only a part of them"
                " (as in a container or cgroup namespace); ask on the host, or mount its"
                " /sys/fs/cgroup and say --cgroup-root DIR"
            )
        return os.path.normpath(self.mount_point + "/" + inside)

    def limits(self, path: str) -> MemcgLimits:
        """Return the limits set on ``path`` itself, in pages. Raises ImpossibleHere where they may not be read."""
        directory, page = self.directory(path), self._procfs.page_size
        swap_total = self._procfs.meminfo.swap_total // page
        if self.version == 1:
            return MemcgLimits(
                1,
                limit_in(directory, "memory.limit_in_bytes", page),
                memsw_pages=limit_in(directory, "memory.memsw.limit_in_bytes", page),
                swap_total_pages=swap_total,
                swappiness=number_in(directory, "memory.swappiness", 60),
                use_hierarchy=self.is_hierarchical(path),
            )
        return MemcgLimits(
            2,
            limit_in(directory, "memory.max", page),
            swap_pages=limit_in(directory, "memory.swap.max", page),
            swap_total_pages=swap_total,
            swappiness=self._procfs.setting("vm/swappiness"),
        )

    def is_hierarchical(self, path: str) -> bool:
        """Whether what is below ``path`` counts towards its limit and belongs to its OOM.

        Not so with v1's ``memory.use_hierarchy`` 0, up to v5.10 (commit bef8620cd8e0, "mm: memcg: deprecate the
        non-hierarchical mode"); the root of all has everybody below it in any case (``mem_cgroup_iter``).
        """
        if self.version != 1 or text_in(self.directory(path), "memory.use_hierarchy").strip() != "0":
            return True
        return path == self.root and self.is_whole

    def kill_disabled(self, path: str) -> bool:
        """Whether v1's ``oom_kill_disable`` is set: ``mem_cgroup_oom`` asks the cgroup whose limit is hit."""
        if self.version != 1:
            return False
        return _KILL_DISABLED.search(text_in(self.directory(path), "memory.oom_control")) is not None

    def usage(self, path: str) -> Usage:
        """Return what is charged to ``path`` and below; 0 where the files are not to be had."""
        directory = self.directory(path)
        if self.version == 1:
            memory = number_in(directory, "memory.usage_in_bytes")
            both = number_in(directory, "memory.memsw.usage_in_bytes", memory)
            return Usage(memory, max(both - memory, 0), number_in(directory, "memory.kmem.usage_in_bytes"))
        return Usage(number_in(directory, "memory.current"), number_in(directory, "memory.swap.current"))

    def stat(self, path: str) -> dict[str, int]:
        """Return the numbers in ``memory.stat`` for ``path`` and below, called as v2 and v1 call them; bytes for sizes.

        Empty where they are not to be had.
        """
        text = text_in(self.directory(path), "memory.stat")
        prefix = "total_" if self.version == 1 else ""
        return {name: int(number) for name, number in re.findall(rf"^{prefix}(\w+) (\d{{1,20}})$", text, _LINES)}

    def cache_bytes(self, path: str) -> int:
        """Return the page cache of files charged here and below: reclaim drops it before anybody dies."""
        return _cache(self.stat(path))

    def mapped_bytes(self, path: str) -> int:
        """Return how much of that processes have mapped. What the kernel counts so has shared memory in it, too."""
        stat = self.stat(path)
        return min(stat.get("file_mapped", stat.get("mapped_file", 0)), _cache(stat))

    def members(self, path: str) -> Iterator[Members]:
        """Yield the processes of ``path`` and of each cgroup below it that belongs to it, in the kernel's walk order.

        Pre-order, siblings by creation (their inode number follows it). v2 lists members in the kernel's
        own order, v1 by PID. A process of which only some thread is in a v1 cgroup is not a member.
        A cgroup whose path is longer than /proc/PID/cgroup can show goes by the name of the nearest above it.
        """
        self.directory(path)
        with_those_below = self.is_hierarchical(path)
        waiting = [Nested(path.rstrip("/"))]  # cgroups may be nested deeper than functions
        while waiting:
            nested = waiting.pop()
            path = nested.path()
            found, below_it = self._members_and_children(path)
            yield found
            if with_those_below:
                waiting += [Nested(name, nested) for name in reversed(below_it)]

    def processes_of(self, path: str) -> list[int]:
        """PIDs of the processes of ``path`` itself, as they are now."""
        return self._members_and_children(path)[0].pids

    @property
    def lists_in_order(self) -> bool:
        """Whether members come in the order in which the kernel visits them; else by PID."""
        return self.version == 2 and not self._procfs.numbers_differ

    def _members_and_children(self, path: str) -> tuple[Members, list[str]]:
        name = shown(path)
        try:
            directory = opened(self.directory(path), LISTING)
        except (OSError, ValueError) as error:
            return Members(name, [], whole=not isinstance(error, PermissionError)), []
        try:
            return self._members_at(directory, name), children_at(directory)
        finally:
            os.close(directory)

    def _members_at(self, directory: int, path: str) -> Members:
        if self._procfs.numbers_differ:
            pids = self._by_cgroup.get(path, [])
            return Members(path, pids, whole=None not in self._by_cgroup)
        listed = lists_at(directory, "cgroup.procs")
        # One that moved away and came back while the kernel listed it is there twice.
        pids = list(dict.fromkeys(listed.pids))
        if self.version == 1:
            threads = set(lists_at(directory, "tasks").pids)
            # An exited leader is not in `tasks`, but its live threads keep the process a member.
            pids = [pid for pid in pids if pid in threads or self._procfs.has_exited(pid)]
        return Members(path, pids, listed.zeros, listed.readable and (self.version == 2 or self._numbers_everybody))

    @cached_property
    def _numbers_everybody(self) -> bool:
        """Whether every process has a number here. Lists of v1 leave out who has none, those of v2 give it a 0."""
        return in_first_pid_namespace(self._procfs.root) is True

    @cached_property
    def _by_cgroup(self) -> dict[str | None, list[int]]:
        """PIDs by the cgroup that /proc shows, where lists of members have other numbers than /proc has.

        Under None stand those of which it is not known, also if they are only counted.
        """
        pids, hidden = self._procfs.pids()
        found: dict[str | None, list[int]] = {None: []} if hidden else {}
        for pid in pids:
            path = self.path_of_pid(pid)
            if path is not None or os.path.lexists(f"{self._procfs.root}/{pid}"):  # else it has ended since
                found.setdefault(path, []).append(pid)
        return found

    def inodes(self, path: str) -> frozenset[int]:
        """Return the inode numbers of ``path`` and all cgroups below it, as far as they are to be had."""
        found: set[int] = set()
        waiting = [Nested(path.rstrip("/"))]
        while waiting:
            nested = waiting.pop()
            try:
                directory = opened(self.directory(nested.path()), LISTING)
            except (OSError, ValueError):
                continue
            try:
                found.add(os.fstat(directory).st_ino)
                waiting += [Nested(name, nested) for name in children_at(directory)]
            finally:
                os.close(directory)
        return frozenset(found)

    def children(self, path: str) -> list[str]:
        """Names of the cgroups right below ``path``, oldest first."""
        try:
            directory = opened(self.directory(path), LISTING)
        except (OSError, ValueError, ImpossibleHere):
            return []
        try:
            return children_at(directory)
        finally:
            os.close(directory)

    def kills_as_group(self, path: str) -> bool:
        """Whether ``memory.oom.group`` is set (v1 has no such file)."""
        return text_in(self.directory(path), "memory.oom.group").strip() == "1"

    def ancestors(self, path: str) -> list[str]:
        """``path`` and everything above it that is mounted here, the topmost last; empty where ``path`` is not."""
        if not self.sees(path):
            return []
        names = [name for name in path.split("/") if name]
        topmost = sum(1 for name in self.root.split("/") if name)
        return ["/" + "/".join(names[:depth]) for depth in range(len(names), topmost - 1, -1)]

    def charged(self, path: str) -> list[str]:
        """``path`` and those of its ancestors whose limits count for it, the topmost last."""
        own, *above = self.ancestors(path)
        counting = list(itertools.takewhile(self.is_hierarchical, above))
        return [own, *counting]


def _cache(stat: dict[str, int]) -> int:
    return stat.get("active_file", 0) + stat.get("inactive_file", 0)
