"""Machine-wide kills: by sysrq-f, and by memory that really runs out, without swap and with it."""

from __future__ import annotations

import itertools
import random

from tests.vm.guest import boot, report, swap
from tests.vm.guest.judge import Judge, ask, ask_afresh
from tests.vm.guest.toys import PAGE, Recipe, with_special

_ZRAM_BYTES = 128 << 20
_RANDOM = random.Random(int(boot.parameter("seed", "1")))
_CROWD = 10
_SMALL, _LARGE = 200, 3000
_RISING = itertools.count(700)
"""Values of oom_score_adj: those made last are before those that are left of earlier ones."""
_SCARCE = 12_000
"""Pages of RAM and swap that are left when oomctl is asked."""


def main() -> None:
    rounds = int(boot.parameter("rounds", "4"))
    judge = Judge()
    swap.on()
    _crowd(judge)
    _same_answer_in_a_process_of_its_own()
    for kind, contenders in SELECTION.items():
        for _ in range(rounds):
            _refill(judge)
            for recipe in contenders():
                judge.make(recipe)
            judge.compare(kind, (), boot.sysrq_f, at_rest=True, sudden=True)
    judge.clear()
    _exhaust(judge, "exhausted, swap", rounds)
    swap.off()
    compressed = swap.zram(_ZRAM_BYTES)
    swap.on(compressed)
    _exhaust(judge, "exhausted, zram", rounds)
    swap.off(compressed)
    _exhaust(judge, "exhausted", rounds)
    _leak(judge, rounds)
    boot.write("/proc/sys/vm/oom_kill_allocating_task", "1")
    _allocating(judge, rounds)


def _crowd(judge: Judge) -> None:
    while len(judge.toys) < _CROWD:
        judge.make(_ordinary())


def _refill(judge: Judge) -> None:
    """Keep the number of toys: the oldest beyond it go."""
    while len(judge.toys) > 2 * _CROWD:
        judge.toys.pop(0).dismiss()
    _crowd(judge)


def _ordinary() -> Recipe:
    adj = _RANDOM.choice((0, 0, 0, 0, 1, -1, 5, _RANDOM.randint(-999, 300), -999, -1000))
    return {"anon": _RANDOM.randint(_SMALL, _LARGE), "adj": adj}


def _mixed() -> list[Recipe]:
    """Random processes over the whole range of adj."""
    adj = _RANDOM.choice((0, 0, 2, _RANDOM.randint(-999, 1000), 1000))
    recipe: Recipe = {"anon": _RANDOM.randint(_SMALL, 2 * _LARGE), "adj": adj, "shmem": _RANDOM.choice((0, 500))}
    return [recipe]


def _ties() -> list[Recipe]:
    """Processes made alike in everything; the last one scanned has to win."""
    recipe: Recipe = {"anon": _RANDOM.randint(_SMALL, _LARGE), "adj": _RANDOM.randint(300, 1000)}
    return [recipe] * _RANDOM.randint(2, 3)


def _close() -> list[Recipe]:
    """A few pages apart, also where adj and size have to make up for each other."""
    anon, adj = _RANDOM.randint(_LARGE, 2 * _LARGE), _RANDOM.randint(300, 990)
    step = _pages_of_one_point()
    recipes: list[Recipe] = []
    for _ in range(3):
        points = _RANDOM.choice((0, 0, 1, 3))
        recipes.append({"anon": anon - points * step + _RANDOM.randint(0, 90), "adj": adj + points})
    return recipes


def _threads() -> list[Recipe]:
    """Threads that grew on several CPUs, exited leaders, shared memory maps, a child in vfork."""
    recipe: Recipe = {
        "anon": _RANDOM.randint(_SMALL, _LARGE),
        "threads": _RANDOM.randint(1, 4),
        "anon_each": _RANDOM.randint(10, 800),
        "adj": _RANDOM.choice((400, 401, 402)),
    }
    special = _RANDOM.choice(("none", "none", "sharer", "vfork", "leader_exits"))
    return [with_special(recipe, special)]


