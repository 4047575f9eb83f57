"""A real kill in cgroups as a kubelet makes them, beside /var/log as a kubelet fills it: the pod goes by its name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands.invoke import program
from tests.kernel_live.memcgs import ToyCgroup
from tests.kernel_live.toys import MIB, PAGE, Nursery, Toy
from tests.kernel_live.trials import kill_at_limit
from tests.pods.kubelet import ID, POD, UID, UID_, VarLog


@pytest.mark.kernel
def test_a_kill_in_a_pod_is_told_by_its_name(cgroup: ToyCgroup, nursery: Nursery, tmp_path: Path) -> None:
    pod = cgroup.child("kubepods.slice").child("kubepods-burstable.slice").child(f"kubepods-burstable-pod{UID_}.slice")
    container = pod.child(f"cri-containerd-{ID}.scope")
    VarLog(tmp_path).add()
    mounted = ("unshare", "--mount", "sh", "-c", f'mount --bind {tmp_path}/var/log /var/log && exec "$@"', "sh")
    toy = nursery.start(Toy(container, grows_pages=64 * MIB // PAGE, adj=968, name="cart"))
    top = json.loads(program("top", str(toy.pid), "--json", before=mounted).stdout)
    assert [process["pod"] for process in top["processes"]] == [POD]
    explained = program("explain", str(toy.pid), before=mounted).stdout
    assert f"  pod: shop/cart-7d9f, container app, QoS class Burstable, UID {UID}\n" in explained
    assert "  set by: the kubelet: pod of QoS class Burstable" in explained
    kill_at_limit(container, toy)
    told = json.loads(program("history", "-n", "5", "--json", before=mounted).stdout)
    event = next(event for event in told["events"] if event["memcg"] == container.path)
    assert (event["memcg_pod"], event["victim"]["pod"]) == (POD, POD)
    unnamed = json.loads(program("history", "-n", "5", "--json").stdout)
    event = next(event for event in unnamed["events"] if event["memcg"] == container.path)
    assert event["memcg_pod"] == {**POD, "namespace": None, "name": None, "container": None}
