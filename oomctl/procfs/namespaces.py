"""Which PID namespace a /proc shows: the machine's first one, with all processes in it, or a container's."""

from __future__ import annotations

import os
import re

from oomctl.procfs.reading import read_at
from oomctl.procfs.statfiles import FLAGS, PF_KTHREAD, split_stat

FIRST_PID_NAMESPACE = "pid:[4026531836]"
"""PROC_PID_INIT_INO in include/linux/proc_ns.h, since v3.8."""

_NSPID = re.compile(r"^NSpid:((?:\t\d{1,10})+)$", re.MULTILINE | re.ASCII)
_LONGEST_STATUS = 1 << 20  # with 65,536 groups


def in_first_pid_namespace(root: str) -> bool | None:
    """Whether the process file system at ``root`` shows the initial PID namespace; None where that cannot be told.

    For one's own /proc that is also the namespace one is in. Asked is its PID 1 (root may), then whether its PID 2 is
    a kernel thread, as there are none elsewhere, then oneself, if one has the same number there as here.
    """
    link = _link(f"{root}/1/ns/pid")
    if link is not None:
        return link == FIRST_PID_NAMESPACE
    if _is_kernel_thread(root, 2):
        return True
    if _link(f"{root}/self") not in (None, str(os.getpid())):
        return None
    link = _link(f"{root}/self/ns/pid")
    return None if link is None else link == FIRST_PID_NAMESPACE


def is_without_this(root: str) -> bool:
    """Whether the process file system at ``root`` shows a PID namespace in which this process has no number."""
    try:
        os.readlink(f"{root}/self")
    except FileNotFoundError:
        return os.path.islink(f"{root}/self")  # the kernel's link is there, and leads nowhere
    except OSError:
        return False
    return False


def numbers_of_this(root: str) -> tuple[int, ...] | None:
    """Return the numbers of this process in the PID namespace that ``root`` shows and in those below, to its own.

    There are none where that namespace does not hold it. The last is not the own PID where there is only ``self`` to
    go by: mere files of another time, or a kernel before v4.1. None where that says nothing either.
    """
    if is_without_this(root):
        return ()
    number = _link(f"{root}/self") or ""
    if not number.isdigit():
        return None
    try:
        found = _NSPID.search(read_at(None, f"{root}/self/status", _LONGEST_STATUS).decode(errors="replace"))
    except OSError:
        found = None
    numbers = tuple(map(int, found[1].split())) if found else ()
    return numbers if (*numbers[:1], *numbers[-1:]) == (int(number), os.getpid()) else (int(number),)


def _is_kernel_thread(root: str, pid: int) -> bool:
    try:
        _, fields = split_stat(read_at(None, f"{root}/{pid}/stat"))
        return bool(int(fields[FLAGS]) & PF_KTHREAD)
    except (OSError, ValueError, IndexError):
        return False


def _link(path: str) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return None
