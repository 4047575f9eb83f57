"""Let `oomctl policy watch` and a loop of `pgrep` and `choom` each look after new processes in a storm of forks.

    python benchmarks/policy_watch.py [--seconds 60] [--forks 2000] [--nested 560]

With --nested another user has so many nested processes beside that, which a rule for trees matches and which rename
themselves five times a second; a first look is without them.

Prints how many of the processes that match had their value within 100 ms and 1 s of their start, CPU time, memory
at the start and the end, and what the kernel could not tell. Needs root (process events), pgrep and choom.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

NAME = "oomctl-bench"
NESTED = "oomctl-nested"
ADJ = 500
LIFE_SECONDS = 3
PAUSE_SECONDS = 0.01
STARTS_A_SECOND = 25
SHELLS = 2
STORM = "while read n; do i=0; while [ $i -lt $n ]; do (:); i=$((i+1)); done; done"
LOOP = f"while :; do for pid in $(pgrep -x {NAME}); do choom -p $pid -n {ADJ} >/dev/null 2>&1; done; sleep 1; done"
TICKS = os.sysconf("SC_CLK_TCK")


class Outcome(NamedTuple):
    waits: list[float | None]
    """Seconds until each process had its value; None if it never had it."""
    forks_a_second: float
    cpu_seconds: float
    rss_kb: tuple[int, int]


class Storm:
    """Shells that fork and wait for subshells, told every tick how many."""

    def __init__(self, forks_a_second: int) -> None:
        self._share = forks_a_second / SHELLS
        self._shells = [subprocess.Popen(["sh", "-c", STORM], stdin=subprocess.PIPE, text=True) for _ in range(SHELLS)]
        for shell in self._shells:
            assert shell.stdin is not None
            os.set_blocking(shell.stdin.fileno(), False)
        self._last = time.monotonic()

    def blow(self) -> None:
        now = time.monotonic()
        count = int(self._share * (now - self._last))
        if count:
            self._last = now
            for shell in self._shells:
                assert shell.stdin is not None
                with contextlib.suppress(BlockingIOError):  # it cannot keep up
                    os.write(shell.stdin.fileno(), f"{count}\n".encode())

    def end(self) -> None:
        for shell in self._shells:
            shell.kill()
            shell.communicate()


def measure(keeper: subprocess.Popen[str], binary: str, seconds: int, forks: int) -> Outcome:
    """Start matching processes in a storm and note when each has its value."""
    storm = Storm(forks)
    started: dict[int, float] = {}
    unset: dict[int, float] = {}
    waits: list[float | None] = []
    rss_before, cpu_before, forks_before = rss_kb(keeper.pid), cpu_seconds(keeper.pid), forks_so_far()
    begin = time.monotonic()
    try:
        while (now := time.monotonic()) < begin + seconds:
            storm.blow()
            if (now - begin) * STARTS_A_SECOND > len(waits) + len(unset):
                pid = os.posix_spawn(binary, [NAME, str(LIFE_SECONDS)], os.environ)
                started[pid] = unset[pid] = time.monotonic()
            waits += look(unset)
            reap(started)
            time.sleep(PAUSE_SECONDS)
        took = time.monotonic() - begin
    finally:
        storm.end()
    done = forks_so_far() - forks_before
    outcome = Outcome(waits, done / took, cpu_seconds(keeper.pid) - cpu_before, (rss_before, rss_kb(keeper.pid)))
    while started:
        reap(started)
        time.sleep(PAUSE_SECONDS)
    return outcome


def look(unset: dict[int, float]) -> Iterator[float | None]:
    for pid, since in list(unset.items()):
        try:
            is_set = Path(f"/proc/{pid}/oom_score_adj").read_text() == f"{ADJ}\n"
        except OSError:
            is_set = False
        wait = time.monotonic() - since
        if is_set or wait > LIFE_SECONDS - 0.5:
            del unset[pid]
            yield wait if is_set else None


def reap(started: dict[int, float]) -> None:
    for pid in list(started):
        if os.waitpid(pid, os.WNOHANG)[0]:
            del started[pid]


def rss_kb(pid: int) -> int:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])


def cpu_seconds(pid: int) -> float:
    """Of the process and those of its children that it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def forks_so_far() -> int:
    lines = Path("/proc/stat").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("processes"))


def show(name: str, outcome: Outcome) -> None:
    total = len(outcome.waits)
    known = sorted(wait for wait in outcome.waits if wait is not None)
    within = [100 * sum(wait <= limit for wait in known) / total for limit in (0.1, 1.0)]
    middle = f"{1000 * known[len(known) // 2]:.0f} ms" if known else "-"
    print(
        f"{name:14} {total} processes among {outcome.forks_a_second:.0f} forks/s: {within[0]:.1f} % within 100 ms,"
        f" {within[1]:.1f} % within 1 s, {total - len(known)} never, median {middle};"
        f" CPU {outcome.cpu_seconds:.1f} s; RSS {outcome.rss_kb[0]} -> {outcome.rss_kb[1]} KiB"
    )


@contextlib.contextmanager
def nested(depth: int) -> Iterator[None]:
    """Let another user attack what follows trees."""
    command = [sys.executable, str(Path(__file__).with_name("nested_attack.py")), str(depth), NESTED, "65534"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        first.stdout.readline()
        try:
            yield
        finally:
            first.kill()


def watched(binary: str, policy: str, options: argparse.Namespace, depth: int) -> None:
    """Measure `oomctl policy watch`, under attack by so many nested processes."""
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        file, log = Path(directory, "policy.toml"), Path(directory, "log")
        file.write_text(policy)
        command = [sys.executable, "-m", "oomctl", "policy", "watch", "-f", str(file)]
        with open(log, "w", encoding="utf-8") as stderr:
            watch = subprocess.Popen(command, stderr=stderr, text=True)
        while "event=started" not in log.read_text():
            time.sleep(PAUSE_SECONDS)
        if depth:
            stack.enter_context(nested(depth))
        time.sleep(1)
        outcome = measure(watch, binary, options.seconds, options.forks)
        before = time.monotonic()
        watch.send_signal(signal.SIGTERM)
        watch.wait()
        ended = time.monotonic() - before
        show(f"{depth} nested" if depth else "policy watch", outcome)
        print(f"ended {1000 * ended:.0f} ms after SIGTERM; load {Path('/proc/loadavg').read_text().split()[0]}")
        lines = log.read_text().splitlines()
        print(*(line for line in lines if line.startswith(("event=started", "event=stopped"))), sep="\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--forks", type=int, default=2000)
    parser.add_argument("--nested", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        binary = shutil.copy(shutil.which("sleep") or "", f"{directory}/{NAME}")
        trees = f'[[rule]]\ntarget = ["{NAME}", "{NESTED}"]\nadj = {ADJ}\nscope = "tree"\n'
        watched(binary, trees if options.nested else f'[[rule]]\ntarget = "{NAME}"\nadj = {ADJ}\n', options, 0)
        if options.nested:
            watched(binary, trees, options, options.nested)
            return

        loop = subprocess.Popen(["sh", "-c", LOOP], text=True, start_new_session=True)
        show("pgrep + choom", measure(loop, binary, options.seconds, options.forks))
        os.killpg(loop.pid, signal.SIGKILL)
        loop.wait()


if __name__ == "__main__":
    main()