def _page_tables() -> list[Recipe]:
    """As many page tables as pages."""
    sparse = _RANDOM.randint(100, 1200)
    alike: Recipe = {"anon": 2 * sparse + _RANDOM.randint(-200, 200), "adj": 500}
    return [{"sparse": sparse, "adj": 500}, alike]


def _swapped() -> list[Recipe]:
    """Part of the memory is in swap."""
    anon = _RANDOM.randint(_SMALL, _LARGE)
    return [{"anon": anon, "swapped": _RANDOM.randint(0, anon), "adj": _RANDOM.choice((600, 601, 605))} for _ in "12"]


def _returned() -> list[Recipe]:
    """All of it was in swap and is back: its VmSwap is 0, and the killer still counts the 32 pages that statm lacks."""
    adj, behind = next(_RISING), _RANDOM.randint(1, 14)
    return [{"anon": _LARGE, "returned": 160, "adj": adj}, {"anon": _LARGE - behind, "adj": adj}]


SELECTION = {
    "sysrq, mixed": _mixed,
    "sysrq, ties": _ties,
    "sysrq, close": _close,
    "sysrq, threads": _threads,
    "sysrq, page tables": _page_tables,
    "sysrq, swapped": _swapped,
    "sysrq, swapped in again": _returned,
}


def _exhaust(judge: Judge, kind: str, rounds: int) -> None:
    """A hog at -1000 takes memory until somebody else has to die; oomctl is asked when little is left."""
    hog = judge.make({"anon": 10, "adj": -1000})
    for number in range(rounds):
        # What is swapped out stays there until its owner dies.
        hog.order("shrink", 30_000)
        if number % 3 == 0:
            for toy in judge.toys[1:]:
                toy.dismiss()
            judge.toys[1:] = []
        _fill_up(judge)
        hog.order("grow-until-scarce", _SCARCE)
        judge.compare(kind, (), hog.grow_until_kill)
    judge.clear()


def _fill_up(judge: Judge) -> None:
    """Toys of very different sizes, or of nearly the same."""
    alike = _RANDOM.randint(1500, 2 * _LARGE) if _RANDOM.random() < 0.6 else None
    while len(judge.toys) < _CROWD:
        anon = _RANDOM.randint(1500, 3 * _LARGE) if alike is None else alike + _RANDOM.randint(0, 300)
        adj = _RANDOM.choice((0, 0, 0, 1, -3, -1000)) if alike is None else 0
        judge.make({"anon": anon, "adj": adj})
    if all(toy.recipe.get("adj") == -1000 for toy in judge.toys):
        judge.make({"anon": _LARGE})


def _leak(judge: Judge, rounds: int) -> None:
    """An ordinary process grows until memory is gone, and has long become the biggest."""
    for _ in range(rounds):
        _fill_up(judge)
        leaking = judge.make({"anon": 10, "adj": 0})
        leaking.order("grow-until-scarce", _SCARCE)
        judge.compare("exhausted, leak", (), leaking.grow_until_kill)
    judge.clear()


def _allocating(judge: Judge, rounds: int) -> None:
    """With oom_kill_allocating_task whoever asks dies, be it the smallest."""
    for _ in range(rounds):
        while len(judge.toys) < 4:
            judge.make({"anon": _RANDOM.randint(1500, 3 * _LARGE), "adj": _RANDOM.choice((0, 100, 1000))})
        asker = judge.make({"anon": 10, "adj": _RANDOM.choice((-999, -500, 0))})
        judge.compare("allocating task", ("--allocating", str(asker.pid)), asker.grow_until_kill)
    judge.clear()


def _same_answer_in_a_process_of_its_own() -> None:
    """The warm interpreter that judges must say what the command says."""
    warm, fresh = ask("simulate", "--json"), ask_afresh("simulate", "--json")
    same = all(warm.document.get(name) == fresh.document.get(name) for name in ("totalpages", "constraint", "outcome"))
    same = same and warm.document["victim"]["pid"] == fresh.document["victim"]["pid"]
    report.send("check", name="installed command", passed=same and not fresh.status, detail=fresh.stderr)


def _pages_of_one_point() -> int:
    total = 0
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith(("MemTotal:", "SwapTotal:")):
                total += int(line.split()[1]) * 1024 // PAGE
    return total // 1000
