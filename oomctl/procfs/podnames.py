"""Names of pods and containers, from the names of the kubelet's log directories on this host.

``/var/log/pods/NAMESPACE_NAME_UID`` is made for every pod (Kubernetes, pkg/kubelet/kuberuntime/helpers.go,
BuildPodLogsDirectory), ``/var/log/containers/NAME_NAMESPACE_CONTAINER-ID.log`` for every container (logSymlink in
legacy.go). Only the directories are listed; no file in them is opened and no link in them followed. What does not look
as Kubernetes has names look is left out. Without the right to list them, which may be root's alone, pods stay without
names.
"""

from __future__ import annotations

import os
import re
import time

from oomctl.pods import CONTAINER_ID, UID, Named
from oomctl.procfs.machine import machine_procfs

_LABEL = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_NAME = "[a-z0-9](?:[-.a-z0-9]{0,251}[a-z0-9])?"
_POD_DIRECTORY = re.compile(f"({_LABEL})_({_NAME})_({UID})")
_CONTAINER_LOG = re.compile(f"({_NAME})_({_LABEL})_({_LABEL})-({CONTAINER_ID})\\.log")
_MOST_ENTRIES = 50_000
_AGAIN_AFTER_S = 5.0


def host_roots() -> tuple[str, ...]:
    """Where this host's files may be: here, and where PID 1 of the /proc in question has them.

    UIDs are unique, so that a file of another machine gives nobody a wrong name.
    """
    return "/", f"{machine_procfs().root}/1/root"


class PodNames:
    """What the kubelet calls pods; nothing is read before the first question."""

    def __init__(self, roots: tuple[str, ...] | None = None) -> None:
        self._roots = roots
        self._read_at: float | None = None
        self._pods: dict[str, Named | None] = {}
        self._containers: dict[str, Named | None] = {}
        self._changed_at: dict[tuple[int, int], int] = {}
        """When the directories that were listed had changed last, by device and inode: two roots may be one."""

    def __call__(self, uid: str, container_id: str | None) -> Named | None:
        """Return the names of a pod and of a container in it; None: the files do not say.

        Reads again for what is not known, but not more often than every five seconds: it may be new.
        """
        found = self._known(uid, container_id)
        incomplete = found is None or (container_id is not None and found.container is None)
        now = time.monotonic()
        if incomplete and (self._read_at is None or now - self._read_at >= _AGAIN_AFTER_S):
            self._read_at = now
            self._read()
            found = self._known(uid, container_id)
        return found

    def _known(self, uid: str, container_id: str | None) -> Named | None:
        pod, container = self._pods.get(uid), self._containers.get(container_id or "")
        if pod is None:
            return None if uid in self._pods else container
        same = container is not None and container[:2] == pod[:2]
        return container if same else pod

    def _read(self) -> None:
        for root in self._roots or host_roots():
            for entry in self._new_entries(root, "pods"):
                match = _POD_DIRECTORY.fullmatch(entry)
                if match:
                    _put(self._pods, match[3], Named(match[1], match[2]))
            for entry in self._new_entries(root, "containers"):
                match = _CONTAINER_LOG.fullmatch(entry)
                if match:
                    _put(self._containers, match[4], Named(match[2], match[1], match[3]))

    def _new_entries(self, root: str, name: str) -> list[str]:
        """List a directory that has changed since it was listed last; nothing where that is not possible."""
        try:
            directory = _opened(root, name)
        except OSError:
            return []
        try:
            status = os.fstat(directory)
            which = status.st_dev, status.st_ino
            if self._changed_at.get(which) == status.st_mtime_ns:
                return []
            self._changed_at[which] = status.st_mtime_ns
            with os.scandir(directory) as entries:
                return [entry.name for _, entry in zip(range(_MOST_ENTRIES), entries)]
        except OSError:
            return []
        finally:
            os.close(directory)


def _put(names: dict[str, Named | None], key: str, named: Named) -> None:
    """Keep a name; of two for the same thing neither can be believed."""
    names[key] = named if names.setdefault(key, named) == named else None


def _opened(root: str, name: str) -> int:
    """Open a directory below var/log; links on the way are followed only on the machine itself."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    above = os.open(root, flags)
    for part in ("var", "log", name):
        try:
            inside = os.open(part, flags | (0 if root == "/" else os.O_NOFOLLOW), dir_fd=above)
        finally:
            os.close(above)
        above = inside
    return above
