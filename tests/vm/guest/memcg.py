"""Kills in cgroup v2: limits lowered and grown into, swap limits, nested limits, groups killed as one."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

from tests.vm.guest import boot, report, swap
from tests.vm.guest.judge import Judge
from tests.vm.guest.toys import PAGE, Recipe, Toy

_RANDOM = random.Random(int(boot.parameter("seed", "1")))
_ROOT = "/sys/fs/cgroup"
_TOP = "/toys"
_GROUPS = (_TOP, f"{_TOP}/a", f"{_TOP}/b", f"{_TOP}/b/inner")
_LEAVES = (f"{_TOP}/a", f"{_TOP}/b/inner")
_CROWD = 6
_LOWER_BY = 650
"""More pages below the usage than reclaim finds in what CPUs hold ready and in caches (once it found 200)."""


def main() -> None:
    rounds = int(boot.parameter("rounds", "4"))
    swap.on()
    judge = Judge()
    _make_groups()
    for kind, play in KINDS.items():
        for _ in range(rounds):
            _lift_limits()
            play(judge, kind)
        _lift_limits()
        judge.clear()


def _make_groups() -> None:
    _set("", "cgroup.subtree_control", "+memory")
    for group in _GROUPS:
        os.mkdir(_ROOT + group)
        if group not in _LEAVES:
            _set(group, "cgroup.subtree_control", "+memory")


def _lift_limits() -> None:
    for group in _GROUPS:
        _set(group, "memory.max", "max")
        _set(group, "memory.swap.max", "0")
        _set(group, "memory.oom.group", "0")


def _populate(judge: Judge, groups: tuple[str, ...] = _LEAVES, swapped: bool = False, count: int = _CROWD) -> None:
    """Fill up the number of toys; one in a few is at -1000."""
    judge.toys = [toy for toy in judge.toys if toy.alive]
    while len(judge.toys) < count:
        recipe = _member(_RANDOM.choice(groups))
        if swapped:
            recipe["swapped"] = _RANDOM.randint(0, recipe["anon"])
        judge.make(recipe)
    if all(toy.recipe.get("adj") == -1000 for toy in judge.toys):
        judge.make({**_member(groups[0]), "adj": 0})


def _member(group: str) -> Recipe:
    adj = _RANDOM.choice((0, 0, 0, 100, -100, _RANDOM.randint(-999, 1000), -999, -1000))
    return {"cgroup": group, "anon": _RANDOM.randint(200, 2500), "adj": adj}


def _lowered(judge: Judge, kind: str) -> None:
    """memory.max written below what is in use: the writer sets off the killer."""
    _populate(judge)
    limit = _near_usage(judge, _TOP)
    _set(_TOP, "memory.max", str(limit * PAGE))
    # As many thousand pages as before: adj weighs the same under the limit that oomctl saw and the lower one.
    judge.compare(kind, ("--cgroup", _TOP), lambda: _set(_TOP, "memory.max", str((limit - _LOWER_BY) * PAGE)), "memcg")


def _near_usage(judge: Judge, group: str) -> int:
    """A limit in pages above the usage, of the same thousand as the one that is going to be set."""
    filler = judge.make({"cgroup": _LEAVES[0], "anon": 10, "adj": -1000})
    used = _usage(group)
    filler.order("grow", (500 - used) % 1000)
    judge.toys.remove(filler)
    _FILLERS.append(filler)
    return _usage(group) // 1000 * 1000 + 700


_FILLERS: list[Toy] = []


def _grown(judge: Judge, kind: str) -> None:
    """A member at -1000 grows into the limit, another member dies."""
    _populate(judge)
    _grow_into(judge, kind, _TOP, _LEAVES[0])


def _swap_limited(judge: Judge, kind: str) -> None:
    """Part of the group is in swap, and swap is limited too."""
    for group in _GROUPS:
        _set(group, "memory.swap.max", "max")
    _set(_TOP, "memory.swap.max", str(_RANDOM.randint(4000, 9000) * PAGE))
    _populate(judge, swapped=True)
    _grow_into(judge, kind, _TOP, _LEAVES[0])


def _nested(judge: Judge, kind: str) -> None:
    """The inner limit is hit: who is outside it is safe, whatever its score."""
    inner = f"{_TOP}/b"
    _populate(judge)
    for _ in "12":
        judge.make(_member(_LEAVES[1]))
    judge.make({"cgroup": _LEAVES[1], "anon": 300, "adj": 0})
    _set(_TOP, "memory.max", str((_usage(_TOP) + 20_000) * PAGE))
    _grow_into(judge, kind, inner, _LEAVES[1])


def _group(judge: Judge, kind: str) -> None:
    """Everybody in the victim's cgroup dies with it, but for those at -1000."""
    _populate(judge)
    for leaf in _LEAVES:
        _set(leaf, "memory.oom.group", "1")
    _grow_into(judge, kind, _TOP, _LEAVES[0])


def _group_above(judge: Judge, kind: str) -> None:
    """The mark is on an ancestor: the highest marked one counts."""
    _populate(judge)
    _set(f"{_TOP}/b" if _RANDOM.random() < 0.6 else _TOP, "memory.oom.group", "1")
    _grow_into(judge, kind, _TOP, _LEAVES[0])


def _group_machine_wide(judge: Judge, kind: str) -> None:
    """The machine runs out: a marked cgroup still dies as one."""
    _populate(judge)
    _set(_RANDOM.choice(_GROUPS), "memory.oom.group", "1")
    judge.compare(kind, (), boot.sysrq_f, sudden=True)


def _ties(judge: Judge, kind: str) -> None:
    """Made alike, in one cgroup and in two: the last one in the kernel's walk dies."""
    anon = _RANDOM.randint(3000, 4000)
    _populate(judge, count=3)
    for _ in "123":
        judge.make({"cgroup": _RANDOM.choice(_LEAVES), "anon": anon, "adj": 500})
    _grow_into(judge, kind, _TOP, _LEAVES[0])


KINDS: dict[str, Callable[[Judge, str], None]] = {
    "memcg, lowered": _lowered,
    "memcg, grown": _grown,
    "memcg, swap limit": _swap_limited,
    "memcg, nested": _nested,
    "memcg, group": _group,
    "memcg, group above": _group_above,
    "sysrq, group": _group_machine_wide,
    "memcg, ties": _ties,
}


def _grow_into(judge: Judge, kind: str, limited: str, member: str) -> None:
    """Limit ``limited`` a little above its usage and let a filler at -1000 in ``member`` grow until a kill."""
    filler = judge.make({"cgroup": member, "anon": 10, "adj": -1000})
    _set(limited, "memory.max", str((_usage(limited) + 300) * PAGE))
    judge.compare(kind, ("--cgroup", limited), lambda: filler.order("grow-until-kill", 20), "memcg")
    _dismiss_fillers(judge, filler)


def _dismiss_fillers(judge: Judge, *fillers: Toy) -> None:
    _lift_limits()
    for filler in (*fillers, *_FILLERS):
        if filler in judge.toys:
            judge.toys.remove(filler)
        filler.dismiss()
    _FILLERS.clear()


def _usage(group: str) -> int:
    with open(f"{_ROOT}{group}/memory.current", encoding="ascii") as file:
        return int(file.read()) // PAGE


def _set(group: str, name: str, value: str) -> None:
    try:
        boot.write(f"{_ROOT}{group}/{name}", value)
    except OSError as error:
        report.send("warning", text=f"{group}/{name} = {value}: {error}")
