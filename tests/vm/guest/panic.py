"""panic_on_oom: the guest is expected to panic, and to say so on its console."""

from __future__ import annotations

import os

from tests.vm.guest import boot, report
from tests.vm.guest.judge import Judge, ask


def main() -> None:
    """Mode 1 spares a cgroup's OOM and panics when the machine runs out; 2 panics for a cgroup too."""
    mode = int(boot.parameter("mode"))
    judge = Judge()
    boot.write("/sys/fs/cgroup/cgroup.subtree_control", "+memory")
    os.mkdir("/sys/fs/cgroup/small")
    boot.write("/sys/fs/cgroup/small/memory.max", str(16 << 20))
    boot.write("/sys/fs/cgroup/small/memory.swap.max", "0")
    judge.make({"cgroup": "/small", "anon": 500})
    filler = judge.make({"cgroup": "/small", "anon": 10, "adj": -1000})
    boot.write("/proc/sys/vm/panic_on_oom", str(mode))
    machine, cgroup = ask("simulate", "--json").document, ask("simulate", "--json", "--cgroup", "/small").document
    report.send("predicted", machine=machine.get("outcome"), cgroup=cgroup.get("outcome"))
    report.drain()
    filler.order("grow-until-kill", 20)
    report.send("survived", what="cgroup")
    report.drain()
    hog = judge.make({"anon": 10, "adj": -1000})
    hog.grow_until_kill()
    report.send("survived", what="machine")
