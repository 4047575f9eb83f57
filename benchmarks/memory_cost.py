"""Memory of one command: its peak RSS, and the least memory cgroup in which it still answers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from benchmarks.commands import BARE_PYTHON, IMPORT_CLICK, OOMCTL, PS, SIMULATE, TOP, tab
from benchmarks.crowds import crowd
from benchmarks.fresh_copies import FreshCopies, fresh_copies
from benchmarks.least_cgroup import least_cgroup
from benchmarks.pairs import WIDTH
from benchmarks.toy import reset_adj, toy
from tests.kernel_live.memcgs import why_impossible

HEAD = f"{'memory, MiB':<{WIDTH}} {'peak RSS':>10} {'least cgroup:':>14} {'cached elsewhere':>17} {'not cached':>11}"
PEAK = """
import os, sys
nothing = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
_, status, usage = os.wait4(os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=nothing), 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def commands(toy_pid: int) -> dict[str, tuple[str, ...]]:
    pid = str(toy_pid)
    return {
        "top --once -n 20": TOP,
        "top --once, as a table": (*OOMCTL, "top", "--once", "--format", "table"),
        "top --json": (*OOMCTL, "top", "--json"),
        "simulate": (*OOMCTL, "simulate"),
        "simulate --json": SIMULATE,
        "explain PID": (*OOMCTL, "explain", pid),
        "explain --json PID": (*OOMCTL, "explain", "--json", pid),
        "check": (*OOMCTL, "check", "--format", "checkmk"),
        "metrics": (*OOMCTL, "metrics"),
        "snapshot": (*OOMCTL, "snapshot"),
        "explain s<TAB>": tab("oomctl explain s"),
        "set 100 PID": (*OOMCTL, "set", "100", pid),
        "protect --level 0 PID": (*OOMCTL, "protect", "--level", "0", pid),
        "ps, all of them": PS,
        "choom -p PID": ("choom", "-p", pid),
        "python -S -c pass": BARE_PYTHON,
        "python -c 'import click'": IMPORT_CLICK,
    }


def memory(processes: int) -> None:
    """Print a row for each command."""
    with crowd("tiny", processes), toy() as pid, copies_if_possible() as copies:
        print(f"\n{HEAD}   among {everybody()} on the whole machine")
        for name, words in commands(pid).items():
            reset_adj(pid)
            print(f"{name:<{WIDTH}} {peak_mib(words):>10}", end="", flush=True)
            if copies is not None:
                reset = partial(reset_adj, pid)
                cached = least_cgroup(words, [reset])
                fresh = least_cgroup((*copies.enter, *words), [reset, copies.forget])
                print(f" {'':>14} {_mib(cached):>17} {_mib(fresh):>11}", end="")
            print(flush=True)


def everybody() -> int:
    return sum(map(str.isdigit, os.listdir("/proc")))


@contextmanager
def copies_if_possible() -> Iterator[FreshCopies | None]:
    """Copies to run in cgroups; None, and why, where no cgroup can be made."""
    reason = why_impossible()
    if reason is not None:
        print(f"no least cgroups: {reason}")
        yield None
        return
    with fresh_copies(["ps", "choom", "env"]) as copies:
        yield copies


def peak_mib(words: Sequence[str]) -> str:
    """Return the peak RSS of the largest process of one run, or below which it is.

    A process inherits the peak of the one that starts it, so that is a bare Python.
    """
    starter = [sys.executable, "-I", "-S", "-c", PEAK]
    peak, least = (
        int(subprocess.run([*starter, *run], capture_output=True, text=True, check=True).stdout) / 1024
        for run in (words, ["true"])
    )
    return f"{peak:.1f}" if peak > least * 1.05 else f"< {least:.1f}"


def _mib(limit: int | None) -> str:
    return "none" if limit is None else f"{limit / (1 << 20):.2f}"
