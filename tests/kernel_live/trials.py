"""One real kill beside one prediction: how the two are taken, and random line-ups of toys to take them of."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from oomctl.model.kernel import Task
from oomctl.procfs import survey
from oomctl.procfs.reader import Procfs
from tests.kernel_live.kernel_log import KernelKill, KernelLog
from tests.kernel_live.memcgs import ToyCgroup, toy_cgroup
from tests.kernel_live.toys import MIB, PAGE, Nursery, Started, Toy, is_alive

_TOP_PAGES = 60 * MIB // PAGE
_TOTAL_PAGES = 300 * MIB // PAGE
_OVERHEAD_PAGES = 300  # charged for a process besides what it was asked to touch: page tables, stacks, kernel memory
_DEATH_S = 30.0
# What a CPU may hold in stock (MEMCG_CHARGE_BATCH in include/linux/memcontrol.h), and as much again.
_GROWTH_IN_DOUBT_PAGES = 2 * 64 * (os.cpu_count() or 1)


class LineUp(NamedTuple):
    """Toys and how their cgroup is made to overflow."""

    kinds: frozenset[str]
    toys: tuple[Toy, ...]
    limit_bytes: int
    grower: bool = False
    """The last toy grows; otherwise it fills a file."""


class Result(NamedTuple):
    """A prediction, what the kernel did, and the numbers both had."""

    kinds: frozenset[str]
    prediction: dict[str, Any]
    """What ``simulate --json`` printed."""
    victim: int
    """The kernel's, by tgid."""
    dead: frozenset[int]
    """Every toy process that was gone after the kill."""
    further_kills: bool
    """Whether the kernel killed once more: the first victim can leave its cgroup before its memory is freed."""
    ours: tuple[Task, ...]
    """Our own reading just before."""
    kill: KernelKill

    @property
    def agrees(self) -> bool:
        return self.prediction["victim"] is not None and self.prediction["victim"]["pid"] == self.victim

    @property
    def certain(self) -> bool:
        return bool(self.prediction["certainty"] == "certain")

    @property
    def wrong(self) -> bool:
        """Whether a promise is broken: certain and not so, or the victim none of the contenders.

        How much a growing process will have got when it hits the limit is a guess that went into the question:
        nothing is promised about an order that so little would turn.
        """
        margin = self.prediction["margin_pages"]
        if "growth" in self.kinds and margin is not None and margin <= _GROWTH_IN_DOUBT_PAGES:
            return False
        return (self.certain and not self.agrees) or not self.contended

    @property
    def contended(self) -> bool:
        """Whether the victim was among the contenders."""
        return self.victim in self.prediction["contenders"]

    @property
    def killed_agrees(self) -> bool:
        """Whether ``killed`` names exactly the dead; says something only where the victim agrees."""
        return self.cost({process["pid"] for process in self.prediction["killed"]})

    def cost(self, pids: set[int]) -> bool:
        """Whether the kill was the end of exactly ``pids``; a further kill may have taken others besides."""
        return pids <= self.dead if self.further_kills else pids == self.dead


class Pace:
    """Keeps kills as far apart as the kernel wants to report them all (``oom_rs``: 10 in 5 seconds).

    It counts every kill of the machine: second victims and other tests' use up the limit as well.
    """

    def __init__(self) -> None:
        self._log: KernelLog | None = None
        self._seen: deque[float] = deque(maxlen=9)

    def wait(self) -> None:
        if self._log is None:
            self._log = KernelLog()
            time.sleep(5.1)  # what was killed before is not known
        self._seen.extend([time.monotonic()] * self._log.new_kills())
        if len(self._seen) == self._seen.maxlen:
            time.sleep(max(self._seen[0] + 5.1 - time.monotonic(), 0))


PACE = Pace()


def simulate(cgroup: ToyCgroup, *options: str) -> dict[str, Any]:
    """Ask the installed command."""
    installed = Path(sys.executable).with_name("oomctl")
    command = [str(installed)] if installed.exists() else [sys.executable, "-m", "oomctl"]
    answer = subprocess.run(
        [*command, "simulate", "--cgroup", cgroup.path, "--json", *options], capture_output=True, text=True, check=False
    )
    if answer.returncode not in (0, 1) or not answer.stdout:
        raise RuntimeError(f"{' '.join(answer.args)}: status {answer.returncode}, {answer.stderr}")
    document: dict[str, Any] = json.loads(answer.stdout)
    return document


