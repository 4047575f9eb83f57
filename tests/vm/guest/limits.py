"""Limits of memory cgroups (v2) with members whose memory reclaim takes before it gives up."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import NamedTuple

from tests.vm.guest import boot, pairs, swap
from tests.vm.guest.judge import Judge
from tests.vm.guest.toys import PAGE

_RANDOM = random.Random(int(boot.parameter("seed", "1")))
_ROOT = "/sys/fs/cgroup"
_GROUP = "/life"
_CROWD = 3
_PLAIN = 2000
_STEP = 16
_SWAP_PAGES = 8000
_LOWER_BY = 9000
"""Pages below what is in use: more than reclaim finds."""


class Kind(NamedTuple):
    pair: Callable[[], pairs.Pair]
    swap: bool = False
    lowered: bool = False
    """The limit is written below what is in use; reclaim is tried then, too (``memory_max_write``)."""


def play(judge: Judge, rounds: int) -> None:
    boot.write(f"{_ROOT}/cgroup.subtree_control", "+memory")
    os.mkdir(_ROOT + _GROUP)
    for name, kind in KINDS.items():
        if not boot.wanted(name):
            continue
        if kind.swap:
            swap.on()
        for _ in range(rounds):
            _one(judge, name, kind)
            _limit("memory.max", "max")
            judge.clear()
        if kind.swap:
            swap.off()


def _one(judge: Judge, name: str, kind: Kind) -> None:
    _limit("memory.swap.max", str(_SWAP_PAGES * PAGE) if kind.swap else "0")
    for _ in range(_CROWD):
        adj = _RANDOM.choice((0, 0, -3, -1000))
        judge.make({"cgroup": _GROUP, "anon": _RANDOM.randint(200, _PLAIN), "adj": adj})
    for recipe in kind.pair():
        judge.make({**recipe, "cgroup": _GROUP})
    filler = judge.nursery.toy({"cgroup": _GROUP, "anon": 10, "adj": -1000})
    limit = _usage() + (300 if kind.lowered else _RANDOM.choice((300, 1500, 6000)))
    _limit("memory.max", str(limit * PAGE))

    def fill() -> None:
        filler.order("exhaust", _STEP)

    def lower() -> None:
        _limit("memory.max", str((limit - _LOWER_BY) * PAGE))

    judge.compare(name, ("--cgroup", _GROUP), lower if kind.lowered else fill, "memcg")
    _limit("memory.max", "max")
    filler.dismiss()


KINDS = {
    "limit, files": Kind(pairs.files),
    "limit, files, swap": Kind(pairs.files, swap=True),
    "limit, files, lowered": Kind(pairs.files, lowered=True),
    "limit, shared memory, swap": Kind(pairs.shared, swap=True),
    "limit, tmpfs, swap": Kind(pairs.tmpfs, swap=True),
    "limit, lazily freed": Kind(pairs.lazily_freed),
    "limit, lazily freed, lowered": Kind(pairs.lazily_freed, lowered=True),
}


def _usage() -> int:
    with open(f"{_ROOT}{_GROUP}/memory.current", encoding="ascii") as file:
        return int(file.read()) // PAGE


def _limit(name: str, value: str) -> None:
    boot.write(f"{_ROOT}{_GROUP}/{name}", value)
