"""Real leaks in memory cgroups of their own: what ``oomctl forecast`` says on the way, beside what happens.

    python -m benchmarks.forecast --kills 60 --seed 1

Each cgroup fills within ``--seconds``; at a quarter, a half and three quarters of the way the installed command has
watched for an eighth of that. Needs root, a writable memory cgroup (v1 or v2) and /dev/kmsg. Prints for every kind of
leak how often the real time lay in the interval, how far the time was off, and whether the victim was the one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from tests.kernel_live.leaks import Leaker, leaking
from tests.kernel_live.memcgs import ToyCgroup, toy_cgroup, why_impossible

MIB = 1 << 20
PROJECT = Path(__file__).parents[1]
KINDS = ("linear", "linear", "steps", "teeth", "race", "forks", "cache", "bursts")
WAYS = (0.25, 0.5, 0.75)
LOOKS = 30
_SUMMARY = re.compile(r"oom-kill:constraint=.*,oom_memcg=(?P<memcg>.*),task_memcg=.*,pid=(?P<pid>\d+),uid=\d+$")
_MOST_MIB = 2000


class Forecast(NamedTuple):
    """What was said, and when."""

    way: float
    moment: float
    limit: dict[str, Any]


class Trial(NamedTuple):
    """One cgroup that was filled."""

    seed: int
    kind: str
    leakers: tuple[Leaker, ...]
    forecasts: tuple[Forecast, ...]
    killed_at: float
    victim: int

    def errors(self, one: Forecast) -> float:
        """How far the time was off, as a part of the real one."""
        real = self.killed_at - one.moment
        return abs(float(one.limit["seconds_left"]["mid"]) - real) / real

    def width(self, one: Forecast) -> float:
        """How wide the interval is, as a part of the time that was said; an open one is infinite."""
        left = one.limit["seconds_left"]
        return float("inf") if left["high"] is None else float(left["high"] - left["low"]) / max(left["mid"], 0.1)

    def is_inside(self, one: Forecast, slack: float) -> bool:
        """Whether the real time lies in the interval; ``slack``: the moment of the last look is known so well."""
        real, left = self.killed_at - one.moment, one.limit["seconds_left"]
        return left["low"] - slack <= real and (left["high"] is None or real <= left["high"] + slack)


class Kills:
    """The kernel's own word on who was killed where, as it comes."""

    def __init__(self) -> None:
        self._fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.lseek(self._fd, 0, os.SEEK_END)
        self._ended = False
        self._seen: dict[str, tuple[float, int]] = {}
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def first(self, memcg: str) -> tuple[float, int] | None:
        """When the first was killed because of that limit, and its PID; None: nobody yet."""
        return self._seen.get(memcg)

    def close(self) -> None:
        self._ended = True
        self._thread.join()
        os.close(self._fd)

    def _follow(self) -> None:
        new = select.poll()
        new.register(self._fd, select.POLLIN)
        while not self._ended:
            new.poll(100)
            try:
                record = os.read(self._fd, 8192).decode(errors="replace")
            except OSError:  # nothing new, or the ring buffer overtook us
                continue
            found = _SUMMARY.search(record.split("\n", 1)[0])
            if found:
                self._seen.setdefault(found["memcg"], (time.monotonic(), int(found["pid"])))


def line_up(kind: str, luck: random.Random, seconds: float) -> tuple[tuple[Leaker, ...], int]:
    """Draw who is there, and the MiB that they have to grow by."""
    rate = min(50 ** luck.random(), _MOST_MIB / seconds)
    rest = [Leaker("rest", 0, luck.randint(5, 80), luck.choice((0, 0, 0, 100, 300))) for _ in range(luck.randint(1, 3))]
    alone = "linear" if kind == "cache" else kind
    if kind == "race":
        other = rate * luck.uniform(0.5, 1)
        sizes = luck.sample(range(5, 5 + int(seconds * rate / 4) + 2), 2)
        growers = [Leaker("linear", rate, sizes[0]), Leaker("linear", other, sizes[1])]
        return (*growers, *rest), int((rate + other) * seconds)
    growers = [Leaker(alone, rate, luck.randint(5, 60))] + ([Leaker("cache")] if kind == "cache" else [])
    return (*growers, *rest), int(rate * seconds) + (40 if kind == "cache" else 0)


def run(seed: int, kinds: Sequence[str], seconds: float, kills: Kills) -> Trial | None:
    """Fill one cgroup; None where nobody was killed in three times the time."""
    luck = random.Random(seed)
    kind = kinds[seed % len(kinds)]
    leakers, growth = line_up(kind, luck, seconds)
    with toy_cgroup() as cgroup, leaking(leakers, cgroup) as leaks:
        cgroup.limit_bytes = cgroup.usage_bytes + growth * MIB
        begun = time.monotonic()
        leaks.go()
        forecasts = []
        for way in WAYS:
            time.sleep(max(begun + (way - 1 / 8) * seconds - time.monotonic(), 0))
            if kills.first(cgroup.path) is None:
                said = ask(cgroup, seconds / 8)
                if said is not None and kills.first(cgroup.path) is None:
                    forecasts.append(Forecast(way, time.monotonic(), said))
        while kills.first(cgroup.path) is None and time.monotonic() < begun + 3 * seconds:
            time.sleep(0.02)
        found = kills.first(cgroup.path)
    return None if found is None else Trial(seed, kind, leakers, tuple(forecasts), *found)


