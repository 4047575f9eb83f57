"""Whether a process runs the program that its name says, and where it lives: what a name alone cannot tell."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from oomctl.procfs.namespaces import FIRST_PID_NAMESPACE
from oomctl.procfs.reader import Procfs

_DELETED = " (deleted)"
_NAMESPACES = ("pid", "user")
"""Not mnt: services with PrivateTmp= or ProtectSystem= have one of their own, see ``same_file_here``."""


class Provenance(NamedTuple):
    """The executable of one process and the namespaces it is in."""

    path: str
    """Of the executable, as the kernel names it; without the mark of a file that was replaced since."""
    owner_uid: int
    mode: int
    """Type and permissions, as in ``st_mode``."""
    same_file_here: bool
    """That path leads oomctl to this very file: it is no other root directory's, as a container's image has it."""
    same_namespaces: bool
    """PID and user namespace are those of oomctl."""

    @property
    def name(self) -> str:
        """Basename of the executable."""
        return os.path.basename(self.path)

    @property
    def only_root_can_change_it(self) -> bool:
        """Whether the file is root's and nobody else may write it; its directories are not looked at."""
        return self.owner_uid == 0 and not self.mode & (stat.S_IWGRP | stat.S_IWOTH)

    @property
    def set_user_id(self) -> bool:
        """Whether the file is set-user-ID."""
        return bool(self.mode & stat.S_ISUID)


def executable_name(procfs: Procfs, pid: int) -> str:
    """Return the basename of the executable; empty where it cannot be seen, and for kernel threads."""
    try:
        with procfs.open_task(pid) as directory:
            return os.path.basename(os.readlink("exe", dir_fd=directory).removesuffix(_DELETED))
    except OSError:
        return ""


def provenance(procfs: Procfs, pid: int) -> Provenance | None:
    """Return where a process comes from; None where that cannot be seen (it takes ptrace access), or it is gone."""
    try:
        with procfs.open_task(pid) as directory:
            link = os.readlink("exe", dir_fd=directory)
            file = os.stat("exe", dir_fd=directory)
            namespaces = [os.readlink(f"ns/{name}", dir_fd=directory) for name in _NAMESPACES]
        own = _own_namespaces(procfs)
    except OSError:
        return None
    path = link.removesuffix(_DELETED)
    here = _is_here(_filesystem_of(procfs) + path, file, replaced=link != path)
    return Provenance(path, file.st_uid, file.st_mode, here, namespaces == own)


def is_machine_init(procfs: Procfs, pid: int) -> bool:
    """Whether this is the machine's own PID 1; that of a container is an ordinary process to the OOM killer."""
    if pid != 1:
        return False
    try:
        with procfs.open_task(pid) as directory:
            return os.readlink("ns/pid", dir_fd=directory) == FIRST_PID_NAMESPACE
    except OSError:
        return True  # without a look at it nobody should take it for less


def _own_namespaces(procfs: Procfs) -> list[str]:
    """Return oomctl's namespaces; in a /proc that was named on purpose, those of its PID 1."""
    places = ("self", "1") if procfs.is_own else ("1", "self")
    for place in places:
        try:
            return [os.readlink(f"{procfs.root}/{place}/ns/{name}") for name in _NAMESPACES]
        except OSError:
            continue
    raise FileNotFoundError(f"{procfs.root}/1/ns")


def _filesystem_of(procfs: Procfs) -> str:
    """Return what stands before a path of the place that ``procfs`` shows: nothing, or the root of its PID 1.

    The numbers alone do not tell: a pod with hostPID has those of its node, and files of its own. Who names the /proc
    means its place.
    """
    root = f"{procfs.root}/1/root"
    return root if (procfs.on_purpose or not procfs.is_own) and os.path.isdir(root) else ""


def _is_here(path: str, file: os.stat_result, replaced: bool) -> bool:
    try:
        # A file that was replaced (an upgrade) has no name any more; it was on the file system of its directory.
        known = os.stat(os.path.dirname(path) if replaced else path)
    except OSError:
        return False
    return known.st_dev == file.st_dev and (replaced or known.st_ino == file.st_ino)
