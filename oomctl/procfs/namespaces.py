"""Which PID namespace a /proc shows: the machine's first one, with all processes in it, or a container's."""

from __future__ import annotations

import os

from oomctl.procfs.reading import read_at
from oomctl.procfs.statfiles import FLAGS, PF_KTHREAD, split_stat

FIRST_PID_NAMESPACE = "pid:[4026531836]"
"""PROC_PID_INIT_INO in include/linux/proc_ns.h, since v3.8."""


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
