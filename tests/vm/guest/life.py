"""Machines as they are used: memory that reclaim takes before the killer looks, asked long before it runs out."""

from __future__ import annotations

import itertools
import os
import random
import time
from collections.abc import Callable
from typing import NamedTuple

from tests.vm.guest import boot, limits, pairs, swap, toys
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
_READY_SECONDS = 10
_STEP = 64
_LOCKED: tuple[Recipe, ...] = ({"anon": 2000, "adj": 0, "locked": True}, {"anon": 3000, "adj": -900, "locked": True})
"""Whose death gives memory back even where everybody else is in swap: without a candidate the kernel panics."""
LEVELS = {"50 %": 0.5, "25 %": 0.25, "10 %": 0.1, "30 MB": 0.0}
"""What is left when oomctl is asked, as a part of all memory; never less than the last one says."""
_SCARCE = (30 << 20) // PAGE
_KSM = "/sys/kernel/mm/ksm/"
_THP = "/sys/kernel/mm/transparent_hugepage/"


class Kind(NamedTuple):
    pair: Callable[[], pairs.Pair]
    swap: bool = False
    beside: Callable[[], list[Recipe]] = list
    """More toys than plain ones."""
    settings: tuple[tuple[str, str, str], ...] = ()
    """Paths with what they hold for this kind and afterwards."""
    play: Callable[[Judge, Toy, str, Kind, str], None] | None = None
    """How memory runs out; None: a hog takes it."""
    ready: Callable[[], bool] | None = None
    """Whether what the kernel does meanwhile is done."""


def main() -> None:
    rounds = int(boot.parameter("rounds", "2"))
    _mount_files()
    swap.shrink(_SWAP_BYTES)
    toys.lock_memory()  # or it would have to wait for its own, with nothing left
    judge = Judge()
    hogs = [judge.nursery.toy({"anon": 10, "adj": -1000, "locked": locked}) for locked in (False, True)]
    levels = itertools.cycle(LEVELS)
    for name, kind in KINDS.items():
        if not boot.wanted(name):
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
    limits.play(judge, rounds)


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
    _await(kind.ready)
    _leave(hog, level)
    for toy in pair:
        toy.order("read", 0)


def _await(ready: Callable[[], bool] | None) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while ready is not None and not ready() and time.monotonic() < deadline:
        time.sleep(0.05)


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


def _at_once(judge: Judge, hog: Toy, name: str, kind: Kind, level: str) -> None:
    """By sysrq-f, whatever is left."""
    _populate(judge, hog, kind, level)
    judge.compare(name, (), boot.sysrq_f, sudden=True, level=level)


def _grown(judge: Judge, hog: Toy, name: str, kind: Kind, level: str) -> None:
    """One who may be chosen takes all that is left. The first leads by half as much, or by up to four times that."""
    _populate(judge, hog, kind, level)
    adj = int(_RANDOM.uniform(0.5, 4) * left_pages() * 1000 / _memory_pages())
    judge.make({"anon": _RANDOM.randint(500, 2 * _PLAIN), "adj": min(adj, 1000)})
    grower = judge.make({"anon": 10, "adj": _RANDOM.choice((0, 0, -100, 50))})
    judge.compare(name, (), lambda: grower.order("exhaust", _STEP), grower=grower, level=level)


def _users_of_hugetlb() -> list[Recipe]:
    return [{"anon": 100, "hugetlb": 10}]


def _forking() -> list[Recipe]:
    return [{"anon": 100, "storm": True}]


def _library_users() -> list[Recipe]:
    """Who else maps the common file, and so may keep it in RAM."""
    return [{"anon": 100, "library": 4000} for _ in range(_RANDOM.randint(1, 3))]


def _are_merged() -> bool:
    return _number(f"{_KSM}pages_sharing") > _MANY_MERGED


_MANY_MERGED = 1000
_MERGING = (
    (f"{_KSM}pages_to_scan", "2000", "100"),
    (f"{_KSM}sleep_millisecs", "5", "20"),
    (f"{_KSM}run", "1", "2"),  # 2: undo it
)
_HUGE_ALWAYS = ((f"{_THP}enabled", "always", "madvise"),)
_HUGE_SPLIT = (*_HUGE_ALWAYS, (f"{_THP}khugepaged/max_ptes_none", "100", "511"))
_HUGETLB = (("/proc/sys/vm/nr_hugepages", "20", "0"),)
KINDS = {
    "life, files": Kind(pairs.files),
    "life, files, swap": Kind(pairs.files, swap=True),
    "life, library": Kind(pairs.library, beside=_library_users),
    "life, locked files": Kind(pairs.locked_files),
    "life, shared memory": Kind(pairs.shared),
    "life, shared memory, swap": Kind(pairs.shared, swap=True),
    "life, tmpfs, swap": Kind(pairs.tmpfs, swap=True),
    "life, lazily freed": Kind(pairs.lazily_freed),
    "life, lazily freed, swap": Kind(pairs.lazily_freed, swap=True),
    "life, merged": Kind(pairs.merged, settings=_MERGING, ready=_are_merged),
    "life, merged, swap": Kind(pairs.merged, swap=True, settings=_MERGING, ready=_are_merged),
    "life, huge pages": Kind(pairs.huge, settings=_HUGE_ALWAYS),
    "life, huge pages, swap": Kind(pairs.huge, swap=True, settings=_HUGE_ALWAYS),
    "life, huge pages, unused": Kind(pairs.huge_unused, settings=_HUGE_SPLIT),
    "life, hugetlb beside": Kind(pairs.files, beside=_users_of_hugetlb, settings=_HUGETLB),
    "life, fork storm": Kind(pairs.files, beside=_forking),
    "life, busy threads": Kind(pairs.busy, play=_at_once),
    "life, page cache": Kind(pairs.files, play=_cache_read),
    "life, one grows": Kind(pairs.files, play=_grown),
}


def _number(path: str) -> int:
    with open(path, encoding="ascii") as file:
        return int(file.read())


def _memory_pages() -> int:
    with open("/proc/meminfo", encoding="ascii") as file:
        return int(file.readline().split()[1]) * 1024 // PAGE
