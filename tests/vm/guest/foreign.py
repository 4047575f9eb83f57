"""Another page size or word length: the same questions, with toys whose size does not grow with the page."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable

from tests.vm.guest import boot, report, swap
from tests.vm.guest.judge import Judge, ask
from tests.vm.guest.toys import PAGE, Recipe, with_special

_RANDOM = random.Random(int(boot.parameter("seed", "1")))
_CROWD = 6
_GROUP = "/sys/fs/cgroup/toys"
_LOWER_BY = 650
"""Pages; more than reclaim finds in what CPUs hold ready, which is counted in pages, too."""
_ROOM = 40
"""Pages above the usage at which nobody is killed yet."""
_NOBODY_GROWS = ("--sudden",)


def main() -> None:
    rounds = int(boot.parameter("rounds", "5"))
    judge = Judge()
    if int(boot.parameter("swap", "0")):
        swap.on()
    _machine()
    for kind, contenders in SELECTION.items():
        for number in range(rounds):
            _refill(judge)
            for recipe in contenders():
                judge.make(recipe)
            if number == 0:
                _scores(kind)
            judge.compare(kind, _NOBODY_GROWS, boot.sysrq_f, at_rest=True)
    judge.clear()
    boot.write("/sys/fs/cgroup/cgroup.subtree_control", "+memory")
    os.mkdir(_GROUP)
    _without_swap()
    for _ in range(rounds):
        _lowered(judge)


def _without_swap() -> None:
    """Otherwise reclaim finds room there."""
    if os.path.exists(f"{_GROUP}/memory.swap.max"):
        boot.write(f"{_GROUP}/memory.swap.max", "0")


def pages(least_mib: float, most_mib: float) -> int:
    """Return a random number of pages that take so much memory."""
    return int(_RANDOM.uniform(least_mib, most_mib) * (1 << 20)) // PAGE


def _refill(judge: Judge) -> None:
    while len(judge.toys) > 2 * _CROWD:
        judge.toys.pop(0).dismiss()
    while len(judge.toys) < _CROWD:
        adj = _RANDOM.choice((0, 0, 0, 1, -1, _RANDOM.randint(-999, 300), -999, -1000))
        judge.make({"anon": pages(4, 40), "adj": adj})


def _mixed() -> list[Recipe]:
    adj = _RANDOM.choice((0, 0, 2, _RANDOM.randint(-999, 1000), 1000))
    return [{"anon": pages(4, 60), "adj": adj, "shmem": _RANDOM.choice((0, pages(2, 2)))}]


def _ties() -> list[Recipe]:
    recipe: Recipe = {"anon": pages(4, 40), "adj": _RANDOM.randint(300, 1000)}
    return [recipe] * _RANDOM.randint(2, 3)


def _close() -> list[Recipe]:
    """A few pages apart, also where adj and size have to make up for each other."""
    anon, adj = pages(40, 60), _RANDOM.randint(300, 990)
    step = _totalpages() // 1000
    recipes: list[Recipe] = []
    for _ in range(3):
        points = _RANDOM.choice((0, 0, 1, 3))
        recipes.append({"anon": max(anon - points * step, 1) + _RANDOM.randint(0, 40), "adj": adj + points})
    return recipes


def _threads() -> list[Recipe]:
    """Threads that grew on several CPUs, exited leaders, shared memory maps, a child in vfork."""
    recipe: Recipe = {
        "anon": pages(2, 20),
        "threads": _RANDOM.randint(1, 4),
        "anon_each": pages(0.2, 5),
        "adj": _RANDOM.choice((400, 401, 402)),
    }
    special = _RANDOM.choice(("none", "sharer", "vfork", "leader_exits"))
    return [with_special(recipe, special)]


def _page_tables() -> list[Recipe]:
    """Pages each of which needs a page table of its own, beside a toy without."""
    sparse = _RANDOM.randint(30, 300)
    alike: Recipe = {"anon": 2 * sparse + _RANDOM.randint(-20, 20), "adj": 500}
    return [{"sparse": sparse, "adj": 500}, alike]


SELECTION: dict[str, Callable[[], list[Recipe]]] = {
    "sysrq, mixed": _mixed,
    "sysrq, ties": _ties,
    "sysrq, close": _close,
    "sysrq, threads": _threads,
    "sysrq, page tables": _page_tables,
}


def _lowered(judge: Judge) -> None:
    """memory.max written below what is in use; before and after it has as many thousand pages, by which adj weighs."""
    boot.write(f"{_GROUP}/memory.max", "max")
    while len(judge.toys) < _CROWD:
        adj = _RANDOM.choice((0, 0, 0, 100, -100, _RANDOM.randint(-999, 1000), -1000))
        judge.make({"cgroup": "/toys", "anon": pages(4, 40), "adj": adj})
    judge.make({"cgroup": "/toys", "anon": pages(20, 40), "adj": 0})
    filler = judge.make({"cgroup": "/toys", "anon": 10, "adj": -1000})
    filler.order("grow", (900 - _usage()) % 1000)
    limit = _usage() + _ROOM
    boot.write(f"{_GROUP}/memory.max", str(limit * PAGE))
    lowered = str((limit - _LOWER_BY) * PAGE)
    question = ("--cgroup", "/toys", *_NOBODY_GROWS)
    judge.compare("memcg, lowered", question, lambda: boot.write(f"{_GROUP}/memory.max", lowered), "memcg")
    boot.write(f"{_GROUP}/memory.max", "max")
    if filler in judge.toys:
        judge.toys.remove(filler)
    filler.dismiss()


def _usage() -> int:
    with open(f"{_GROUP}/memory.current", encoding="ascii") as file:
        return int(file.read()) // PAGE


def _meminfo() -> dict[str, int]:
    """In kB."""
    with open("/proc/meminfo", encoding="ascii") as file:
        return {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in file)}


def _totalpages() -> int:
    found = _meminfo()
    return (found["MemTotal"] + found["SwapTotal"]) * 1024 // PAGE


def _machine() -> None:
    """Say what this is, and whether oomctl sees the same."""
    document = ask("simulate", "--json", *_NOBODY_GROWS).document
    found = _meminfo()
    report.send(
        "machine",
        page_size=PAGE,
        total_kb=found["MemTotal"],
        high_kb=found.get("HighTotal", 0),
        totalpages=_totalpages(),
        said=document.get("totalpages"),
        doubts=document.get("doubts"),
    )


def _scores(kind: str) -> None:
    """Compare the kernel's own oom_score of every process with what the rules make of its numbers."""
    from oomctl.kernel.badness import badness, oom_score
    from oomctl.kernel.selection import why_not
    from oomctl.procfs.machine import machine_procfs
    from oomctl.scenario.document import parse

    scenario = parse(json.dumps(ask("snapshot").document)).scenario
    procfs = machine_procfs()
    rules = procfs.rules
    different: list[str] = []
    for task in scenario.tasks:
        spared = why_not(task, scenario.context, rules)
        points = None if spared else badness(task, scenario.context.totalpages, rules).badness
        ours = oom_score(points, scenario.context.totalpages, rules, procfs.word_bits)
        if ours != task.oom_score:
            different.append(f"{task.pid} ({task.comm}): the kernel {task.oom_score}, oomctl {ours}: {task}")
    report.send("scores", kind=kind, compared=len(scenario.tasks), different=different)
