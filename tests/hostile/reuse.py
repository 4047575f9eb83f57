"""Reuses PIDs at will in a PID namespace of its own, and counts writes that reach another process than the one meant.

``python -m tests.hostile.reuse HOW REUSES`` below ``unshare --pid --fork --mount-proc``. In every second reuse both
processes are to start within one tick of the clock that start times are measured in; it goes on until more than a
quarter of REUSES did. HOW is what lies between the look and
the write: ``identity`` (a look at one process, then a write, as ``policy watch`` does), ``number`` (``oomctl set ADJ
PID``), ``name`` (``oomctl set ADJ NAME``; the newcomer has another name).
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from typing import NamedTuple, NoReturn

from oomctl.changes.writing import Meant, write
from oomctl.procfs.identity import identity
from oomctl.procfs.reader import Procfs
from oomctl.procfs.writer import write_adj
from oomctl.targets.matching import matching
from oomctl.targets.selection import Scope
from oomctl.targets.trust import UnitFacts
from oomctl.targets.words import parse_target

_HZ = os.sysconf("SC_CLK_TCK")
_ADJ = 300


class Count(NamedTuple):
    reuses: int
    same_tick: int
    wrong: int
    vanished: int


def main() -> None:
    how, wanted = sys.argv[1], int(sys.argv[2])
    assert os.getpid() < 10, "not in a PID namespace of its own"
    sys.stdout.write(" ".join(map(str, count(how, wanted))) + "\n")


def count(how: str, wanted: int) -> Count:
    _before_others()
    procfs = Procfs()
    reuses = same_tick = wrong = vanished = 0
    # On a busy machine a tick may be over before the other process is there.
    while reuses < wanted or same_tick <= wanted // 4:
        one_tick = reuses % 2 == 0
        if one_tick:
            _wait_for_a_tick()
        first = _child("zz-meant")
        with procfs.held([first] if how == "number" else []):
            seen = identity(procfs, first)
            assert seen is not None
            _end(first)
            if not one_tick:
                time.sleep(1.5 / _HZ)
            _hand_out_next(first)
            second = _child("zz-meant" if how != "name" else "zz-other")
            if second != first:
                _end(second)
                continue
            now = identity(Procfs(), second)
            assert now is not None
            reuses += 1
            same_tick += now.start_ticks == seen.start_ticks
            if how == "identity":
                status = write_adj(procfs, seen, _ADJ).status
            else:
                target = parse_target("zz-meant" if how == "name" else str(first))
                assert how == "number" or matching([target], [seen], None)[target]
                status = write(procfs, Meant(seen, _ADJ, target, UnitFacts()), Scope()).status
        vanished += status == "vanished"
        wrong += procfs.adj(second) != 0
        _end(second)
    return Count(reuses, same_tick, wrong, vanished)


def _before_others() -> None:
    """Let no other process of the machine have the CPU: it would take longer than a tick to get it back."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -20)
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def _wait_for_a_tick() -> None:
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    time.sleep(max((int(now * _HZ) + 1) / _HZ - now + 0.0002, 0))


def _child(comm: str) -> int:
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        _live(comm, tell)
    os.close(tell)
    os.read(told, 1)
    os.close(told)
    return pid


def _live(comm: str, tell: int) -> NoReturn:
    try:
        descriptor = os.open("/proc/self/comm", os.O_WRONLY)
        os.write(descriptor, comm.encode())
        os.write(tell, b"!")
        while True:
            signal.pause()
    finally:
        os._exit(0)


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _hand_out_next(pid: int) -> None:
    with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as file:
        file.write(str(pid - 1))


if __name__ == "__main__":
    main()
