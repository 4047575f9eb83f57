"""What one question costs among many processes, against ``ps -ef``: explain, check, cgroups, targets, a TAB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.commands import OOMCTL, PS_EF, tab
from benchmarks.crowds import crowd
from benchmarks.pairs import compare
from benchmarks.toy import NAME, toy
from tests.kernel_live.memcgs import ToyCgroup, toy_cgroup, why_impossible

UNIT = "oomctl-bench.service"
ROOM = 64 << 20
"""How far the cgroups are from their limits: nearer than the machine is."""


def answers(processes: int, runs: int) -> None:
    """Print a row for each question."""
    reason = why_impossible()
    if reason is not None:
        print(f"no cgroups: {reason}")
        with crowd("tiny", processes), toy() as pid:
            rows(questions(pid), runs)
        return
    with (
        toy_cgroup() as everybody,
        toy_cgroup() as above,
        unit_cgroup(above) as (unit, files),
        crowd("tiny", processes, everybody.procs) as pids,
        toy() as pid,
    ):
        for file in files:
            file.write_text(str(pid))
        everybody.limit_bytes = everybody.usage_bytes + ROOM
        rows(questions(pid) | cgroup_questions(everybody.path, unit, pids[0]), runs)


@contextmanager
def unit_cgroup(above: ToyCgroup) -> Iterator[tuple[str, list[Path]]]:
    """A memory cgroup called as a unit's is, and what to write a PID to, so that it is in there and in the unit.

    On v1 systemd has a hierarchy of its own for units.
    """
    memory = above.child(UNIT)
    memory.limit_bytes = ROOM
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    systemds = [line.split()[1] for line in mounts if "name=systemd" in line]
    if not systemds:
        yield memory.path, [memory.procs]
        return
    directory = Path(systemds[0], UNIT)
    directory.mkdir()
    try:
        yield memory.path, [memory.procs, directory / "cgroup.procs"]
    finally:
        directory.rmdir()


def rows(questions: dict[str, tuple[str, ...]], runs: int) -> None:
    for name, words in questions.items():
        compare(f"{name} | ps -ef", words, PS_EF, runs)


def questions(toy_pid: int) -> dict[str, tuple[str, ...]]:
    pid = str(toy_pid)
    return {
        "explain PID": (*OOMCTL, "explain", pid),
        "explain NAME": (*OOMCTL, "explain", NAME),
        "set --dry-run 100 PID": (*OOMCTL, "set", "--dry-run", "100", pid),
        "set --dry-run 100 NAME": (*OOMCTL, "set", "--dry-run", "100", NAME),
        "set --dry-run 100 'cmd:NAME$'": (*OOMCTL, "set", "--dry-run", "100", f"cmd:{NAME}$"),
        "top NAME": (*OOMCTL, "top", "--once", NAME),
        "check": (*OOMCTL, "check", "--format", "checkmk"),
        "metrics": (*OOMCTL, "metrics"),
        "simulate --set NAME=100": (*OOMCTL, "simulate", "--set", f"{NAME}=100"),
        **{f"{line}<TAB>": tab(line) for line in ("oomctl explain ", "oomctl explain oomctl-b", "oomctl set 100 1")},
    }


def cgroup_questions(everybody: str, unit: str, member: int) -> dict[str, tuple[str, ...]]:
    """``everybody``: the path of the cgroup of all, PID ``member`` in it; ``unit``: that of the toy."""
    dry_run = (*OOMCTL, "set", "--dry-run", "100")
    return {
        "top --cgroup, of all": (*OOMCTL, "top", "--once", "-n", "20", "--cgroup", everybody),
        "simulate --cgroup, of all": (*OOMCTL, "simulate", "--cgroup", everybody),
        "simulate --cgroup, of one": (*OOMCTL, "simulate", "--cgroup", unit),
        "simulate --for PID, in that of all": (*OOMCTL, "simulate", "--for", str(member)),
        "simulate --for NAME, in that of one": (*OOMCTL, "simulate", "--for", NAME),
        "explain --cgroup PID, of all": (*OOMCTL, "explain", "--cgroup", everybody, str(member)),
        "explain UNIT": (*OOMCTL, "explain", UNIT),
        "explain cgroup:PATH, of one": (*OOMCTL, "explain", f"cgroup:{unit}"),
        "set --dry-run 100 UNIT": (*dry_run, UNIT),
        "set --dry-run 100 cgroup:PATH, of one": (*dry_run, f"cgroup:{unit}"),
    }
