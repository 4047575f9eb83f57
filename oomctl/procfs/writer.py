"""``oom_score_adj``, the only thing oomctl writes under /proc, and why the kernel refuses a write."""

from __future__ import annotations

import errno
import os
import re

from oomctl.model import Change, Task
from oomctl.procfs.reader import Procfs, read_at, start_ticks_at

_CAP_SYS_RESOURCE = 1 << 24  # include/uapi/linux/capability.h
_WHOLE_ID_RANGE = 4294967295


def write_adj(procfs: Procfs, task: Task, adj: int, dry_run: bool = False, only_if: int | None = None) -> Change:
    """Set ``oom_score_adj`` of exactly this process (with ``only_if``: where it has this value) and read it back.

    Everything goes through one open directory, so a PID that is reused is never written; the start
    time tells a process that took the PID before the directory was opened.
    """
    gone = Change(task.pid, task.comm, None, None, "vanished", f"process {task.pid} has ended")
    try:
        with procfs.open_task(task.pid) as directory:
            if start_ticks_at(directory) != task.start_ticks:
                return gone._replace(reason=f"PID {task.pid} now belongs to another process; it was not touched")
            before = int(read_at(directory, "oom_score_adj", 16))
            outcome = Change(task.pid, task.comm, before, adj, "unchanged" if before == adj else "dry-run")
            if before == adj:
                return outcome
            if only_if is not None and before != only_if:
                reason = f"something else has set it to {before} since; oomctl set {adj} {task.pid} overrides that"
                return outcome._replace(after=before, status="refused", reason=reason)
            if dry_run:
                return outcome
            try:
                _write(directory, adj)
            except PermissionError:
                return outcome._replace(after=before, status="denied", reason=_denial(procfs, directory, task, adj))
            except OSError as error:
                if error.errno != errno.EROFS:
                    raise
                reason = f"{procfs.root} is mounted read-only; write from outside the container, or remount it rw"
                return outcome._replace(after=before, status="denied", reason=reason)
            after = int(read_at(directory, "oom_score_adj", 16))
            if after != adj:
                reason = f"the kernel took {adj}, but {after} was read back: something else sets it, too"
                return outcome._replace(after=after, status="denied", reason=reason)
            return outcome._replace(status="changed")
    except (FileNotFoundError, ProcessLookupError):
        return gone


def _write(directory: int, adj: int) -> None:
    # Unbuffered: the kernel's refusal must not wait for a file object to be collected.
    fd = os.open("oom_score_adj", os.O_WRONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        os.write(fd, str(adj).encode())
    finally:
        os.close(fd)


def _denial(procfs: Procfs, directory: int, task: Task, adj: int) -> str:
    """Say which rule of the kernel (``__set_oom_adj``, proc file permissions) refused the write."""
    you = os.geteuid()
    if not os.access("oom_score_adj", os.W_OK, dir_fd=directory, effective_ids=True):
        if you == task.uid:
            return "the process gave up being inspected (not dumpable), so its files belong to root; write as root"
        if you != 0:
            return f"the process belongs to uid {task.uid}, not to you (uid {you}); write as that user or as root"
        return (
            f"the process belongs to uid {task.uid}, and root here lacks CAP_DAC_OVERRIDE;"
            " write as that user or from the host"
        )
    return (
        f"lowering it to {adj} goes below its floor, the last value that a privileged writer set (0 at first);"
        f" that takes CAP_SYS_RESOURCE, which {_why_no_capability(procfs)}"
    )


def _why_no_capability(procfs: Procfs) -> str:
    """Tell apart who took CAP_SYS_RESOURCE away from this very process, and what would help."""
    with open(f"{procfs.root}/self/status", encoding="utf-8", errors="replace") as file:
        status = file.read()
    bounding = re.search(r"^CapBnd:\s*(\w+)", status, re.MULTILINE)
    if not _in_initial_user_namespace(procfs):
        return "counts only in the initial user namespace and this is another one; write from the host"
    if os.geteuid() != 0:
        return "a plain user does not have; use sudo"
    if bounding and not int(bounding[1], 16) & _CAP_SYS_RESOURCE:
        return (
            "was taken from root here (container or unit with a bounded capability set);"
            " write from the host, or add CAP_SYS_RESOURCE to the container or to CapabilityBoundingSet="
        )
    return "this process does not have although it is root; run it without dropping capabilities"


def _in_initial_user_namespace(procfs: Procfs) -> bool:
    try:
        with open(f"{procfs.root}/self/uid_map", encoding="ascii") as file:
            return [int(number) for number in file.read().split()] == [0, 0, _WHOLE_ID_RANGE]
    except OSError:
        return True
