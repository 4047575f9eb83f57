"""oomctl asked in a container or as a user who sees little, judged by the log of the whole machine."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.vm.guest import boot, confined
from tests.vm.guest.confined import NEW_CGROUP, NEW_PIDS, ask_in
from tests.vm.guest.judge import Answer, Judge
from tests.vm.guest.toys import PAGE, Nursery, Recipe

_RANDOM = random.Random(int(boot.parameter("seed", "1")))
_ROOT = "/sys/fs/cgroup"
_GROUP = "/container"
_ASKER = "/asker"
"""Of who asks from a container beside that one."""
_PLAIN_USER = 1000
_SHOWN_BYTES = 96 << 20
"""What the container's own meminfo says that it has."""
_STEP = 16
_HOSTS = {"/proc": "/mnt/proc", _ROOT: "/mnt/cgroup"}
"""Where a container has what is the machine's."""
_MEANING_THE_HOST = ("--proc", _HOSTS["/proc"], "--cgroup-root", _HOSTS[_ROOT])


class Container(NamedTuple):
    """What the processes of a container do not share with the machine."""

    joined: tuple[str, ...] = ("mnt", "cgroup", "pid")
    """What who asks enters."""
    user: bool = False
    own_meminfo: bool = False
    own_proc: bool = True
    mounted: bool = False
    """The machine's /proc and cgroups are below /mnt, and those are asked about."""


def main() -> None:
    rounds = int(boot.parameter("rounds", "2"))
    boot.write(f"{_ROOT}/cgroup.subtree_control", "+memory")
    os.mkdir(_ROOT + _GROUP)
    os.mkdir(_ROOT + _ASKER)
    judge = Judge()
    for number, (name, container) in enumerate(KINDS.items()):
        if not boot.wanted(name):
            continue
        inside = Nursery(f"container{number}", lambda made=container: _enter(made))  # type: ignore[misc]
        for _ in range(rounds):
            _one(judge, name, inside, container)
            judge.clear()
            if container.own_proc:
                _one(judge, f"{name}, limit", inside, container, limited=True)
                judge.clear()
    for _ in range(rounds if boot.wanted(HIDDEN) else 0):
        _as_plain_user(judge)
        judge.clear()


def _enter(container: Container) -> None:
    """Leave the caller, PID 1 of a new container, behind."""
    boot.write(f"{_ROOT}{_GROUP}/cgroup.procs", "0")
    if container.user:
        confined.enter_user_namespace()
    confined.unshare(NEW_CGROUP | NEW_PIDS)
    confined.own_mounts()
    for source, place in _HOSTS.items() if container.mounted else ():
        os.makedirs(place, exist_ok=True)
        boot.mount("none", place, flags=confined.BIND, source=source)
    confined.go_on_in_a_child()
    if container.own_proc:
        boot.mount("proc", "/proc")
        boot.mount("tmpfs", _ROOT)  # the same file system may not be mounted upon itself
        boot.mount("cgroup2", _ROOT)
    if container.own_meminfo:
        path = f"/tmp/meminfo{os.getppid()}"  # noqa: S108 - the guest's own
        boot.write(path, _made_up_meminfo())
        boot.mount("none", "/proc/meminfo", flags=confined.BIND, source=path)


def _made_up_meminfo() -> str:
    """As lxcfs makes it of a container's limit."""
    shown = {"MemTotal": _SHOWN_BYTES, "MemFree": _SHOWN_BYTES // 2, "MemAvailable": _SHOWN_BYTES // 2}
    lines = []
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            name = line.partition(":")[0]
            lines.append(f"{name}:{shown[name] // 1024:>15} kB\n" if name in shown else line)
    return "".join(lines)


def _one(judge: Judge, name: str, inside: Nursery, container: Container, limited: bool = False) -> None:
    """Some toys in the container and some on the machine; with ``limited`` one of those is in its cgroup."""
    judge.toys += [inside.toy(_member()) for _ in range(4)]
    for _ in range(2):
        recipe = _member()
        if limited and _RANDOM.random() < 0.5:
            recipe["cgroup"] = _GROUP
        judge.make(recipe)
    member = judge.toys[0].pid

    def enter() -> None:
        if container.mounted:
            boot.write(f"{_ROOT}{_ASKER}/cgroup.procs", "0")
            confined.unshare(NEW_CGROUP)
        confined.join(member, *(["user"] if container.user else []), *container.joined)

    def place(*words: str) -> Answer:
        return _with_our_numbers(ask_in(enter, *(_MEANING_THE_HOST if container.mounted else ()), *words), container)

    if not limited:
        judge.compare(name, (), boot.sysrq_f, sudden=True, place=place)
        return
    filler = judge.nursery.toy({"cgroup": _GROUP, "anon": 10, "adj": -1000})
    with open(f"{_ROOT}{_GROUP}/memory.current", encoding="ascii") as file:
        limit = int(file.read()) + 300 * PAGE
    boot.write(f"{_ROOT}{_GROUP}/memory.max", str(limit))
    path = _GROUP if container.mounted else "/"
    judge.compare(name, ("--cgroup", path), lambda: filler.order("exhaust", _STEP), "memcg", place=place)
    boot.write(f"{_ROOT}{_GROUP}/memory.max", "max")
    filler.dismiss()


def _member() -> Recipe:
    """Size and adj make up for each other by one MemTotal, and not by another."""
    return {"anon": _RANDOM.randint(500, 5000), "adj": _RANDOM.choice((0, 0, 10, 25, 40))}


def _with_our_numbers(answer: Answer, container: Container) -> Answer:
    """Turn the PIDs of a container's own /proc into those of the machine."""
    if container.mounted or not container.own_proc:
        return answer
    ours = {numbers[-1]: numbers[0] for numbers in _numbers() if len(numbers) > 1}
    document = dict(answer.document)
    for key in ("victim", "contenders", "killed"):
        document[key] = _renumbered(document.get(key), lambda pid: ours.get(pid, pid))
    return answer._replace(document=document) if answer.document else answer


def _renumbered(found: Any, ours: Callable[[int], int]) -> Any:
    if isinstance(found, list):
        return [_renumbered(item, ours) for item in found]
    if isinstance(found, dict):
        return {**found, "pid": ours(found["pid"])}
    return ours(found) if isinstance(found, int) else found


def _numbers() -> list[list[int]]:
    """Of each process its PID here, and in each namespace down to its own."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/status", encoding="utf-8", errors="replace") as file:
                line = next(line for line in file if line.startswith("NSpid:"))
        except (OSError, StopIteration):
            continue
        found.append([int(number) for number in line.split()[1:]])
    return found


def _as_plain_user(judge: Judge) -> None:
    """Some toys are that user's; the others are hidden."""
    for _ in range(6):
        judge.make({**_member(), **({"uid": _PLAIN_USER} if _RANDOM.random() < 0.5 else {})})

    def confine() -> None:
        confined.hide_processes()
        confined.become_plain_user()

    judge.compare(HIDDEN, (), boot.sysrq_f, sudden=True, place=lambda *words: ask_in(confine, *words))


KINDS = {
    "container": Container(),
    "container, user": Container(user=True),
    "container, meminfo": Container(user=True, own_meminfo=True),
    "container, host's proc": Container(joined=("cgroup", "pid"), own_proc=False),
    "container, mounted": Container(joined=("mnt", "pid"), mounted=True),
}
HIDDEN = "container, hidepid"
