"""Time `oomctl top` and `oomctl simulate` against `ps` among thousands of real processes, in one run.

    python benchmarks/speed.py [--processes 10000] [--runs 7]

Prints medians, the ratio of medians, start-up time against `import click`, and peak memory.
Once the processes have sizes and adjs of their own, once they are all alike, so that every one of them ties.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

PS = ["ps", "-eo", "pid,oom,oomadj,rss,comm", "--sort=-oom"]
ROOM_TO_LEAVE_MIB = 4096
OOMCTL = [sys.executable, "-m", "oomctl"]
TOP = [*OOMCTL, "top", "--once", "-n", "20", "--format", "plain"]
SIMULATE = [*OOMCTL, "simulate", "--json"]


@contextmanager
def crowd(count: int, tie: bool) -> Iterator[None]:
    """Keep ``count`` small processes while the block runs: ``sleep``, or shells that hold a string of some size."""
    pids: list[int] = []
    chance = random.Random(1)
    never_answers, _ = os.pipe()
    as_stdin = [(os.POSIX_SPAWN_DUP2, never_answers, 0)]
    try:
        for number in range(count):
            if number % 100 == 0 and available_mib() < ROOM_TO_LEAVE_MIB:
                sys.exit(f"{number} processes leave less than {ROOM_TO_LEAVE_MIB} MiB of memory; ask for fewer")
            hold = f"x=$(printf %{chance.randrange(500_000)}s); read y"
            command = ["sleep", "infinity"] if tie else ["sh", "-c", hold]
            pids.append(os.posix_spawnp(command[0], command, {}, file_actions=as_stdin))
            if not tie:
                with open(f"/proc/{pids[-1]}/oom_score_adj", "w", encoding="ascii") as file:
                    file.write(str(chance.choice([0, 0, 0, 0, 100, 200, 300, 500])))
        time.sleep(2)  # let the last ones settle
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            os.waitpid(pid, 0)


def available_mib() -> int:
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) // 1024 for line in file if line.startswith("MemAvailable:"))


def seconds(command: Sequence[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def compare(title: str, ours: Sequence[str], theirs: Sequence[str], runs: int) -> None:
    """Run the two in turn and print both medians and their ratio."""
    seconds(ours), seconds(theirs)  # warm up
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(runs)]
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"{title:<46} {mine * 1000:8.0f} ms {other * 1000:8.0f} ms   {other / mine:5.2f} times as fast")


def peak_mib(command: Sequence[str]) -> float:
    """Return the peak RSS of one run in MiB."""
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    out = subprocess.run([sys.executable, "-S", "-c", code, *command], capture_output=True, text=True, check=True)
    return int(out.stdout) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if 0 < most < options.processes + 100:
        sys.exit(f"only {most} processes are allowed here")

    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed command has its bytecode
    print(f"{'':<46} {'oomctl':>11} {'other':>11}   medians of {options.runs}")
    compare("--version, against import click", [*OOMCTL, "--version"], [sys.executable, "-c", "import click"], 15)
    with crowd(300, tie=False):
        for name, command in (("top", TOP), ("top --json", [*OOMCTL, "top", "--json"]), ("simulate --json", SIMULATE)):
            print(f"peak memory of {name} at 300 processes: {peak_mib(command):.1f} MiB")
    for kind, tie in (("of all sizes", False), ("all alike", True)):
        with crowd(options.processes, tie):
            compare(f"top -n 20 among {options.processes} {kind}, against ps", TOP, PS, options.runs)
            compare(f"simulate among {options.processes} {kind}, against ps", SIMULATE, PS, options.runs)


if __name__ == "__main__":
    main()
