"""Pods by name wherever a cgroup is told, with the kubelet's files and without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands.invoke import Ran, ask
from tests.documents import errors_in
from tests.growing import growing
from tests.pods.kubelet import POD, SCOPE, SLICE, UID, VarLog, cgroups_above
from tests.proc_tree import ProcTree

GIB_KB = 1 << 20
UNNAMED = {**POD, "namespace": None, "name": None, "container": None}
LOG = f"""\
[ 10.0] python3 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=968
[ 10.0] CPU: 0 PID: 50 Comm: python3 Not tainted 6.1.0-13-amd64 #1
[ 10.1] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg={SLICE},\
task_memcg={SCOPE},task=python3,pid=50,uid=0
[ 10.1] Memory cgroup out of memory: Killed process 50 (python3) total-vm:9000kB, anon-rss:4000kB, file-rss:0kB,\
 shmem-rss:0kB, UID:0 pgtables:40kB oom_score_adj:968
"""


@pytest.fixture
def node(server: ProcTree) -> ProcTree:
    """A node of 16 GiB with a container of a pod that no file names."""
    server.meminfo(16 * GIB_KB)
    server.mount_v2()
    server.add(50, "python3", 262_100, adj=968, uid=0, cgroup=f"0::{SCOPE}\n")
    return server


@pytest.fixture
def named(node: ProcTree) -> ProcTree:
    """The same with the kubelet's directories, where PID 1 has them."""
    VarLog(node.root / "1" / "root").add()
    return node


def test_top_calls_a_pod_by_its_name(named: ProcTree) -> None:
    assert ask(named, "top", "50", "-o", "group").stdout.splitlines()[1] == "pod shop/cart-7d9f container app"
    (process,) = json.loads(ask(named, "top", "50", "--json").stdout)["processes"]
    assert (process["cgroup"], process["pod"]) == (SCOPE, POD)


def test_programs_still_get_the_path(named: ProcTree) -> None:
    assert ask(named, "top", "50", "-o", "cgroup", "--format", "tsv").stdout.splitlines()[1] == SCOPE


def test_without_the_kubelets_files_the_uid_stands(node: ProcTree) -> None:
    group = ask(node, "top", "50", "-o", "group").stdout.splitlines()[1]
    assert group == "pod eded8c65 container 00748bf4e957"
    (process,) = json.loads(ask(node, "top", "50", "--json").stdout)["processes"]
    assert process["pod"] == UNNAMED


def test_what_is_in_no_pod_has_none(named: ProcTree) -> None:
    (process,) = json.loads(ask(named, "top", "10", "--json").stdout)["processes"]
    assert process["pod"] is None


def test_explain_says_which_request_follows_from_the_value(named: ProcTree) -> None:
    lines = ask(named, "explain", "50").stdout.splitlines()
    assert f"  pod: shop/cart-7d9f, container app, QoS class Burstable, UID {UID}" in lines
    told = next(index for index, line in enumerate(lines) if "set by: the kubelet: pod of QoS class Burstable" in line)
    assert lines[told + 1].startswith(
        "  968 means a memory request of 524.3MiB up to 540.7MiB on this node of 16.00GiB"
    )
    document = json.loads(ask(named, "explain", "50", "--json").stdout)
    assert document["processes"][0]["memory_request"] == {"at_least_bytes": 549_755_814, "below_bytes": 566_935_684}
    assert errors_in(document) == []


def test_explain_says_nothing_of_a_request_where_the_value_tells_none(node: ProcTree) -> None:
    node.add(51, "other", 100, adj=1000, uid=0, cgroup=f"0::{SCOPE.replace('burstable', 'besteffort')}\n")
    assert "memory request of" not in ask(node, "explain", "51").stdout
    assert f"  pod: QoS class BestEffort, UID {UID}" in ask(node, "explain", "51").stdout.splitlines()
    document = json.loads(ask(node, "explain", "51", "--json").stdout)
    assert document["processes"][0]["memory_request"] is None


def test_simulate_names_the_pod_in_the_document(named: ProcTree) -> None:
    document = json.loads(ask(named, "simulate", "--json").stdout)
    assert document["victim"]["pod"] == POD
    assert errors_in(document) == []


