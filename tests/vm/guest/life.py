"""Machines as they are used: memory that reclaim takes before the killer looks, asked long before it runs out."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable
from typing import NamedTuple

from tests.vm.guest import boot, swap, toys
from tests.vm.guest.judge import Judge
from tests.vm.guest.memory import FILES, PAGE, left_pages, read_through
from tests.vm.guest.toys import Recipe, Toy

_RANDOM = random.Random(int(boot.parameter("seed", "1")))
_DISK = "/dev/vdb"
_SWAP_BYTES = 160 << 20
_CACHE = f"{FILES}/cache"
_CACHE_BYTES = 96 << 20
_CROWD = 5
_PLAIN = 2000
"""Pages that the others have at most."""
_BEHIND = (500, 3000)
_MOVABLE = (1500, 4000)
_SHARE_WITHIN = 0.6
"""So many of the pairs are nearer to each other than what reclaim may take."""
_STEP = 64
_LOCKED: tuple[Recipe, ...] = ({"anon": 2000, "adj": 0, "locked": True}, {"anon": 3000, "adj": -900, "locked": True})
"""Whose death gives memory back even where everybody else is in swap: without a candidate the kernel panics."""
LEVELS = {"50 %": 0.5, "25 %": 0.25, "10 %": 0.1, "30 MB": 0.0}
"""What is left when oomctl is asked, as a part of all memory; never less than the last one says."""
_SCARCE = (30 << 20) // PAGE
_KSM = "/sys/kernel/mm/ksm/"
_THP = "/sys/kernel/mm/transparent_hugepage/"


class Pair(NamedTuple):
    """Who leads and who follows."""

    first: Recipe
    second: Recipe


class Kind(NamedTuple):
    pair: Callable[[], Pair]
    swap: bool = False
    beside: Callable[[], list[Recipe]] = list
    """More toys than plain ones."""
    settings: tuple[tuple[str, str, str], ...] = ()
    """Paths with what they hold for this kind and afterwards."""
    play: Callable[[Judge, Toy, str, Kind, str], None] | None = None
    """How memory runs out; None: a hog takes it."""


def main() -> None:
    rounds = int(boot.parameter("rounds", "2"))
    wanted = boot.parameter("only")
    _mount_files()
    swap.shrink(_SWAP_BYTES)
    toys.lock_memory()  # or it would have to wait for its own, with nothing left
    judge = Judge()
    hogs = [judge.nursery.toy({"anon": 10, "adj": -1000, "locked": locked}) for locked in (False, True)]
    levels = itertools.cycle(LEVELS)
    for name, kind in KINDS.items():
        if wanted not in name.replace(", ", "-").replace(" ", "-"):
            continue
        _set(kind, now=True)
        for _ in range(rounds):
            # With one whose memory stays in RAM, all that goes to swap is others'.
            hog, other = _RANDOM.sample(hogs, 2)
            other.order("shrink", _memory_pages())
            (kind.play or _exhausted)(judge, hog, name, kind, next(levels))
            hog.order("shrink", 8 * _SCARCE)
            judge.clear()
        _set(kind, now=False)


def _mount_files() -> None:
    os.mkdir(FILES)
    boot.mount("ext4", FILES, source=_DISK)
    with open(_CACHE, "wb") as file:
        file.truncate(_CACHE_BYTES)


def _set(kind: Kind, now: bool) -> None:
    for path, during, after in kind.settings:
        boot.write(path, during if now else after)
    if kind.swap and now:
        swap.on()
    elif kind.swap:
        swap.off()


def _exhausted(judge: Judge, hog: Toy, name: str, kind: Kind, level: str) -> None:
    """A hog at -1000 takes all that is left."""
    _populate(judge, hog, kind, level)
    judge.compare(name, (), lambda: hog.order("exhaust", _STEP), level=level)


def _populate(judge: Judge, hog: Toy, kind: Kind, level: str) -> None:
    """Make a pair and others, and leave so much; what was reclaimed meanwhile is read in again."""
    for _ in range(_CROWD):
        judge.make({"anon": _RANDOM.randint(200, _PLAIN), "adj": _RANDOM.choice((0, 0, 0, -3, -1000))})
    for recipe in (*_LOCKED, *kind.beside()):
        judge.make(recipe)
    pair = [judge.make(recipe) for recipe in kind.pair()]
    _leave(hog, level)
    for toy in pair:
        toy.order("read", 0)


def _leave(hog: Toy, level: str) -> None:
    wanted = max(int(LEVELS[level] * _memory_pages()), _SCARCE)
    missing = wanted - left_pages()
    if missing > 0:
        hog.order("shrink", missing)
    hog.order("grow-until-left", wanted)


def _cache_read(judge: Judge, hog: Toy, name: str, kind: Kind, level: str) -> None:
    """First somebody reads files of more than there is room for."""
    _populate(judge, hog, kind, level)

    def read_and_exhaust() -> None:
        read_through(_CACHE)
        hog.order("exhaust", _STEP)

    judge.compare(name, (), read_and_exhaust, level=level)


def _grown(judge: Judge, hog: Toy, name: str, kind: Kind, level: str) -> None:
    """One who may be chosen takes all that is left. The first leads by about that much."""
    _populate(judge, hog, kind, level)
    adj = int(_RANDOM.uniform(0.3, 1.7) * left_pages() * 1000 / _memory_pages())
    judge.make({"anon": _RANDOM.randint(500, 2 * _PLAIN), "adj": min(adj, 1000)})
    grower = judge.make({"anon": 10, "adj": _RANDOM.choice((0, 0, -100, 50))})
    judge.compare(name, (), lambda: grower.order("exhaust", _STEP), grower=grower, level=level)


def _sized(first: Callable[[int, int], Recipe], second: Callable[[int], Recipe]) -> Pair:
    """A pair by how many pages of the first may go and how many stay."""
    movable = _RANDOM.randint(*_MOVABLE)
    within = _RANDOM.random() < _SHARE_WITHIN
    lead = int(movable * (_RANDOM.uniform(0.1, 0.9) if within else _RANDOM.uniform(2.2, 3)))
    behind = movable + _RANDOM.randint(*_BEHIND)
    return Pair(first(behind + lead - movable, movable), second(behind))


def _files() -> Pair:
    return _sized(lambda anon, gone: {"anon": anon, "file": gone}, lambda anon: {"anon": anon, "file": 1})


def _locked_files() -> Pair:
    return _sized(
        lambda anon, gone: {"anon": anon, "file": gone, "file_locked": True},
        lambda anon: {"anon": anon, "file": 1, "file_locked": True},
    )


def _library() -> Pair:
    return _sized(lambda anon, gone: {"anon": anon, "library": gone}, lambda anon: {"anon": anon, "library": 1})


def _library_users() -> list[Recipe]:
    return [{"anon": 100, "library": _MOVABLE[1]} for _ in range(_RANDOM.randint(1, 3))]


def _shared() -> Pair:
    return _sized(lambda anon, gone: {"anon": anon, "shmem": gone}, lambda anon: {"anon": anon})


def _tmpfs() -> Pair:
    return _sized(lambda anon, gone: {"anon": anon, "tmpfs": gone}, lambda anon: {"anon": anon, "tmpfs": 1})


def _lazily_freed() -> Pair:
    return _sized(
        lambda anon, gone: {"anon": anon + gone, "lazyfree": gone}, lambda anon: {"anon": anon + 1, "lazyfree": 1}
    )


KINDS = {
    "life, files": Kind(_files),
    "life, files, swap": Kind(_files, swap=True),
    "life, library": Kind(_library, beside=_library_users),
    "life, locked files": Kind(_locked_files),
    "life, shared memory": Kind(_shared),
    "life, shared memory, swap": Kind(_shared, swap=True),
    "life, tmpfs, swap": Kind(_tmpfs, swap=True),
    "life, lazily freed": Kind(_lazily_freed),
    "life, lazily freed, swap": Kind(_lazily_freed, swap=True),
    "life, page cache": Kind(_files, play=_cache_read),
    "life, one grows": Kind(_files, play=_grown),
}


def _memory_pages() -> int:
    with open("/proc/meminfo", encoding="ascii") as file:
        return int(file.readline().split()[1]) * 1024 // PAGE
