"""Real leaks in memory cgroups of their own: what ``oomctl forecast`` says on the way, beside what happens.

    python -m benchmarks.forecast --kills 60 --seed 1

Each cgroup fills within ``--seconds``; at a quarter, a half and three quarters of the way the installed command has
watched for an eighth of that. Needs root, a writable memory cgroup (v1 or v2) and /dev/kmsg. Prints for every kind of
leak how often the real time lay in the interval, how far the time was off, and whether the victim was the one.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.kernel_live.leaks import Leaker, leaking
from tests.kernel_live.memcgs import ToyCgroup, toy_cgroup, why_impossible
from tests.vm.forecasts import MIB, WAYS, Forecast, Trial, misses, summary
from tests.vm.guest.kills import Kills

PROJECT = Path(__file__).parents[1]
KINDS = ("linear", "linear", "steps", "teeth", "race", "forks", "cache", "bursts")
LOOKS = 30
_MOST_MIB = 2000


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
                    forecasts.append(Forecast(way, time.monotonic(), seconds / 8 / LOOKS, said))
        while kills.first(cgroup.path) is None and time.monotonic() < begun + 3 * seconds:
            time.sleep(0.02)
        found = kills.first(cgroup.path)
    return None if found is None else Trial(f"--seed {seed}: {leakers}", kind, tuple(forecasts), *found)


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
    print("\n".join((*summary(trials), *misses(trials))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
