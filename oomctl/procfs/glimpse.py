"""As little of a process as tells whether it can matter, and whether /proc could be read at all."""

from __future__ import annotations

import errno
import os

from oomctl.model.kernel import Task
from oomctl.procfs.reader import Procfs
from oomctl.procfs.reading import read_at
from oomctl.procfs.statfiles import PPID, split_stat, status_in, uid_in

_SHORTAGES = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}


def is_shortage(error: OSError) -> bool:
    """Whether it says nothing of the file: there was no descriptor or no memory left to look at it."""
    return error.errno in _SHORTAGES


def glimpse(procfs: Procfs, pid: int, with_uid: bool, with_parent: bool) -> Task | None:
    """Return a task of which only the name is known, and what else was asked for; None when it is gone or hidden.

    Raises OSError where there is no descriptor or memory to look at it.
    """
    path = f"{procfs.root}/{pid}/"
    parent = uid = 0
    try:
        if with_parent:
            comm, stat = split_stat(read_at(None, path + "stat"))
            parent = int(stat[PPID])
        else:
            comm = read_at(None, path + "comm").removesuffix(b"\n")
        if with_uid:
            uid = uid_in(status_in(read_at(None, path + "status")))
    except (ValueError, IndexError):  # not the text of a process
        return None
    except OSError as error:
        if is_shortage(error):
            raise
        return None
    return Task(pid, comm.decode(errors="replace"), ppid=parent, uid=uid)


def owner(procfs: Procfs, pid: int) -> int | None:
    """Return the effective user of a process, whatever it hides of itself; None when it is gone or hidden."""
    try:
        return os.stat(f"{procfs.root}/{pid}").st_uid
    except OSError as error:
        if is_shortage(error):
            raise
        return None


def whole_identity(procfs: Procfs, pid: int) -> Task | None:
    """Return a task without sizes; None when it is gone or hidden. Raises OSError as ``glimpse`` does."""
    try:
        with procfs.open_task(pid) as directory:
            return procfs.identity_at(directory, pid)
    except (ValueError, IndexError):
        return None
    except OSError as error:
        if is_shortage(error):
            raise
        return None