def overflow(
    kinds: frozenset[str], cgroup: ToyCgroup, started: list[Started], *options: str, last: Started | None = None
) -> Result:
    """Predict, make ``last`` (default: the last started) overflow the cgroup, and see whom the kernel kills."""
    processes = [pid for toy in started for pid in toy.processes()]
    leader_of = {tid: pid for pid in processes for tid in _threads(pid)}
    ours = survey.memcg(Procfs(), cgroup.path)[0].tasks
    with KernelLog() as log:
        PACE.wait()
        prediction = simulate(cgroup, *options)
        (last or started[-1]).poke()
        kill = log.wait_for_kill(cgroup.path, frozenset(leader_of))
        victim = kill.victim or leader_of[kill.killed[0]]
        expected = {process["pid"] for process in prediction["killed"]}
        _wait_until(lambda: not any(map(is_alive, expected if victim in expected else {victim})))
        dead = frozenset(pid for pid in processes if not is_alive(pid))
        # The kernel sends the signal first and writes the line after.
        further = _wait_until(
            lambda: log.killed_so_far(frozenset(leader_of)) > len(kill.killed), 0 if dead <= expected else 1
        )
    return Result(kinds, prediction, victim, dead, further, ours, kill)


def overflowed(nursery: Nursery, cgroup: ToyCgroup, *toys: Toy, limit_pages: int) -> tuple[Result, list[Started]]:
    """Start the toys and let a small process fill the rest of the limit without mapping it."""
    cgroup.limit_bytes = limit_pages * PAGE
    place = toys[-1].cgroup
    started = [nursery.start(toy) for toy in (*toys, Toy(place, writes_until_kill=cgroup, name="writer"))]
    return overflow(frozenset(), cgroup, started), started


def kill_at_limit(cgroup: ToyCgroup, grower: Started) -> None:
    """Limit the cgroup to 32 MiB, have a toy grow beyond that, and wait until the kernel has told of it and it is gone.

    What it has is given back then: otherwise a lower limit may be refused (EBUSY).
    """
    cgroup.limit_bytes = 32 * MIB
    with KernelLog() as log:
        PACE.wait()
        grower.poke()
        log.wait_for_kill(cgroup.path, frozenset({grower.pid}))
    _wait_until(lambda: not is_alive(grower.pid))


