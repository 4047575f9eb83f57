"""Limits of memory cgroups v1 (up to 6.1 in Debian's kernels), with a hierarchy and without (up to 5.10)."""

from __future__ import annotations

import os
import random

from tests.vm.guest import boot
from tests.vm.guest.judge import Judge
from tests.vm.guest.toys import PAGE, Recipe

_RANDOM = random.Random(int(boot.parameter("seed", "1")))
_ROOT = "/v1"
_STEP = 16
KINDS = {"v1, flat": "0", "v1, hierarchical": "1"}
"""With what ``memory.use_hierarchy`` says."""


def main() -> None:
    rounds = int(boot.parameter("rounds", "2"))
    os.mkdir(_ROOT)
    boot.mount("cgroup", _ROOT, "memory")
    judge = Judge()
    for number, (kind, hierarchy) in enumerate(KINDS.items()):
        top = f"/top{number}"
        os.mkdir(_ROOT + top)
        if not _hierarchy_is(top, hierarchy):
            continue  # from 5.11 on there is no flat one
        os.mkdir(f"{_ROOT}{top}/inner")
        for _ in range(rounds):
            _one(judge, kind, top)
            judge.clear()


def _hierarchy_is(group: str, wanted: str) -> bool:
    path = f"{_ROOT}{group}/memory.use_hierarchy"
    try:
        boot.write(path, wanted)
    except OSError:
        return False
    with open(path, encoding="ascii") as file:
        return file.read().strip() == wanted


def _one(judge: Judge, kind: str, top: str) -> None:
    """Members of the limited cgroup and of one inside it, which is limited with it or not at all."""
    for inner in ("", "", "/inner", "/inner", "/inner"):
        judge.make(_member(f"{_ROOT}{top}{inner}"))
    filler = judge.nursery.toy({"cgroup_v1": _ROOT + top, "anon": 10, "adj": -1000})
    with open(f"{_ROOT}{top}/memory.usage_in_bytes", encoding="ascii") as file:
        limit = int(file.read()) + _RANDOM.choice((300, 3000)) * PAGE
    boot.write(f"{_ROOT}{top}/memory.limit_in_bytes", str(limit))
    judge.compare(kind, ("--cgroup", top), lambda: filler.order("exhaust", _STEP), "memcg")
    boot.write(f"{_ROOT}{top}/memory.limit_in_bytes", "-1")
    filler.dismiss()


def _member(directory: str) -> Recipe:
    return {"cgroup_v1": directory, "anon": _RANDOM.randint(500, 4000), "adj": _RANDOM.choice((0, 0, 0, 50, -50))}
