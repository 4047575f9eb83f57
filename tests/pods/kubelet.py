"""A pod as a kubelet makes it: the paths of its cgroups, and what stands under /var/log."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from tests.proc_tree import ProcTree

UID = "eded8c65-6e8e-4c6e-a889-3e427565c740"
UID_ = UID.replace("-", "_")
STATIC = "0123456789abcdef0123456789abcdef"
ID = "00748bf4e957" + "ab" * 26
SLICE = f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID_}.slice"
SCOPE = f"{SLICE}/cri-containerd-{ID}.scope"
POD = {
    "uid": UID,
    "namespace": "shop",
    "name": "cart-7d9f",
    "container": "app",
    "container_id": ID,
    "qos": "Burstable",
}
"""What JSON has of it where all of that is known."""


def cgroups_above(tree: ProcTree) -> None:
    """Make the cgroups in which ``SCOPE`` is, as far as they are not there."""
    for parent in reversed(list(PurePosixPath(SCOPE).parents)[:-1]):
        if not (tree.cgroup_mount / str(parent)[1:]).is_dir():
            tree.cgroup(str(parent))


class VarLog:
    """``var/log`` below a root, as the kubelet fills it."""

    def __init__(self, root: Path) -> None:
        self.pods = root / "var/log/pods"
        self.containers = root / "var/log/containers"
        for directory in (self.pods, self.containers):
            directory.mkdir(parents=True)

    def add(self, name: str = "cart-7d9f", uid: str = UID, container: str = "app", container_id: str = ID) -> None:
        log = self.pods / f"shop_{name}_{uid}" / container / "0.log"
        log.parent.mkdir(parents=True)
        log.touch()
        (self.containers / f"{name}_shop_{container}-{container_id}.log").symlink_to(log)
