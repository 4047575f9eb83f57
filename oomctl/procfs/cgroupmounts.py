"""Where memory cgroups are mounted, and how much of their hierarchy that shows."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from oomctl.kernel.constraint import below
from oomctl.procfs.cgroupfiles import read_path, text_in
from oomctl.procfs.namespaces import is_without_this

FIRST_CGROUP_NAMESPACE = "cgroup:[4026531835]"
"""PROC_CGROUP_INIT_INO in include/linux/proc_ns.h, since v4.6."""
_ESCAPE = re.compile(r"\\([0-7]{3})")
_LONGEST_MOUNTINFO = 1 << 23  # of the 100,000 mounts that there may be (fs.mount-max) those of the boot come first


class Mount(NamedTuple):
    """One place where a hierarchy of cgroups is mounted."""

    version: int
    point: str
    root: str
    """Path of its topmost cgroup, seen from this process's cgroup namespace: it may begin with ``/..``."""
    prefix: str = ""
    """What stands before the names of this mount in paths seen from there: ``/../..``, where it was named on purpose.

    ``root`` and all paths are then those of who is not in that namespace.
    """

    @property
    def is_whole(self) -> bool:
        """Whether its topmost cgroup is the root of all, which nothing lies above.

        Only the root has ``cgroup.sane_behavior`` (v1), and only the others have ``cgroup.events`` (v2).
        """
        name = "cgroup.sane_behavior" if self.version == 1 else "cgroup.events"
        return self.root == "/" and os.path.lexists(f"{self.point}/{name}") == (self.version == 1)

    def inside(self, path: str) -> str | None:
        """Return the part of ``path`` below ``root``; None where it is not among what is mounted.

        Only some of the hierarchy may be mounted, and outside of a cgroup namespace a path begins with ``/..``.
        """
        if self.root != "/":
            if not below(path, self.root):
                return None
            path = path[len(self.root) :]
        return None if ".." in path.split("/") else path


def in_first_cgroup_namespace(proc_root: str) -> bool | None:
    """Whether paths of cgroups begin at the root of all; None where that cannot be told (kernels before v4.6)."""
    link = own_file(proc_root, "ns/cgroup")
    try:
        return None if link is None else os.readlink(link) == FIRST_CGROUP_NAMESPACE
    except OSError:
        return None


def own_file(proc_root: str, name: str) -> str | None:
    """Return the path of a file about this process itself; None where no /proc shows it.

    A /proc whose PID namespace does not hold this process has a ``self`` that leads nowhere; /proc may know it then.
    """
    path = f"{'/proc' if is_without_this(proc_root) else proc_root}/self/{name}"
    return path if os.path.lexists(path) else None


def memory_mount(proc_root: str) -> Mount | None:
    """Return where the memory controller is mounted by ``self/mountinfo``; None where it is not.

    Of several places that which shows most of what this process's cgroup namespace has names for.
    """
    found = mounts(proc_root)
    with_memory = [mount for mount in found if mount.version == 1]
    if not with_memory:
        with_memory = [mount for mount in found if "memory" in text_in(mount.point, "cgroup.controllers").split()]
    return min(with_memory, key=_narrowness, default=None)


def mounts(proc_root: str) -> list[Mount]:
    """Return every place where v1's memory controller or the unified hierarchy is mounted."""
    path = own_file(proc_root, "mountinfo")
    try:
        text = b"" if path is None else read_path(path, _LONGEST_MOUNTINFO)
    except (OSError, ValueError):
        return []
    found = []
    for line in _lines(text):
        fields, _, filesystem = line.partition(" - ")
        root, point = (_unescaped(field) for field in fields.split(" ")[3:5])
        kind, *_, options = filesystem.split(" ")
        if kind == "cgroup2":
            found.append(Mount(2, point, root))
        elif kind == "cgroup" and "memory" in options.split(","):
            found.append(Mount(1, point, root))
    return found


def _narrowness(mount: Mount) -> int:
    if mount.root == "/":
        return 0
    return 2 if ".." in mount.root.split("/") else 1


def _lines(text: bytes) -> Iterator[str]:
    """Yield the whole lines of mountinfo that are about cgroups."""
    # Anybody may mount FUSE at a name with exotic line breaks and spaces; the kernel escapes only its own.
    for line in text.split(b"\n")[:-1]:
        before, _, filesystem = line.partition(b" - ")
        if filesystem.startswith(b"cgroup") and filesystem.count(b" ") >= 2 and before.count(b" ") >= 5:
            yield line.decode(errors="surrogateescape")


def _unescaped(field: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), field)
