"""Situations in a fake /proc, each with the one check that has to find it."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.commands.invoke import Ran, ask
from tests.proc_tree import CONTAINER, LISTENER, ProcTree

FULL = 819_200_000
"""Bytes of a limit of 200,000 pages."""
POD = "/kubepods.slice/kubepods-pod1.slice/cri-containerd-4f2a.scope"


class Situation(NamedTuple):
    make: Callable[[ProcTree], object]
    severity: str
    pids: tuple[int, ...] = ()
    remedy: str | None = None
    """With {cgroups} for where they are mounted; None where nothing that could be run would mend it."""
    asked: tuple[str, ...] = ()


def check(tree: ProcTree, *words: str) -> tuple[Ran, list[dict[str, Any]]]:
    ran = ask(tree, "check", "--json", *words)
    return ran, json.loads(ran.stdout)["findings"] if ran.stdout else []


def mend(tree: ProcTree, remedy: str) -> Ran:
    """Run a remedy as root's shell would: its oomctl on the fake /proc, all else in earnest.

    Files there keep what is behind a shorter number that is written, so oomctl says what it would write.
    """
    words = shlex.split(remedy)
    if words[0] == "oomctl":
        ran = ask(tree, *words[1:], "--dry-run", "--json")
        for change in json.loads(ran.stdout)["changes"]:
            tree.write(f"{change['pid']}/oom_score_adj", f"{change['after']}\n")
        return ran
    shell = subprocess.run(["sh", "-c", remedy], capture_output=True, text=True, timeout=60, check=False)
    return Ran(shell.returncode, shell.stdout, shell.stderr)


def _session(tree: ProcTree) -> None:
    tree.add(10, "sshd", adj=-1000, uid=0)
    tree.write("10/cmdline", LISTENER.replace(" ", "\0"))
    tree.add(20, "sshd-session", adj=-1000, uid=0, ppid=10, cgroup="0::/user.slice/user-1000.slice/session-3.scope\n")
    tree.add(21, "bash", adj=-1000, ppid=20, cgroup="0::/user.slice/user-1000.slice/session-3.scope\n")
    tree.add(22, "make", adj=-950, ppid=21, cgroup="0::/user.slice/user-1000.slice/session-3.scope\n")


def _inherited(tree: ProcTree) -> None:
    tree.add(30, "Xorg", adj=-500, uid=0)
    tree.add(31, "desktop", adj=-500, ppid=30)
    tree.add(32, "browser", adj=-500, ppid=31)
    tree.add(33, "other", ppid=31)
    # A service that runs as a person, and its worker: that value is its own.
    tree.add(34, "app", adj=-300, uid=1001, cgroup="0::/system.slice/app.service\n")
    tree.add(35, "app-worker", adj=-300, uid=1001, ppid=34, cgroup="0::/system.slice/app.service\n")


def _member(tree: ProcTree, pid: int, **how: Any) -> None:
    tree.add(pid, f"app{pid}", cgroup="0::/app\n", **how)


def _limited(tree: ProcTree, *adjs: int, **files: str) -> None:
    tree.mount_v2()
    for pid, adj in enumerate(adjs, start=40):
        _member(tree, pid, adj=adj)
    tree.cgroup("/app", tuple(range(40, 40 + len(adjs))), **{"memory__max": f"{FULL}\n", "memory__stat": "", **files})


def _grouped(tree: ProcTree, count: int) -> None:
    _limited(tree, *[0] * count, memory__max="max\n", memory__oom__group="1\n")


def _login_in_a_group(tree: ProcTree) -> None:
    tree.mount_v2()
    tree.add(40, "bash", cgroup="0::/user.slice/user-1000.slice/session-3.scope\n")
    tree.cgroup("/user.slice")
    tree.cgroup("/user.slice/user-1000.slice", memory__oom__group="1\n")
    tree.cgroup("/user.slice/user-1000.slice/session-3.scope", (40,))


def _container(tree: ProcTree) -> None:
    tree.mount_v2()
    tree.add(41, "nginx", adj=-1000, cgroup=f"0::{POD}\n", namespaces=CONTAINER)
    tree.add(42, "conmon", adj=-1000, uid=0, cgroup=f"0::{POD}\n")


def _hanging(tree: ProcTree) -> None:
    tree.mount_v1()
    tree.add(40, "app", cgroup="3:memory:/app\n")
    tree.cgroup(
        "/app",
        (40,),
        memory__limit_in_bytes=f"{FULL}\n",
        memory__oom_control="oom_kill_disable 1\nunder_oom 0\noom_kill 0\n",
    )


def _nearly_full(tree: ProcTree) -> None:
    files = {"memory__current": f"{FULL - 4096}\n", "memory__high": "max\n"}
    _limited(tree, 0, memory__stat="active_file 8192\n", **files)


def _heap(tree: ProcTree) -> None:
    _limited(tree, 0)
    tree.add(43, "java", uid=0, cgroup="0::/app\n")
    tree.write("43/cmdline", "java\0-Xmx512m\0-Xmx2g\0-jar\0a.jar\0")


def _futile(tree: ProcTree) -> None:
    tree.add(50, "hog", 300_000)
    tree.add(51, "pipewire", 1_000, adj=500)


def _user_service(tree: ProcTree) -> None:
    tree.add(50, "firefox", 100_000)
    service = "0::/user.slice/user-1000.slice/user@1000.service/session.slice/pipewire.service\n"
    tree.add(51, "pipewire", 10_000, adj=200, cgroup=service)


def _postgres(tree: ProcTree) -> None:
    tree.add(60, "postgres", uid=0)
    tree.add(61, "postgres", ppid=60)


def _protected_backends(tree: ProcTree) -> None:
    tree.add(60, "postgres", uid=0, adj=-900)
    tree.add(61, "postgres", ppid=60, adj=-900)
    tree.add(62, "postgres", ppid=60, adj=0)


def _setting(name: str, value: int) -> Callable[[ProcTree], object]:
    return lambda tree: tree.write(f"sys/{name}", f"{value}\n")


def _killers(*names: str) -> Callable[[ProcTree], object]:
    return lambda tree: [tree.add(70 + number, name, uid=0) for number, name in enumerate(names)]


def _swap(*names: str) -> Callable[[ProcTree], object]:
    lines = "".join(f"{name}\tpartition\t1048572\t\t0\t\t-2\n" for name in names)
    return lambda tree: tree.write("swaps", f"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n{lines}")


def _precious(tree: ProcTree) -> None:
    tree.add(80, "mysqld", 300_000, uid=0)
    tree.add(81, "other", 1_000)


SITUATIONS = {
    "session-protected": Situation(_session, "critical", (20, 21, 22), "oomctl reset --force 20 21 22"),
    "inherited-protection": Situation(_inherited, "warning", (31, 32), "oomctl reset 31 32"),
    "old-scale -17": Situation(
        lambda tree: tree.add(35, "cron", adj=-17, uid=0), "warning", (35,), "oomctl set -1000 35"
    ),
    "old-scale 15": Situation(lambda tree: tree.add(35, "cron", adj=15, uid=0), "warning", (35,), "oomctl set 1000 35"),
    "old-scale -8": Situation(lambda tree: tree.add(35, "cron", adj=-8, uid=0), "warning", (35,), "oomctl set -470 35"),
    "memcg-unkillable": Situation(
        lambda tree: _limited(tree, -1000, -1000), "critical", (40, 41), "oomctl protect --level -999 40 41"
    ),
    "memcg-exempt": Situation(
        lambda tree: _limited(tree, -1000, 0), "warning", (40,), "oomctl protect --level -999 40"
    ),
    "group-survivor": Situation(
        lambda tree: _limited(tree, 0, -1000, memory__max="max\n", memory__oom__group="1\n"),
        "warning",
        (41,),
        "oomctl protect --level -999 41",
    ),
    "group-blast of many": Situation(
        lambda tree: _grouped(tree, 101), "warning", tuple(range(40, 141)), "echo 0 > {cgroups}/app/memory.oom.group"
    ),
    "group-blast of a login": Situation(
        _login_in_a_group,
        "warning",
        (40,),
        "echo 0 > {cgroups}/user.slice/user-1000.slice/memory.oom.group",
    ),
    "container-unkillable": Situation(_container, "critical", (41,), "oomctl reset 41"),
    "v1-oom-disabled": Situation(_hanging, "critical", (40,), "echo 0 > {cgroups}/app/memory.oom_control"),
    "limit-near": Situation(_nearly_full, "warning", (40,), "echo 1024458752 > {cgroups}/app/memory.max"),
    "java-heap": Situation(_heap, "warning", (43,), "echo 2685403136 > {cgroups}/app/memory.max"),
    "futile-victim": Situation(_futile, "warning", (51,), "oomctl set 297 51"),
    "user-service-first": Situation(_user_service, "info", (51,), "oomctl reset 51"),
    "postgres-unguarded": Situation(_postgres, "warning", (60,), "oomctl protect --level -900 60"),
    "postgres-unguarded backends": Situation(_protected_backends, "warning", (61,), "oomctl reset 61"),
    "precious-next": Situation(
        _precious, "critical", (80,), "oomctl protect --level -900 80", asked=("--precious", "mysqld")
    ),
    "panic-on-oom 1": Situation(_setting("vm/panic_on_oom", 1), "warning", (), "sysctl vm.panic_on_oom=0"),
    "panic-on-oom 2": Situation(_setting("vm/panic_on_oom", 2), "critical", (), "sysctl vm.panic_on_oom=0"),
    "kill-allocating": Situation(
        _setting("vm/oom_kill_allocating_task", 1), "warning", (), "sysctl vm.oom_kill_allocating_task=0"
    ),
    "overcommit-strict": Situation(_setting("vm/overcommit_memory", 2), "info", (), "sysctl vm.overcommit_memory=0"),
    "no-task-dump": Situation(_setting("vm/oom_dump_tasks", 0), "info", (), "sysctl vm.oom_dump_tasks=1"),
    "sysrq-oom": Situation(_setting("kernel/sysrq", 438), "info", (), "sysctl kernel.sysrq=502"),
    "sysrq-oom 0": Situation(_setting("kernel/sysrq", 0), "info", (), "sysctl kernel.sysrq=64"),
    "other-killer": Situation(_killers("earlyoom"), "info", (70,)),
    "other-killer two": Situation(
        _killers("systemd-oomd", "earlyoom"),
        "warning",
        (70, 71),  # without systemd nobody says which of them are services
    ),
    "zram-only": Situation(_swap("/dev/zram0", "/dev/zram1"), "info", (), "fallocate"),
    "no-swap": Situation(_killers("systemd-oomd"), "info", (), "fallocate"),
}
"""By the id of the check, and a word where there are several."""
MENDED_HERE = ("oomctl", "echo")
"""Remedies that begin so can be tried on a fake /proc; the others are where the real ones are."""