def ask(cgroup: ToyCgroup, over: float) -> dict[str, Any] | None:
    """Ask the command about that cgroup; None where it was gone before there was an answer."""
    every = over / LOOKS
    words = ["forecast", "--json", "--cgroup", cgroup.path, "--over", f"{over:.3f}", "--every", f"{every:.3f}"]
    command = [sys.executable, "-m", "oomctl", *words]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT)
    if answer.returncode not in (0, 1):
        print(f"status {answer.returncode}: {answer.stderr}", file=sys.stderr)
        return None
    limit: dict[str, Any] = json.loads(answer.stdout)["limits"][0]
    return limit


def summary(trials: Sequence[Trial], slack: float) -> Iterator[str]:
    yield f"{len(trials)} kills"
    yield (
        f"{'kind':8} {'way':>4} asked  time said  in the interval  median error  width"
        "  certain  of them right  in the running"
    )
    rows = [(kind, way) for kind in sorted(set(KINDS)) for way in WAYS]
    for kind, way in [*rows, *((kind, None) for kind in sorted(set(KINDS))), ("all", None)]:
        chosen = [
            (trial, one)
            for trial in trials
            for one in trial.forecasts
            if kind in (trial.kind, "all") and way in (one.way, None)
        ]
        yield row(f"{kind:8} {'' if way is None else f'{way:.0%}':>4}", chosen, slack)


def row(name: str, chosen: Sequence[tuple[Trial, Forecast]], slack: float) -> str:
    timed = [(trial, one) for trial, one in chosen if one.limit["seconds_left"]]
    inside = sum(trial.is_inside(one, slack) for trial, one in timed)
    errors = [trial.errors(one) for trial, one in timed]
    widths = [trial.width(one) for trial, one in timed]
    named = [(trial, one.limit) for trial, one in timed if one.limit["victim"]]
    certain = [(trial, limit) for trial, limit in named if limit["certainty"] == "certain"]
    right = sum(trial.victim == limit["victim"]["pid"] for trial, limit in certain)
    running = sum(trial.victim in limit["contenders"] or limit["newcomer"] for trial, limit in named)
    off, wide = (f"{median(values):.1%}" if values else "-" for values in (errors, widths))
    return (
        f"{name} {len(chosen):5}  {len(timed):9}  {share(inside, len(timed)):>15}  {off:>12}  {wide:>5}"
        f"  {len(certain):7}  {share(right, len(certain)):>13}  {share(running, len(named)):>14}"
    )


def share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.0f} %)" if whole else "-"


def misses(trials: Sequence[Trial], slack: float) -> Iterator[str]:
    """Every forecast that was wrong: the time outside of the interval, or the victim not who it was certain to be."""
    for trial in trials:
        for one in trial.forecasts:
            limit = one.limit
            if not limit["seconds_left"]:
                continue
            victim = limit["victim"] and limit["victim"]["pid"]
            wrong = limit["certainty"] == "certain" and victim != trial.victim
            lost = trial.victim not in limit["contenders"] and not limit["newcomer"]
            if wrong or lost or not trial.is_inside(one, slack):
                real = trial.killed_at - one.moment
                yield (
                    f"--seed {trial.seed} ({trial.kind}) at {one.way:.0%}: {limit['seconds_left']}, real"
                    f" {real:.1f}; {victim} {limit['certainty']} of {limit['contenders']}, real {trial.victim};"
                    f" {limit['left_bytes'] / MIB:.0f} MiB left, {limit['rate_bytes_per_second'] / MIB:.1f} MiB/s;"
                    f" {trial.leakers}"
                )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=60, help="how many cgroups are filled (default: 60)")
    parser.add_argument("--seed", type=int, default=1, help="of the first; each draws from the next (default: 1)")
    parser.add_argument("--seconds", type=float, default=48, help="in which each is full (default: 48)")
    parser.add_argument("--beside", type=int, default=4, help="so many at the same time (default: 4)")
    parser.add_argument("--kinds", nargs="+", choices=sorted(set(KINDS)), default=KINDS, help="(default: all)")
    arguments = parser.parse_args()
    reason = why_impossible()
    if reason is not None:
        print(reason, file=sys.stderr)
        return 1
    kills = Kills()
    seeds = range(arguments.seed, arguments.seed + arguments.kills)
    with ThreadPoolExecutor(arguments.beside) as pool:
        found = [*pool.map(lambda seed: run(seed, arguments.kinds, arguments.seconds, kills), seeds)]
    kills.close()
    trials = [trial for trial in found if trial is not None]
    slack = arguments.seconds / 8 / LOOKS
    print("\n".join((*summary(trials, slack), *misses(trials, slack))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
