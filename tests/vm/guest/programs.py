"""PostgreSQL, Redis, a JVM and a tree of processes like a browser's: asked, then memory runs out."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.vm.guest import boot, report, swap, toys
from tests.vm.guest.judge import Judge
from tests.vm.guest.memory import PAGE, left_pages
from tests.vm.guest.software import Browser, Jvm, Postgres, Redis, Software, prepare
from tests.vm.guest.toys import Toy

_RANDOM = random.Random(int(boot.parameter("seed", "1")))
_SWAP_DISK = "/dev/vdc"
_SWAP_BYTES = 160 << 20
_STEP = 64
_SCARCE = (30 << 20) // PAGE
_ZSWAP = Path("/sys/module/zswap/parameters/enabled")
LEVELS = {"50 %": 0.5, "25 %": 0.25, "10 %": 0.1}
"""What is left when oomctl is asked, as a part of all memory."""


class Kind(NamedTuple):
    leader: str
    """Who is made bigger than the others."""
    swap: bool = False
    zswap: bool = False


def main() -> None:
    rounds = int(boot.parameter("rounds", "3"))
    prepare()
    swap.shrink(_SWAP_BYTES, _SWAP_DISK)
    toys.lock_memory()
    judge = Judge()
    hogs = [judge.nursery.toy({"anon": 10, "adj": -1000, "locked": locked}) for locked in (False, True)]
    programs: dict[str, Software] = {one.name: one for one in (Postgres(), Redis(), Jvm(), Browser())}
    levels = itertools.cycle(LEVELS)
    for name, kind in KINDS.items():
        if not boot.wanted(name):
            continue
        _swap(kind, now=True)
        for program in programs.values():
            program.stop()
        for _ in range(rounds):
            hog, other = _RANDOM.sample(hogs, 2)
            other.order("shrink", _memory_pages())
            _exhausted(judge, hog, programs, name, kind, next(levels))
            hog.order("shrink", _memory_pages())
        _swap(kind, now=False)
    for program in programs.values():
        program.stop()


def _exhausted(judge: Judge, hog: Toy, programs: dict[str, Software], name: str, kind: Kind, level: str) -> None:
    before = _zswapped()
    for program in programs.values():
        leads = program.name == kind.leader
        if not program.is_whole():
            program.stop()
            program.start(_RANDOM.randint(110, 150) if leads else _RANDOM.randint(10, 30), leads)
    judge.toys = [toy for program in programs.values() for toy in program.processes()]
    missing = (wanted := max(int(LEVELS[level] * _memory_pages()), _SCARCE)) - left_pages()
    if missing > 0:
        hog.order("shrink", missing)
    hog.order("grow-until-left", wanted)
    judge.compare(name, (), lambda: hog.order("exhaust", _STEP), level=level)
    report.send("zswapped", kind=name, pages=_zswapped() - before)


def _swap(kind: Kind, now: bool) -> None:
    if kind.zswap:
        _ZSWAP.write_text("Y" if now else "N")
    change: Callable[[str], None] = swap.on if now else swap.off
    if kind.swap:
        change(_SWAP_DISK)


def _zswapped() -> int:
    """Count the pages that have ever gone to zswap."""
    counts = dict(line.split() for line in Path("/proc/vmstat").read_text().splitlines())
    return int(counts["zswpout"])


def _memory_pages() -> int:
    return os.sysconf("SC_PHYS_PAGES")


KINDS = {
    "programs, postgres": Kind("postgres"),
    "programs, redis": Kind("redis"),
    "programs, jvm": Kind("jvm"),
    "programs, browser": Kind("browser"),
    "programs, postgres, swap": Kind("postgres", swap=True),
    "programs, redis, swap": Kind("redis", swap=True),
    "programs, jvm, swap": Kind("jvm", swap=True),
    "programs, browser, swap": Kind("browser", swap=True),
    "programs, postgres, zswap": Kind("postgres", swap=True, zswap=True),
    "programs, redis, zswap": Kind("redis", swap=True, zswap=True),
}
