"""Places to ask from: namespaces of PIDs and of cgroups, and a /proc that hides processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.kernel_live.memcgs import ToyCgroup
from tests.privileges import NOBODY

ROOT = Path(__file__).parent.parent.parent

_SURVEY = """
import json, sys
from oomctl.procfs import survey
from oomctl.procfs.reader import Procfs
found, _ = survey.memcg(Procfs(), sys.argv[1])
doubts = [doubt.kind.value for doubt in found.doubts]
print(json.dumps({"pids": [task.pid for task in found.tasks], "hidden": found.hidden, "doubts": doubts}))
"""
_REACH = """
import json, os, sys
from oomctl.procfs.reach import reach
from oomctl.procfs.reader import Procfs
procfs = Procfs()
found = reach(procfs, procfs.task(int(sys.argv[1]) or os.getpid()))
doubts = [doubt.kind.value for doubt in found.doubts]
print(json.dumps({"memcgs": [limit.memcg for limit in found.limits], "doubts": doubts}))
"""
_TOY = """
import os, sys, time
with open(sys.argv[1], "w") as file:
    file.write("0")
memory = bytearray(int(sys.argv[2]))
memory[::4096] = b"x" * len(memory[::4096])
print(os.getpid(), flush=True)
time.sleep(600)
"""

_IN_CGROUP = 'echo 0 > "$0" && exec "$@"'
HOSTS_PROC = ("unshare", "--pid", "--fork", "--kill-child", "sh", "-c", '"$@"; exit $?', "sh")
"""A PID namespace of its own, with the host's /proc."""
OWN_PROC = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", '"$@"; exit $?', "sh")


class Survey(NamedTuple):
    """What is seen of a cgroup."""

    pids: list[int]
    hidden: int
    doubts: list[str]


class Limits(NamedTuple):
    """Whose limits are seen above a process, the nearest first; None is the machine."""

    memcgs: list[str | None]
    doubts: list[str]


def hiding(how: int) -> tuple[str, ...]:
    """As nobody, with a /proc that hides other users' processes."""
    mount = f'mount -t proc -o hidepid={how} proc /proc && exec "$@"'
    return ("unshare", "--mount", "sh", "-c", mount, "sh", *NOBODY)


def in_cgroup(cgroup: ToyCgroup) -> tuple[str, ...]:
    """As a member of a cgroup."""
    return ("sh", "-c", _IN_CGROUP, str(cgroup.procs))


def cgroup_namespace(cgroup: ToyCgroup, mount_point: str) -> tuple[str, ...]:
    """As a member of a cgroup that is the root of a namespace, and mounted as such."""
    kind = "cgroup -o memory" if cgroup.version == 1 else "cgroup2"
    mount = f'mount --make-rprivate / && umount {mount_point} && mount -t {kind} none {mount_point} && exec "$@"'
    return (*in_cgroup(cgroup), "unshare", "--cgroup", "--mount", "sh", "-c", mount, "sh")


def container(cgroup: ToyCgroup, root: Path, with_cgroups: bool = True) -> tuple[str, ...]:
    """In a chroot with namespaces of PIDs and cgroups; the host's /proc is at /mnt/proc, its cgroups at /mnt/cgroup."""
    inside = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'
    mounting = [
        'mount --make-rprivate / && mount --rbind / "$0" && umount --recursive "$0/sys/fs/cgroup"',
        'mount -t tmpfs none "$0/mnt" && mkdir "$0/mnt/proc" "$0/mnt/cgroup" && mount --rbind /proc "$0/mnt/proc"',
        *(['mount --rbind /sys/fs/cgroup "$0/mnt/cgroup"'] if with_cgroups else []),
        f"exec unshare --pid --cgroup --fork --kill-child sh -c '{inside}'",
    ]
    script = " && ".join(mounting) + ' "$0" "$@"'
    return (*in_cgroup(cgroup), "unshare", "--mount", "sh", "-c", script, str(root))


def survey_from(before: Sequence[str], path: str) -> Survey:
    """Look at a cgroup from another place."""
    return Survey(**_said(before, _SURVEY, path))


def limits_from(before: Sequence[str], pid: int = 0) -> Limits:
    """Look at the limits above a process from another place; 0: above the one that looks."""
    return Limits(**_said(before, _REACH, str(pid)))


def _said(before: Sequence[str], script: str, *argv: str) -> dict[str, Any]:
    command = [*before, sys.executable, "-c", script, *argv]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    if ran.returncode:
        raise RuntimeError(ran.stderr)
    said: dict[str, Any] = json.loads(ran.stdout)
    return said


class Inside(NamedTuple):
    """A toy that is alone in a PID namespace of its own, as its PID 1."""

    pid: int
    """Out here."""
    place: tuple[str, ...]
    """Before a command that looks from there."""


@contextmanager
def inside(cgroup: ToyCgroup, size_bytes: int) -> Iterator[Inside]:
    """Start a toy in the cgroup and in a PID namespace with its own /proc."""
    before = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    command = [*before, sys.executable, "-I", "-S", "-c", _TOY, str(cgroup.procs), str(size_bytes)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        pid = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
        yield Inside(pid, ("nsenter", f"--pid=/proc/{pid}/ns/pid", f"--mount=/proc/{pid}/ns/mnt"))
    finally:
        process.kill()
        process.communicate(timeout=60)
