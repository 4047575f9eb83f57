"""What the kubelet puts into the path of a cgroup and into an ``oom_score_adj``: pod, container, QoS class; pure.

Kubernetes, pkg/kubelet/cm: ``/kubepods/burstable/podUID/ID`` with the driver cgroupfs,
``kubepods-burstable-podUID.slice/cri-containerd-ID.scope`` with systemd's, where a UID has ``_`` for ``-``. Guaranteed
pods are directly below ``kubepods``. A static pod's UID is a hash of 32 digits. kind, k3s and others have all of it
below a path of their own. Below ``user@UID.service`` a user names cgroups himself, after a pod if he likes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

UID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}"
"""Regular expression of a pod's UID."""
CONTAINER_ID = "[0-9a-f]{64}"
USER_MANAGER = re.compile(r"user@\d+\.service")
"""The part of a path below which a user names cgroups: user@.service(5), which delegates to him."""

_UID = re.compile(UID)
_SLICE = re.compile(r"(?:.*-)?kubepods(?:-(burstable|besteffort))?-pod([0-9a-f_]+)\.slice", re.DOTALL)
_ROOT = re.compile(r"(?:.*-)?kubepods(?:\.slice)?", re.DOTALL)
_CONTAINER = re.compile(rf"(?:(?:cri-containerd|crio|docker)-)?({CONTAINER_ID})(?:\.scope)?")
_CLASSES = {None: "Guaranteed", "burstable": "Burstable", "besteffort": "BestEffort"}
_SHARES = 1000
_LEAST_CLEAR, _MOST_CLEAR = 4, 998
"""Beyond them the kubelet cuts: to 3 (2 where Guaranteed was -998) and to 999."""


class Pod(NamedTuple):
    """What a path says of a pod."""

    uid: str
    qos: str
    """``Guaranteed``, ``Burstable`` or ``BestEffort``."""
    container_id: str | None = None
    """None: the pod's own cgroup, or that of a runtime's helper."""


class Named(NamedTuple):
    """What the kubelet's files call a pod."""

    namespace: str
    name: str
    container: str | None = None
    """None: not known, or the pod is meant as a whole."""


Lookup = Callable[[str, "str | None"], "Named | None"]
"""UID and id of a container -> names; None: not known."""


def pod_of(path: str | None) -> Pod | None:
    """Return the innermost pod in the path of a cgroup, of those that no user named; None: there is none."""
    if path is None or "kubepods" not in path:
        return None
    pod: Pod | None = None
    above: list[str] = []
    for part in path.split("/"):
        if USER_MANAGER.fullmatch(part):
            break
        parent, _, inside = part.partition(":")  # containerd's "X.slice:cri-containerd:ID", where a slice was no path
        found = _by_slice(parent) or _by_directory(part, above)
        pod = found or pod
        container = _CONTAINER.fullmatch(inside.rpartition(":")[2] or part)
        if pod is not None and pod.container_id is None and container is not None:
            pod = pod._replace(container_id=container[1])
        above.append(part)
    return pod


def _by_slice(part: str) -> Pod | None:
    match = _SLICE.fullmatch(part)
    uid = match[2].replace("_", "-") if match else ""
    return Pod(uid, _CLASSES[match[1]]) if match and _UID.fullmatch(uid) else None


def _by_directory(part: str, above: list[str]) -> Pod | None:
    if not part.startswith("pod") or not _UID.fullmatch(part[3:]) or not above:
        return None
    qos = above[-1] if above[-1] in ("burstable", "besteffort") else None
    root = above[-2:-1] if qos else above[-1:]
    return Pod(part[3:], _CLASSES[qos]) if root and _ROOT.fullmatch(root[0]) else None


def request_of(adj: int, capacity_bytes: int) -> tuple[int, int] | None:
    """Return the least memory request of a Burstable container that gets this adj, and the least that gets a lower one.

    In bytes. The kubelet gives 1000 - 1000 * request / capacity, rounded up, from 3 to 999 (GetContainerOOMScoreAdjust
    in qos/policy.go; ``capacity_bytes`` is MemTotal). None where that says nothing: no such value, or one at which many
    requests are cut.
    """
    if not _LEAST_CLEAR <= adj <= 999 or capacity_bytes <= 0:
        return None
    least = 0 if adj > _MOST_CLEAR else -((adj - _SHARES) * capacity_bytes // _SHARES)
    return least, -((adj - _SHARES - 1) * capacity_bytes // _SHARES)
