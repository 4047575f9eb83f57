"""Two commands in turn, so that whatever else the machine does meets both; printed as one row of a table."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

WIDTH = 52
HEAD = f"{'':<{WIDTH}} {'oomctl':>7} {'other':>7} {'times as fast':>18} {'CPU':>7} {'other':>7} {'times as cheap':>18}"


class Cost(NamedTuple):
    """Seconds that a command took."""

    wall: float
    cpu: float
    """User and system, of the process and of the children it waited for."""


def cost(words: Sequence[str]) -> Cost:
    """Run a command with nothing on stdin and its output thrown away. CalledProcessError if it fails."""
    nothing = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
    ]
    started = time.perf_counter()
    pid = os.posix_spawnp(words[0], list(words), os.environ, file_actions=nothing)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - started
    if status:
        raise subprocess.CalledProcessError(os.waitstatus_to_exitcode(status), list(words))
    return Cost(wall, usage.ru_utime + usage.ru_stime)


def cost_until(words: Sequence[str], sign: bytes) -> Cost:
    """As ``cost``, of a program that does not end by itself, until it writes ``sign``."""
    started = time.perf_counter()
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        while line := process.stdout.readline():
            if sign in line:
                break
        wall = time.perf_counter() - started
        process.kill()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if not line:
        raise subprocess.CalledProcessError(process.returncode, list(words))
    return Cost(wall, usage.ru_utime + usage.ru_stime)


def compare(title: str, ours: Sequence[str], theirs: Sequence[str], runs: int) -> None:
    """Run two commands in turn and print the row; the first run of each does not count."""
    compare_costs(title, lambda: cost(ours), lambda: cost(theirs), runs)


def compare_costs(title: str, ours: Callable[[], Cost], theirs: Callable[[], Cost], runs: int) -> None:
    """Print medians in ms, and the median, least and greatest of the ratios of each pair; or what failed."""
    try:
        ours(), theirs()
        pairs = [(ours(), theirs()) for _ in range(runs)]
    except subprocess.CalledProcessError as error:
        print(f"{title:<{WIDTH}} failed: {error}", flush=True)
        return
    print(f"{title:<{WIDTH}} {_cells([(mine.wall, other.wall) for mine, other in pairs])}", end=" ")
    print(_cells([(mine.cpu, other.cpu) for mine, other in pairs]), flush=True)


def _cells(pairs: Sequence[tuple[float, float]]) -> str:
    mine, other = (statistics.median(column) * 1000 for column in zip(*pairs))
    ratios = sorted(other / mine for mine, other in pairs)
    ratio = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f}..{ratios[-1]:.2f})"
    return f"{mine:7.0f} {other:7.0f} {ratio:>18}"
