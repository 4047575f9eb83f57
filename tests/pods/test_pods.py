"""What a path says of a pod, and what its value of oom_score_adj says of its memory request."""

from __future__ import annotations

import pytest

from oomctl.pods import Pod, pod_of, request_of
from tests.pods.kubelet import ID, SCOPE, SLICE, STATIC, UID, UID_

INNER = "cd" * 32
UID_2 = "11111111-2222-3333-4444-555555555555"


@pytest.mark.parametrize(
    ("path", "pod"),
    [
        pytest.param(f"/kubepods/burstable/pod{UID}/{ID}", Pod(UID, "Burstable", ID), id="cgroupfs"),
        pytest.param(f"/kubepods/besteffort/pod{UID}/{ID}", Pod(UID, "BestEffort", ID), id="best effort"),
        pytest.param(f"/kubepods/pod{UID}/{ID}", Pod(UID, "Guaranteed", ID), id="guaranteed"),
        pytest.param(f"/kubepods/pod{UID}", Pod(UID, "Guaranteed"), id="the pod itself"),
        pytest.param(f"/kubepods/burstable/pod{STATIC}/{ID}", Pod(STATIC, "Burstable", ID), id="static"),
        pytest.param(SCOPE, Pod(UID, "Burstable", ID), id="systemd"),
        pytest.param(f"{SLICE}/crio-{ID}.scope", Pod(UID, "Burstable", ID), id="CRI-O"),
        pytest.param(f"{SLICE}/crio-{ID}.scope/container", Pod(UID, "Burstable", ID), id="CRI-O with crun"),
        pytest.param(f"{SLICE}/docker-{ID}.scope", Pod(UID, "Burstable", ID), id="docker"),
        pytest.param(f"{SLICE}/crio-conmon-{ID}.scope", Pod(UID, "Burstable"), id="conmon is not the container"),
        pytest.param(
            f"/kubepods.slice/kubepods-pod{UID_}.slice/cri-containerd-{ID}.scope",
            Pod(UID, "Guaranteed", ID),
            id="guaranteed, systemd",
        ),
        pytest.param(
            f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{STATIC}.slice",
            Pod(STATIC, "BestEffort"),
            id="static, systemd",
        ),
        pytest.param(
            f"/system.slice/containerd.service/kubepods-burstable-pod{UID_}.slice:cri-containerd:{ID}",
            Pod(UID, "Burstable", ID),
            id="containerd's own form, where the drivers differ",
        ),
        pytest.param(f"/docker/{INNER}/kubelet/kubepods/burstable/pod{UID}/{ID}", Pod(UID, "Burstable", ID), id="kind"),
        pytest.param(
            f"/docker/{INNER}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice"
            f"/kubelet-kubepods-besteffort-pod{UID_}.slice/cri-containerd-{ID}.scope",
            Pod(UID, "BestEffort", ID),
            id="kind with systemd",
        ),
        pytest.param(
            f"/kubepods/burstable/pod{UID}/{INNER}/kubepods/besteffort/pod{UID_2}/{ID}",
            Pod(UID_2, "BestEffort", ID),
            id="a pod in a pod",
        ),
        pytest.param(f"/kubepods/burstable/pod{UID}/{ID}/init.scope", Pod(UID, "Burstable", ID), id="systemd inside"),
        pytest.param(f"/user.slice/user-1000.slice/user@1000.service{SCOPE}", None, id="a user's own pod"),
        pytest.param(
            f"/kubepods/pod{UID}/{ID}/user.slice/user-0.slice/user@0.service/kubepods/pod{UID_2}",
            Pod(UID, "Guaranteed", ID),
            id="a user's own pod in a pod",
        ),
        pytest.param("/kubepods/burstable", None, id="a class"),
        pytest.param(f"/kubepods/burstable/pod{UID[:-1]}/{ID}", None, id="no UID"),
        pytest.param(f"/burstable/pod{UID}/{ID}", None, id="not below kubepods"),
        pytest.param(f"/ecs/{STATIC}/{ID}", None, id="ECS"),
        pytest.param(f"/kubepods.slice/kubepods-burstable-pod{UID_}.slice\n", None, id="hostile end"),
        pytest.param("/", None, id="root"),
        pytest.param(None, None, id="unknown"),
    ],
)
def test_a_path_names_its_innermost_pod(path: str | None, pod: Pod | None) -> None:
    assert pod_of(path) == pod


def kubelets_adj(request: int, capacity: int) -> int:
    """GetContainerOOMScoreAdjust of a Burstable pod, restated."""
    return min(max(3, 1000 - 1000 * request // capacity), 999)


@pytest.mark.parametrize("capacity", [16 << 30, 16_384_123 << 10, 3_999_999_999, 1001])
@pytest.mark.parametrize("adj", [4, 5, 500, 968, 998, 999])
def test_the_request_that_follows_is_exact_at_both_ends(adj: int, capacity: int) -> None:
    found = request_of(adj, capacity)
    assert found is not None
    least, above = found
    assert {kubelets_adj(least, capacity), kubelets_adj(above - 1, capacity)} == {adj}
    assert kubelets_adj(above, capacity) < adj
    assert least == 0 or kubelets_adj(least - 1, capacity) > adj


@pytest.mark.parametrize(
    ("adj", "capacity"),
    [(1000, 1 << 30), (3, 1 << 30), (2, 1 << 30), (0, 1 << 30), (-997, 1 << 30), (500, 0)],
)
def test_other_values_say_nothing_of_a_request(adj: int, capacity: int) -> None:
    assert request_of(adj, capacity) is None
