"""What oomctl costs among real processes, beside the commands that people would use instead, in one table.

    python -m benchmarks.speed [--processes 10000] [--runs 7] [--only SECTION]...

Both commands of a row run in turn. Times are medians in ms, ratios the median of the pairs' with the least and the
greatest. CPU is user and system time with that of the workers. Sections: kinds (crowds of all kinds), growth (with
the number of processes), workers (how many read at once), start, memory (needs root for the least cgroups), answers
(one question among all, by every kind of target), live (the refreshing view beside htop and top).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from functools import partial

from benchmarks import live_cost
from benchmarks.answers import answers
from benchmarks.commands import IMPORT_CLICK, OOMCTL, PS, SIMULATE, TOP
from benchmarks.crowds import KINDS, NoCrowd, crowd
from benchmarks.memory_cost import memory
from benchmarks.pairs import HEAD, Cost, compare, compare_costs, cost, cost_until
from benchmarks.toy import reset_adj, toy

FEW = 300
FRONT = """
import sys, time
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from oomctl.procfs import survey
from oomctl.procfs.reader import Procfs
def cpu():
    return sum(usage.ru_utime + usage.ru_stime for usage in map(getrusage, (RUSAGE_SELF, RUSAGE_CHILDREN)))
before, started = cpu(), time.perf_counter()
survey.machine_front(Procfs(cpus=int(sys.argv[1])), 20)
print(time.perf_counter() - started, cpu() - before)
"""


def kinds(processes: int, runs: int) -> None:
    for kind, name in KINDS.items():
        try:
            with crowd(kind, processes):
                compare(f"top -n 20, {name} | ps", TOP, PS, runs)
                compare(f"simulate --json, {name} | ps", SIMULATE, PS, runs)
        except NoCrowd as problem:
            print(f"not {name}: {problem}")


def growth(processes: int, runs: int) -> None:
    for count in (processes // 100, processes // 10, processes, 3 * processes):
        try:
            with crowd("alike", count):
                compare(f"top -n 20, {count} | ps", TOP, PS, runs)
        except NoCrowd as problem:
            print(f"not {count}: {problem}")


def workers(processes: int, runs: int) -> None:
    """Only the survey, without the start of Python, beside the same with one worker."""
    with crowd("tiny", processes):
        for count in (1, 2, 4, 8):
            title = f"survey, {count} workers | one"
            compare_costs(title, partial(survey_cost, count), partial(survey_cost, 1), runs)


def survey_cost(cpus: int) -> Cost:
    run = subprocess.run([sys.executable, "-c", FRONT, str(cpus)], capture_output=True, text=True, check=True)
    return Cost(*map(float, run.stdout.split()))


def start(_processes: int, runs: int) -> None:
    """What it takes to begin, among few."""
    with crowd("tiny", FEW), toy() as pid:
        compare("--version | import click", (*OOMCTL, "--version"), IMPORT_CLICK, runs)
        for name, words in {"top --once": TOP, "simulate --json": SIMULATE}.items():
            compare(f"{name} | import click", words, IMPORT_CLICK, runs)
            compare(f"{name} | ps", words, PS, runs)
            compare(f"{name} | choom -p 1", words, ("choom", "-p", "1"), runs)
            if shutil.which("earlyoom"):
                early = partial(cost_until, ("earlyoom", "--dryrun"), b"mem avail")
                compare_costs(f"{name} | earlyoom --dryrun", partial(cost, words), early, runs)
        for change in (("set", "100"), ("protect", "--level", "0")):
            words = (*OOMCTL, *change, str(pid))
            change_cost = partial(changing_cost, pid, words)
            compare_costs(f"{' '.join(change)} PID | import click", change_cost, partial(cost, IMPORT_CLICK), runs)


def changing_cost(pid: int, words: tuple[str, ...]) -> Cost:
    reset_adj(pid)
    return cost(words)


def both_memories(processes: int, _runs: int) -> None:
    memory(FEW)
    if processes > FEW:
        memory(processes)


def live(processes: int, _runs: int) -> None:
    with crowd("alike", processes):
        live_cost.compare(2.0, 10)
        live_cost.keys(40)


SECTIONS = {
    "kinds": kinds,
    "growth": growth,
    "workers": workers,
    "start": start,
    "memory": both_memories,
    "answers": answers,
    "live": live,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--only", action="append", choices=SECTIONS, help="may be given several times")
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed command has its bytecode
    os.environ["PYTHONPATH"] = os.getcwd()  # also for those that begin in another directory
    with tempfile.TemporaryDirectory() as state:
        os.environ["XDG_STATE_HOME"] = state  # for the journal
        print(HEAD)
        for name in options.only or SECTIONS:
            print(f"\n{name}, {FEW if name == 'start' else options.processes} processes", flush=True)
            try:
                SECTIONS[name](options.processes, options.runs)
            except NoCrowd as problem:
                print(f"not {name}: {problem}")


if __name__ == "__main__":
    main()