def test_history_names_the_pod_whose_limit_it_was(named: ProcTree, tmp_path: Path) -> None:
    log = tmp_path / "kern.log"
    log.write_text(LOG)
    row = ask(named, "history", "--file", str(log)).stdout.splitlines()[1]
    assert " pod shop/cart-7d9f " in row
    full = ask(named, "history", "--file", str(log), "1").stdout
    assert "in pod shop/cart-7d9f container app\n" in full
    assert SCOPE in full
    document = json.loads(ask(named, "history", "--file", str(log), "--json").stdout)
    (event,) = document["events"]
    assert event["memcg_pod"] == {**POD, "container": None, "container_id": None}
    assert event["victim"]["pod"] == POD
    assert errors_in(document) == []


def test_history_calls_a_pod_that_is_gone_by_its_uid(node: ProcTree, tmp_path: Path) -> None:
    log = tmp_path / "kern.log"
    log.write_text(LOG)
    assert " pod eded8c65 " in ask(node, "history", "--file", str(log)).stdout.splitlines()[1]
    (event,) = json.loads(ask(node, "history", "--file", str(log), "--json").stdout)["events"]
    assert event["victim"]["pod"] == UNNAMED


LIMIT = 1 << 30


def limited(tree: ProcTree, seconds: float = 0) -> None:
    """Give the pod's container a limit that it comes nearer to."""
    pages = LIMIT // 4096 - 3_000 + int(2_000 * seconds)
    tree.add(50, "python3", pages, adj=968, uid=0, cgroup=f"0::{SCOPE}\n")
    used = {"memory__current": f"{pages * 4096}\n", "memory__stat": f"anon {pages * 4096}\n"}
    cgroups_above(tree)
    tree.cgroup(SCOPE, (50,), memory__max=f"{LIMIT}\n", memory__swap__max="0\n", **used)


def watched(tree: ProcTree, *words: str) -> Ran:
    limited(tree)
    with growing(tree, limited):
        return ask(tree, *words)


FORECAST = ("forecast", "--cgroup", SCOPE, "--over", "600ms", "--every", "20ms")


def test_forecast_calls_the_limit_of_a_pod_by_its_name(named: ProcTree) -> None:
    assert "the limit of pod shop/cart-7d9f container app" in watched(named, *FORECAST).stdout


def test_forecast_has_the_pod_beside_the_limit_in_the_document(named: ProcTree) -> None:
    document = json.loads(watched(named, *FORECAST, "--json").stdout)
    (limit,) = document["limits"]
    assert (limit["scope"], limit["pod"]) == (SCOPE, POD)
    assert errors_in(document) == []


def test_forecast_calls_a_pod_that_no_file_names_by_its_uid(node: ProcTree) -> None:
    assert "the limit of pod eded8c65 container 00748bf4e957" in watched(node, *FORECAST).stdout


def test_check_calls_a_pod_by_its_name_and_its_files_by_their_path(named: ProcTree) -> None:
    limited(named)
    told, remedy = ask(named, "check", "--only", "limit-near").stdout.splitlines()
    assert told.startswith("WARNING   limit-near: pod shop/cart-7d9f container app uses 1012.3MiB of 1.00GiB, ")
    assert SCOPE not in told
    assert SCOPE in remedy
    document = json.loads(ask(named, "check", "--only", "limit-near", "--json").stdout)
    (finding,) = document["findings"]
    assert (finding["cgroup"], finding["pod"]) == (SCOPE, POD)
    assert errors_in(document) == []


def test_check_gives_the_path_of_a_pod_that_no_file_names(node: ProcTree) -> None:
    limited(node)
    assert f"limit-near: cgroup {SCOPE} uses " in ask(node, "check", "--only", "limit-near").stdout
    (finding,) = json.loads(ask(node, "check", "--only", "limit-near", "--json").stdout)["findings"]
    assert finding["pod"] == UNNAMED


def test_check_calls_a_container_that_cannot_be_killed_by_its_pod(named: ProcTree) -> None:
    named.add(50, "python3", 262_100, adj=-1000, uid=0, cgroup=f"0::{SCOPE}\n")
    told = ask(named, "check", "--only", "container-unkillable").stdout
    assert "container-unkillable: pod shop/cart-7d9f container app cannot be killed: 50 (python3) is at -1000" in told
