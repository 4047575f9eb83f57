"""The least memory cgroup in which a command still answers (root; cgroup v1 or v2)."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence

from benchmarks.crowds import JOIN
from tests.kernel_live.memcgs import toy_cgroup

STEP = 256 << 10
MOST = 128 << 20
TRIES = 2
PATIENCE = 5
"""So many times as long as without a limit it may take. One that has to read its own code again and again is no use."""


def least_cgroup(words: Sequence[str], before: Sequence[Callable[[], None]]) -> int | None:
    """Return the least limit in bytes, to 256 KiB, with which a command succeeds twice in time; None: above 128 MiB.

    Each of ``before`` is called before each run. The command first runs without a limit, so that its files are cached
    and charged elsewhere, unless one of ``before`` drops them.
    """
    started = time.perf_counter()
    subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    longest = max(PATIENCE * (time.perf_counter() - started), 1.0)
    fails, succeeds = 0, MOST // STEP
    if not _answers(words, MOST, before, longest):
        return None
    while succeeds - fails > 1:
        middle = (fails + succeeds) // 2
        if all(_answers(words, middle * STEP, before, longest) for _ in range(TRIES)):
            succeeds = middle
        else:
            fails = middle
    return succeeds * STEP


def _answers(words: Sequence[str], limit: int, before: Sequence[Callable[[], None]], longest: float) -> bool:
    """Whether it ends well in a new cgroup with this limit, within ``longest`` seconds."""
    for call in before:
        call()
    with toy_cgroup(limit) as cgroup:
        command = ["sh", "-c", JOIN, str(cgroup.procs), *words]
        quiet = subprocess.DEVNULL
        with subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet) as process:
            try:
                return process.wait(longest) == 0
            except subprocess.TimeoutExpired:
                process.kill()
                return False
