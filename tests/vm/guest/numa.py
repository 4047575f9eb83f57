"""Two nodes: kills for a task that a cpuset or a memory policy confines to one of them."""

from __future__ import annotations

import os
import random

from tests.vm.guest import boot
from tests.vm.guest.judge import Judge
from tests.vm.guest.toys import Recipe

_RANDOM = random.Random(int(boot.parameter("seed", "1")))
_ROOT = "/sys/fs/cgroup"
_NODES = {"/both": "0-1", "/zero": "0", "/one": "1"}


def main() -> None:
    rounds = int(boot.parameter("rounds", "4"))
    boot.write(f"{_ROOT}/cgroup.subtree_control", "+cpuset")
    for group, nodes in _NODES.items():
        os.mkdir(_ROOT + group)
        boot.write(f"{_ROOT}{group}/cpuset.mems", nodes)
    judge = Judge()
    for _ in range(rounds):
        _populate(judge, bound=False)
        hog = judge.make({"cpuset": "/one", "anon": 10, "adj": -1000})
        judge.compare("numa, cpuset", ("--nodes", "1"), hog.grow_until_kill, "cpuset")
        judge.clear()
    for _ in range(rounds):
        _populate(judge, bound=True)
        hog = judge.make({"bind": 1, "anon": 10, "adj": -1000})
        question = ("--nodes", "1", "--mempolicy")
        judge.compare("numa, policy", question, hog.grow_until_kill, "mempolicy")
        judge.clear()


def _populate(judge: Judge, bound: bool) -> None:
    for _ in range(7):
        recipe: Recipe = {
            "cpuset": _RANDOM.choice(tuple(_NODES)),
            "anon": _RANDOM.randint(200, 4000),
            "adj": _RANDOM.choice((0, 0, 5, -20, _RANDOM.randint(-999, 1000), -1000)),
        }
        # Bound to a node that its cpuset has: the policy alone decides, also for tasks outside the cpuset.
        if bound and _RANDOM.random() < 0.6:
            recipe["bind"] = {"/zero": 0, "/one": 1}.get(recipe["cpuset"], _RANDOM.randint(0, 1))
        judge.make(recipe)
    judge.make({"cpuset": "/both", "anon": 500, "adj": 0})
    # Who dies may have its memory on the other node, and then the next one has to: not all may be such.
    judge.make({"cpuset": "/one", "anon": 4000, "adj": -999})
