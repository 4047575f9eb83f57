"""``oom_score_adj``, the only thing oomctl writes under /proc, and why the kernel refuses a write."""

from __future__ import annotations

import errno
import os
import re

from oomctl.model.changes import Change, Status
from oomctl.model.kernel import Task
from oomctl.procfs.privilege import (
    CAP_DAC_OVERRIDE,
    has_capability,
    in_initial_user_namespace,
    may_lower,
    without_sys_resource,
)
from oomctl.procfs.reader import Procfs
from oomctl.procfs.reading import read_at
from oomctl.procfs.statfiles import adj_at, start_ticks_at

_FLOOR = "the last value that a privileged writer set (0 at first)"


def write_adj(procfs: Procfs, task: Task, adj: int, dry_run: bool = False, only_if: int | None = None) -> Change:
    """Set ``oom_score_adj`` of exactly this process (with ``only_if``: where it has this value) and read it back.

    Everything goes through one open directory, so a PID that is reused meanwhile is never written. One that was
    reused before is told by the start time, and within one clock tick by the number of the directory
    (``Task.inode``); where that is not known the caller holds the process open from its look at it
    (``Procfs.held``).
    """
    if procfs.of_another_namespace:  # nobody said that this is the place that is meant
        reason = f"{procfs.root} is that of another PID namespace; it was not touched"
        return Change(task.pid, task.comm, None, None, Status.REFUSED, reason)
    gone = Change(task.pid, task.comm, None, None, Status.VANISHED, "it has ended")
    try:
        with procfs.open_task(task.pid) as directory:
            if start_ticks_at(directory) != task.start_ticks or _is_another(directory, task):
                return gone._replace(reason="its PID now belongs to another process; it was not touched")
            return write_adj_at(procfs, directory, task, adj, dry_run, only_if)
    except PermissionError:
        return _out_of_sight(procfs, task)
    except (FileNotFoundError, ProcessLookupError):
        return _out_of_sight(procfs, task) if _hidden(procfs, task.pid) else gone


def set_floor(procfs: Procfs, task: Task, adj: int) -> None:
    """Write ``adj`` to a process that has it already, so that it cannot lower itself below it any more.

    The kernel takes every value that a privileged writer sets for the floor (``oom_score_adj_min``); without
    CAP_SYS_RESOURCE, or where the write is refused, nothing changes.
    """
    if procfs.of_another_namespace:
        return
    try:
        with procfs.open_task(task.pid) as directory:
            is_it = start_ticks_at(directory) == task.start_ticks and not _is_another(directory, task)
            if is_it and adj_at(directory) == adj:
                _write(directory, adj)
    except OSError:
        return


def write_adj_at(
    procfs: Procfs, directory: int, task: Task, adj: int, dry_run: bool = False, only_if: int | None = None
) -> Change:
    """Set ``oom_score_adj`` of the process behind an open directory of /proc; ``task`` says who that is.

    Raises OSError when it has ended or is hidden.
    """
    before = adj_at(directory)
    outcome = Change(task.pid, task.comm, before, adj, Status.UNCHANGED if before == adj else Status.DRY_RUN)
    if before == adj:
        return outcome
    if only_if is not None and before != only_if:
        reason = f"something else has set it to {before} since; oomctl set {adj} {task.pid} overrides that"
        return outcome._replace(after=before, status=Status.REFUSED, reason=reason)
    refusal = _refusal(procfs, directory, before, adj, dry_run)
    if dry_run:
        warning, detail = _warning(procfs, before, adj, refusal, was_there=only_if is not None)
        return outcome._replace(warning=warning, detail=detail)
    if refusal is not None:
        return outcome._replace(after=before, status=Status.DENIED, reason=refusal[0], detail=refusal[1])
    after = adj_at(directory)
    if after != adj:
        reason = f"something else sets it, too: the kernel took {adj}, but {after} was read back"
        return outcome._replace(after=after, status=Status.DENIED, reason=reason)
    return outcome._replace(status=Status.CHANGED)


