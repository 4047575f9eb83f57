"""Kubernetes' programs, and a node for the pods: toys, and directories that its own are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel_live.conftest import _possible, cgroup, nursery
from tests.kernel_live.memcgs import ToyCgroup

__all__ = ["_possible", "cgroup", "nursery"]


@pytest.fixture
def node(tmp_path: Path, cgroup: ToyCgroup) -> dict[str, Path]:
    """What the manifests mount of a node and is not to be this machine's: its path there -> where it is."""
    places = ("/var/lib/node_exporter/textfile_collector", "/var/log/pods", "/var/log/containers")
    found = {place: tmp_path / "node" / place[1:] for place in places}
    for place in found.values():
        place.mkdir(parents=True)
    return found
