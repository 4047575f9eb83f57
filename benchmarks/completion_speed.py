"""Time a TAB among a thousand processes against `python -c 'import click'`, in turn, in one run.

    python -m benchmarks.completion_speed [--processes 1000] [--runs 21]

The goal is at most 2.5 times as long, also for the commands that import most (policy, history). Prints medians and
their ratio. Modules must have been compiled, as an installation does: PYTHONDONTWRITEBYTECODE must not be set.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

from benchmarks.crowds import crowd

LINES = (
    "oomctl ",
    "oomctl top --",
    "oomctl explain ",
    "oomctl explain 1",
    "oomctl explain s",
    "oomctl explain user:",
    "oomctl set ",
    "oomctl simulate --set s",
    "oomctl policy explain s",
    "oomctl history --",
)
TAB = "import sys; sys.argv = ['oomctl']; from oomctl.__main__ import main; main()"


def seconds(code: str, line: str = "") -> float:
    env = {**os.environ, "_OOMCTL_COMPLETE": "bash_complete", "OOMCTL_LINE": line}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], env=env, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=21)
    options = parser.parse_args()
    print(f"{'':<26} {'oomctl':>8} {'click':>8}  ratio, medians of {options.runs}")
    with crowd("tiny", options.processes):
        for line in LINES:
            seconds(TAB, line)  # warm up
            pairs = [(seconds(TAB, line), seconds("import click")) for _ in range(options.runs)]
            ours, click = (statistics.median(column) for column in zip(*pairs))
            print(
                f"{line + '<TAB>':<26} {ours * 1000:5.0f} ms, import click {click * 1000:4.0f} ms: {ours / click:.2f}"
            )


if __name__ == "__main__":
    main()