def _is_another(directory: int, task: Task) -> bool:
    """Whether the PID was taken over: the directory of another process has another number (proc_pid_make_inode)."""
    return task.inode is not None and os.fstat(directory).st_ino != task.inode


def _out_of_sight(procfs: Procfs, task: Task) -> Change:
    reason = f"{procfs.root} hides it from you (mounted with hidepid=)"
    detail = "ask as its owner, as root, or as a member of the group that its gid= names"
    return Change(task.pid, task.comm, None, None, Status.DENIED, reason, detail=detail)


def _opened(directory: int) -> int:
    return os.open("oom_score_adj", os.O_WRONLY | os.O_CLOEXEC, dir_fd=directory)


def _write(directory: int, adj: int) -> None:
    # Unbuffered: the kernel's refusal must not wait for a file object to be collected.
    fd = _opened(directory)
    try:
        os.write(fd, str(adj).encode())
    finally:
        os.close(fd)


def _refusal(procfs: Procfs, directory: int, before: int, adj: int, dry_run: bool) -> tuple[str, str] | None:
    """Write the value; return why it was refused and what would help, None where it was not.

    A dry run only opens the file: that changes nothing, and says who may not write.
    """
    try:
        if dry_run:
            os.close(_opened(directory))
        else:
            _write(directory, adj)
    except PermissionError:
        return _denial(procfs, directory, before, adj)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        return f"{procfs.root} is mounted read-only", "write from outside the container, or remount it rw"
    return None


def _warning(
    procfs: Procfs, before: int, adj: int, refusal: tuple[str, str] | None, was_there: bool
) -> tuple[str | None, str | None]:
    """Say why a value would or may be refused, and what would help; None: it will not, or nothing can be told.

    ``__set_oom_adj`` compares it with the floor (``oom_score_adj_min``), which is the value of now or less, and shown
    nowhere. Only a write would tell, and might change something. What was there before was most likely set with the
    same privilege.
    """
    if refusal is not None:
        return f"it would be refused: {refusal[0]}", refusal[1]
    if was_there or adj >= before or may_lower(procfs):
        return None, None
    lack, help_ = without_sys_resource(procfs)
    cause = f"the kernel may refuse it: below its floor it needs CAP_SYS_RESOURCE, and {lack}"
    return cause, f"the floor, {_FLOOR}, cannot be read; {help_}"


def _denial(procfs: Procfs, directory: int, before: int, adj: int) -> tuple[str, str]:
    """Say which rule of the kernel (``__set_oom_adj``, proc file permissions) refused the write, and what helps."""
    you = os.geteuid()
    if not os.access("oom_score_adj", os.W_OK, dir_fd=directory, effective_ids=True):
        owner = _owner(directory)
        if you == owner:
            return "it gave up being inspected (not dumpable)", "its files belong to root: write as root"
        if you != 0:
            return f"it belongs to uid {owner}, not to you (uid {you})", "write as that user or as root"
        if not has_capability(procfs, CAP_DAC_OVERRIDE):
            return (
                f"it belongs to uid {owner}, and root here lacks CAP_DAC_OVERRIDE",
                "write as that user or from the host",
            )
        if not in_initial_user_namespace(procfs):
            return (
                "its user is not one of this user namespace",
                "root here has power over those only (rootless container, --userns): write from the host",
            )
    if adj > before:
        return (
            "a security module refused it (SELinux, AppArmor)",
            f"raising it to {adj} needs no privilege; look for the denial in the audit log",
        )
    lack, help_ = without_sys_resource(procfs)
    return f"needs CAP_SYS_RESOURCE; {lack}", f"lowering goes below its floor, {_FLOOR}; {help_}"


def _owner(directory: int) -> int:
    """Return the real user of the process; its files may belong to root all the same."""
    match = re.search(rb"^Uid:\t(\d+)", read_at(directory, "status"), re.MULTILINE)
    return int(match[1]) if match else 0


def _hidden(procfs: Procfs, pid: int) -> bool:
    """Whether a process is there although /proc does not show it (hidepid=2)."""
    if not procfs.is_own or os.path.exists(f"{procfs.root}/{pid}"):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
