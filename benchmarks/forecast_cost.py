"""What it costs to watch for ``oomctl forecast``: CPU a look, and memory after many.

    python -m benchmarks.forecast_cost --processes 10000 --looks 30

The looks follow one another without a pause, so an hour of them is there soon. The crowd rests, as most processes do.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

from benchmarks.crowds import NoCrowd, crowd
from oomctl.procfs.growth import MOST_MOMENTS, Watch
from oomctl.procfs.machine import machine_procfs


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--processes", type=int, default=10_000, help="in the crowd (default: 10000)")
    parser.add_argument("--looks", type=int, default=30, help="how many (default: 30)")
    arguments = parser.parse_args()
    try:
        with crowd("spread", arguments.processes):
            watch(arguments.looks)
    except NoCrowd as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def watch(looks: int) -> None:
    """Print what the looks cost this process."""
    seen = Watch([None])
    before, first = peak_mib(), 0.0
    begun = time.process_time()
    for number in range(looks):
        seen.look(machine_procfs(), time.monotonic())
        first = first or time.process_time() - begun
        if seen.looks >= MOST_MOMENTS:
            seen.thin()
        if number in (0, looks - 1):
            print(f"after {number + 1} looks: {peak_mib() - before:.1f} MiB more than before", flush=True)
    rest = time.process_time() - begun - first
    print(f"first look {first * 1000:.0f} ms of CPU, each other one {rest / max(looks - 1, 1) * 1000:.0f} ms")


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