def large_and_small(nursery: Nursery, cgroup: ToyCgroup) -> tuple[int, int]:
    """Start one of 24 and one of 4 MiB in a cgroup ``inner`` with a limit of 64 MiB; return their PIDs."""
    inner = cgroup.child("inner")
    inner.limit_bytes = 64 * MIB
    large = nursery.start(Toy(inner, pages=24 * MIB // PAGE))
    return large.pid, nursery.start(Toy(inner, pages=4 * MIB // PAGE)).pid


def run(line_up: Callable[[ToyCgroup], LineUp], nursery: Nursery) -> Result:
    """Start a line-up in a cgroup of its own and let the kernel choose."""
    with toy_cgroup() as cgroup:
        lined_up = line_up(cgroup)
        cgroup.limit_bytes = lined_up.limit_bytes
        started = [nursery.start(toy) for toy in lined_up.toys]
        options: tuple[str, ...] = ()
        if lined_up.grower:
            # Half of it stays out of reach: each CPU may hold charges in stock that it gives back when it gets tight.
            headroom = lined_up.toys[-1].grows_pages * PAGE // 2
            cgroup.limit_bytes = cgroup.usage_bytes + headroom
            options = ("--grow", f"{started[-1].pid}={headroom}")
        return overflow(lined_up.kinds, cgroup, started, *options)


def random_line_up(rng: random.Random, cgroup: ToyCgroup) -> LineUp:
    """Draw a line-up: 2 to 40 processes of 1 to 60 MiB, often with a close call at the top."""
    kinds: set[str] = set()
    places = _places(rng, cgroup, kinds)
    count = min(2 + int(rng.expovariate(1 / 8)), 34)
    budget = _TOTAL_PAGES // count
    adjusted = rng.random() < 0.5
    toys = [_random_toy(rng, rng.choice(places), budget, adjusted, kinds) for _ in range(count)]
    limit = (sum(map(_charged_pages, toys)) + 1000 + rng.randrange(4000)) * PAGE
    if rng.random() < 0.25:
        toys = _with_close_call(rng, toys, places, limit // PAGE, kinds)
        limit += _charged_pages(toys[-1]) * PAGE
    rng.shuffle(toys)
    grower = rng.random() < 0.1
    if grower:
        kinds.add("growth")
        toys.append(Toy(rng.choice(places), grows_pages=rng.randint(4, 12) * MIB // PAGE, name="grower"))
    else:
        toys.append(Toy(rng.choice(places), writes_until_kill=cgroup, name="writer"))
    return LineUp(frozenset(kinds or {"plain"}), tuple(toys), limit, grower)


def _places(rng: random.Random, cgroup: ToyCgroup, kinds: set[str]) -> list[ToyCgroup]:
    """Where processes may be: on v2 only the leaves of a tree."""
    if rng.random() < 0.7:
        return [cgroup]
    kinds.add("nested")
    children = [cgroup.child(name) for name in rng.sample("abcd", rng.randint(1, 3))]
    grandchild = children[0].child("inner")
    return [cgroup, grandchild, *children] if cgroup.version == 1 else [grandchild, *children[1:]]


def _random_toy(rng: random.Random, place: ToyCgroup, budget: int, adjusted: bool, kinds: set[str]) -> Toy:
    toy = Toy(place, pages=rng.randrange(min(budget, _TOP_PAGES)))
    if adjusted and rng.random() < 0.6:
        kinds.add("adj")
        toy = toy._replace(adj=rng.choice((rng.randrange(1, 50), rng.randrange(1, 1001), 1000)))
    if rng.random() < 0.6:
        return toy
    # Of two processes on one memory map userspace cannot see which is scanned last: always `close`, and rare.
    kind = rng.choices(("threads", "sharers", "zombie leader", "vfork", "forks", "exec"), (3, 1, 3, 3, 3, 3))[0]
    kinds.add(kind)
    if kind == "forks":
        grandchild = Toy(place, pages=rng.randrange(min(budget // 4, _TOP_PAGES) + 1), adj=toy.adj)
        child = grandchild._replace(children=(grandchild,), inherits=rng.random() < 0.5)
        return toy._replace(pages=toy.pages // 2, children=(child,))
    return {
        "threads": toy._replace(threads=rng.randint(1, 12)),
        "sharers": toy._replace(sharers=rng.randint(1, 2)),
        "zombie leader": toy._replace(threads=rng.randint(1, 3), zombie_leader=True),
        "vfork": toy._replace(vfork=True),
        "exec": toy._replace(pages=0, execs=True),
    }[kind]


def _with_close_call(
    rng: random.Random, toys: list[Toy], places: list[ToyCgroup], total_pages: int, kinds: set[str]
) -> list[Toy]:
    """Add a rival whose badness is about that of the worst, whatever the adj of the two."""
    adj_unit = total_pages // 1000
    worst = max(toys, key=lambda toy: toy.pages + toy.adj * adj_unit)
    gap = rng.choice((0, rng.randrange(40), rng.randrange(400), rng.randrange(4000)))
    kinds.add("tie" if gap == 0 else "close")
    for adj in (worst.adj - rng.randrange(3), worst.adj):
        pages = worst.pages + (worst.adj - adj) * adj_unit - gap
        if adj >= 0 and 0 <= pages <= _TOP_PAGES:
            return [*toys, Toy(rng.choice(places), pages=pages, adj=adj)]
    return [*toys, worst._replace(cgroup=rng.choice(places))]


def _charged_pages(toy: Toy) -> int:
    extra = toy.threads * 20 + toy.sharers * 60
    return toy.pages + toy.grows_pages + _OVERHEAD_PAGES + extra + sum(map(_charged_pages, toy.children))


def _threads(pid: int) -> list[int]:
    return [int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir()]


def _wait_until(done: Callable[[], bool], timeout_s: float = _DEATH_S) -> bool:
    deadline = time.monotonic() + timeout_s
    while not (finished := done()) and time.monotonic() < deadline:
        time.sleep(0.002)
    return finished
