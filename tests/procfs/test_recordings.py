"""Real kills: what /proc said just before, laid out as a tree, and the kernel's own choice as the answer."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from oomctl.kernel.invocation import out_of_memory
from oomctl.model.kernel import Certainty, Outcome, Round, Scenario
from oomctl.procfs import survey
from oomctl.procfs.reader import Procfs
from tests.proc_tree import ProcTree

RECORDINGS = Path(__file__).parent.parent / "data/recordings"
# What ran out was still growing when the snapshot was taken, so sizes moved before the choice.
GROWING = ("exhaust", "memcg-grow", "memcg-swap")


def recordings(*kinds: str) -> list[str]:
    """Names of the recordings of these kinds, for both kernels."""
    found = [path.name.removesuffix(".json.gz") for path in sorted(RECORDINGS.glob("*.json.gz"))]
    return [name for name in found if any(f"-{kind}-" in name for kind in kinds)]


AT_REST = recordings("select", "memcg-lower", "cpuset", "mempolicy")
MOVING = recordings(*GROWING)


def load(name: str) -> dict[str, Any]:
    recording: dict[str, Any] = json.loads(gzip.decompress((RECORDINGS / f"{name}.json.gz").read_bytes()))
    return recording


def laid_out(recording: dict[str, Any], tree: ProcTree) -> Scenario:
    """Write the snapshot as files and survey the scope that ran out of memory."""
    before = recording["before"]
    for name in ("meminfo", "zoneinfo", "vmstat", "sys/vm/panic_on_oom", "sys/vm/oom_kill_allocating_task"):
        tree.write(name, before[name])
    tree.write("sys/vm/swappiness", before["swappiness"])
    for pid, process in before["procs"].items():
        for name, text in process.items():
            if isinstance(text, str):
                tree.write(f"{pid}/{name}", text)
        tids = [pid, *sorted(process.get("threads", {}).keys() - {pid}, key=int)]
        for tid, first_map in zip(tids, process.get("policies", ()), strict=False):
            tree.write(f"{pid}/numa_maps" if tid == pid else f"{pid}/task/{tid}/numa_maps", first_map)
        for tid, thread in process.get("threads", {}).items():
            for name, text in thread.items():
                tree.write(f"{pid}/task/{tid}/{name}", text)
    tree.mount_v2()
    for path, files in sorted(before["cgroups"].items(), key=lambda cgroup: cgroup[1]["inode"]):
        tree.cgroup(path, **{name.replace(".", "__"): text for name, text in files.items() if name != "inode"})
    procfs = tree.procfs(before["kernel"], cpus=before["cpus"])
    return with_recorded_sharing(surveyed(procfs, recording["scope"]), before["procs"])


def surveyed(procfs: Procfs, scope: dict[str, Any]) -> Scenario:
    if scope["nodes"]:
        return survey.memory_nodes(procfs, frozenset(scope["nodes"]), scope["constraint"] == "mempolicy")
    return survey.machine(procfs) if scope["cgroup"] is None else survey.memcg(procfs, scope["cgroup"])[0]


def with_recorded_sharing(found: Scenario, processes: dict[str, Any]) -> Scenario:
    """Who shares memory is recorded beside the text: no file says it."""
    maps = {int(pid): process["memory_of"] for pid, process in processes.items() if "memory_of" in process}
    maps |= {int(owner): owner for owner in list(maps.values())}
    return found._replace(tasks=tuple(task._replace(mm=maps.get(task.pid)) for task in found.tasks))


def predicted(name: str, tree: ProcTree) -> tuple[Round, int]:
    recording = load(name)
    return out_of_memory(laid_out(recording, tree)), recording["result"]["actual"]


@pytest.mark.parametrize("name", AT_REST)
def test_the_kernels_victim_is_predicted(name: str, proc_tree: ProcTree) -> None:
    prediction, actual = predicted(name, proc_tree)
    assert prediction.outcome is Outcome.KILL
    assert prediction.victim is not None
    assert prediction.victim.task.pid == actual


@pytest.mark.parametrize("name", AT_REST + MOVING)
def test_certain_is_never_wrong(name: str, proc_tree: ProcTree) -> None:
    prediction, actual = predicted(name, proc_tree)
    assert prediction.victim is not None
    assert prediction.certainty is Certainty.CLOSE or prediction.victim.task.pid == actual


@pytest.mark.parametrize("name", AT_REST + MOVING)
def test_the_kernels_victim_is_among_the_contenders(name: str, proc_tree: ProcTree) -> None:
    prediction, actual = predicted(name, proc_tree)
    assert actual in {contender.pid for contender in prediction.contenders}


@pytest.mark.parametrize("name", recordings("select", "exhaust"))
def test_reading_only_the_nearest_finds_the_same_victim(name: str, proc_tree: ProcTree) -> None:
    everything = laid_out(load(name), proc_tree)
    procfs = proc_tree.procfs(cpus=everything.context.cpus or 1)
    front = out_of_memory(survey.machine_front(procfs, 3))
    full = out_of_memory(everything)
    assert front.victim is not None
    assert full.victim is not None
    assert front.victim.task.pid == full.victim.task.pid
    assert {task.pid for task in front.contenders} == {task.pid for task in full.contenders}


GROUPS = [name for name in AT_REST + MOVING if load(name)["result"]["group"]]


@pytest.mark.parametrize("name", GROUPS)
def test_who_dies_with_the_group_is_predicted(name: str, proc_tree: ProcTree) -> None:
    prediction, _ = predicted(name, proc_tree)
    logged = set(map(int, re.findall(r"Killed process (\d+)", "\n".join(load(name)["dmesg"]))))
    maps = {task.mm for task in prediction.killed if task.pid in logged and task.mm is not None}
    # Who dies only because it shares a memory map is not logged.
    assert {task.pid for task in prediction.killed if task.pid in logged or task.mm not in maps} == logged
