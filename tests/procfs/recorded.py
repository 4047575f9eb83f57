"""Recordings of real kills: what /proc said just before, laid out as a tree."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from oomctl.model.kernel import Scenario
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
        for tid, first_map in zip(tids, process.get("policies", ())):
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
