"""Memory cgroups below a directory that the user named: the host's, mounted into a container.

Paths in /proc/PID/cgroup are shown from the cgroup namespace of who reads them. Where the directory shows what lies
above that namespace, its own names are those of the host: they are turned into these, or not known.
"""

from __future__ import annotations

import os

from oomctl.errors import ImpossibleHere
from oomctl.kernel.constraint import below
from oomctl.procfs.cgroupfiles import lists_at, opened, read_path, text_in
from oomctl.procfs.cgroupmounts import Mount, mounts, own_file
from oomctl.procfs.cgrouppaths import memory_path
from oomctl.procfs.opening import LISTING

_V1_FILES = ("memory.limit_in_bytes", "memory.usage_in_bytes")
_LONGEST_CGROUPS = 1 << 16
_MOST_CGROUPS = 20_000


def mount_at(directory: str, proc_root: str) -> Mount:
    """Return what memory cgroups there are at ``directory``: v1's or v2's own root, or the place of both.

    Raises ImpossibleHere where there are none, or it cannot be known which they are.
    """
    try:
        os.stat(f"{directory}/.")
    except PermissionError:
        raise ImpossibleHere(f"cgroup root {directory}: Permission denied; this user may not look into it") from None
    except OSError:
        raise ImpossibleHere(f"cgroup root {directory}: no such directory") from None
    known = mounts(proc_root)
    found = [_mount(os.path.realpath(f"{directory}{name}"), known) for name in ("", "/memory", "/unified")]
    usable = [mount for mount in found if mount is not None and _has_memory(mount)]
    if not usable:
        why = "no memory controller is in its cgroup.controllers" if any(found) else "no memory cgroups are there"
        raise ImpossibleHere(f"cgroup root {directory}: {why}; name what /sys/fs/cgroup is on the host")
    if own_file(proc_root, "mountinfo") is None:
        raise ImpossibleHere(
            f"cgroup root {directory}: which cgroups it shows cannot be known: no /proc shows this process's mounts;"
            " mount this place's own (mount -t proc proc /proc)"
        )
    return usable[0]


def own_namespace(mount: Mount, proc_root: str) -> str | None:
    """Return the path, in ``mount``, of the topmost cgroup of this process's cgroup namespace.

    It is the one in whose lists this process is to be found. None where it is not known.
    """
    path = _own_path(mount, proc_root)
    if path is None or ".." in path.split("/"):
        return None
    above = mount.prefix.count("..")
    names = [""]
    for _ in range(above - sum(1 for name in mount.root.split("/") if name)):
        names = [f"{name}/{child}" for name in names for child in _directories(mount.point + name)]
        if len(names) > _MOST_CGROUPS:
            return None
    holding = [name for name in names if _lists_this_process(f"{mount.point}{name}{path.rstrip('/')}")]
    return f"{mount.root.rstrip('/')}{holding[0]}" or "/" if holding else None


def _mount(place: str, known: list[Mount]) -> Mount | None:
    """Return what is at ``place``; None where that is no memory hierarchy of v1, nor one of v2."""
    over = [mount for mount in known if below(place, mount.point)]
    if not os.path.isdir(place):
        return None
    if over:
        mount = max(reversed(over), key=lambda mount: len(mount.point))  # of those at one place the last is on top
        names = [name for name in (mount.root + place[len(mount.point.rstrip("/")) :]).split("/") if name]
        above = names.count("..")  # they come first
        prefix = "/.." * above
        return Mount(mount.version, place, "/" + "/".join(names[above:]), prefix)
    if any(os.path.lexists(f"{place}/{name}") for name in _V1_FILES):
        return Mount(1, place, "/")
    return Mount(2, place, "/") if os.path.lexists(f"{place}/cgroup.controllers") else None


def _has_memory(mount: Mount) -> bool:
    return mount.version == 1 or "memory" in text_in(mount.point, "cgroup.controllers").split()


def _own_path(mount: Mount, proc_root: str) -> str | None:
    """Return this process's own memory cgroup, seen from its namespace."""
    name = own_file(proc_root, "cgroup")
    if name is None:
        return None
    try:
        return memory_path(read_path(name, _LONGEST_CGROUPS).decode(errors="replace"), mount.version)
    except (OSError, ValueError):
        return None


def _directories(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _lists_this_process(path: str) -> bool:
    try:
        directory = opened(path, LISTING)
    except (OSError, ValueError):
        return False
    try:
        # The kernel writes the numbers of who reads, whatever /proc there is.
        return os.getpid() in lists_at(directory, "cgroup.procs").pids
    finally:
        os.close(directory)
