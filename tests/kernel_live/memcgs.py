"""Memory cgroups of one's own, version 1 or 2: made below a writable one, always removed with all processes in them."""

from __future__ import annotations

import itertools
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.reader import Procfs

_serial = itertools.count(1)
_REMOVAL_S = 60.0


class ToyCgroup:
    """A memory cgroup: ``path`` as /proc/PID/cgroup has it, ``directory`` where it is mounted."""

    def __init__(self, path: str, directory: Path, version: int) -> None:
        self.path = path
        self.directory = directory
        self.version = version

    @property
    def procs(self) -> Path:
        """The file through which a process joins."""
        return self.directory / "cgroup.procs"

    @property
    def limit_bytes(self) -> int:
        return int((self.directory / _limit_file(self.version)).read_text())

    @limit_bytes.setter
    def limit_bytes(self, limit: int) -> None:
        (self.directory / _limit_file(self.version)).write_text(str(limit))

    @property
    def usage_bytes(self) -> int:
        name = "memory.usage_in_bytes" if self.version == 1 else "memory.current"
        return int((self.directory / name).read_text())

    def child(self, name: str) -> ToyCgroup:
        """Make a cgroup below this one. On v2 processes then belong into the children only."""
        if self.version == 2:
            (self.directory / "cgroup.subtree_control").write_text("+memory")
        return _made(self.path, self.directory, self.version, name)

    def tree(self) -> list[Path]:
        """Directories of this cgroup and all below, parents first."""
        return [Path(directory) for directory, _, _ in os.walk(self.directory)]

    def kill_counters(self) -> list[Path]:
        """Files whose ``oom_kill`` moves at a kill in the tree. v1 counts in the victim's own cgroup only."""
        if self.version == 2:
            return [self.directory / "memory.events"]
        return [directory / "memory.oom_control" for directory in self.tree()]

    def remove(self) -> None:
        """Kill every process in the tree and remove it."""
        deadline = time.monotonic() + _REMOVAL_S
        for directory in reversed(self.tree()):
            while directory.exists():
                for pid in (directory / "cgroup.procs").read_text().split():
                    with suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
                try:
                    directory.rmdir()
                except OSError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.001)


@contextmanager
def toy_cgroup(limit_bytes: int | None = None) -> Iterator[ToyCgroup]:
    """Make a memory cgroup with a name of its own, and remove it whatever happens inside."""
    cgroup = _somewhere()
    try:
        _forbid_swap(cgroup)
        if limit_bytes is not None:
            cgroup.limit_bytes = limit_bytes
        yield cgroup
    finally:
        cgroup.remove()


def why_impossible() -> str | None:
    """Why no toy can be killed here; None when it can."""
    if os.geteuid() != 0:
        return "a memory cgroup can be made only by root"
    try:
        with toy_cgroup(1 << 20), open("/dev/kmsg", "rb"):
            return None
    except OSError as error:
        return f"no memory cgroup with a limit, or no kernel log: {error}"


def _somewhere() -> ToyCgroup:
    """Make one below our own cgroup, or where that is no place for children below the root of the mount."""
    procfs = Procfs()
    memcgs = Memcgs.of(procfs)
    if memcgs is None:
        raise FileNotFoundError("no memory controller is mounted")
    own = memcgs.path_of_pid(os.getpid()) or "/"
    refusal: OSError | None = None
    for path in dict.fromkeys((own, memcgs.resolve(memcgs.mount_point))):
        try:
            name = f"oomctl-toys-{os.getpid()}-{next(_serial)}"
            return _made(path, Path(memcgs.directory(path)), memcgs.version, name)
        except OSError as error:
            refusal = error
    raise refusal or FileNotFoundError(own)


def _made(parent_path: str, parent: Path, version: int, name: str) -> ToyCgroup:
    cgroup = ToyCgroup(f"{parent_path.rstrip('/')}/{name}", parent / name, version)
    cgroup.directory.mkdir()
    try:
        if not (cgroup.directory / _limit_file(version)).exists():
            raise FileNotFoundError(f"{cgroup.directory}: the memory controller is not enabled in its parent")
        if version == 1 and (cgroup.directory / "memory.use_hierarchy").exists():
            (cgroup.directory / "memory.use_hierarchy").write_text("1")
    except BaseException:
        cgroup.directory.rmdir()
        raise
    return cgroup


def _forbid_swap(cgroup: ToyCgroup) -> None:
    """What goes to swap does not overflow, and moves RSS. Cgroups below inherit it."""
    file = cgroup.directory / ("memory.swappiness" if cgroup.version == 1 else "memory.swap.max")
    if file.exists():
        file.write_text("0")


def _limit_file(version: int) -> str:
    return "memory.limit_in_bytes" if version == 1 else "memory.max"
