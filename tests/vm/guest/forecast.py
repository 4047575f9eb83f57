"""Leaks until the kernel kills, forecast on the way: of the machine's memory, and under limits of memory cgroups (v2).

Limits of cgroups are run into at the same time, as one forecast speaks of them all; the machine's one by one.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NamedTuple

from tests.vm.guest import boot, report, swap, toys
from tests.vm.guest.judge import ask
from tests.vm.guest.kills import MACHINE, Kills
from tests.vm.guest.memory import FILES, PAGE, left_pages

_MIB = 1 << 20
_RANDOM = random.Random(int(boot.parameter("seed", "1")))
_ROOT = "/sys/fs/cgroup"
_FILES_DISK = "/dev/vdb"
_WAYS = (0.25, 0.5, 0.75)
_WATCHED = 5
"""A forecast watches for one part in so many of the time to the limit."""
_LOOKS = 20
_STARTED_WITHIN = 1.0
"""Seconds to the first look; all that is needed is imported already."""
_SPREAD = (0.85, 1.3)
"""Limits of cgroups are reached so soon at the earliest and at the latest, as parts of the time meant, lest the kernel
leave out some of many reports at once."""
_PATIENCE = 4
"""Nobody was killed in so many times the time to the limit: then nobody is."""
_SWAP_BYTES = 256 << 20
_MACHINES_SWAP_BYTES = 32 << 20
_FILLED = "/filled"
"""Where all are who fill the machine; it has no limit."""
_PROGRAM_MIB = 6
"""Of a leaker that holds nothing yet."""


class Leak(NamedTuple):
    """One process, as ``leak.py`` is told."""

    kind: str
    share: float = 0.0
    """Of the rate; 0: it does not grow."""
    size_mib: int = 0
    adj: int = 0


class Situation(NamedTuple):
    leaks: tuple[Leak, ...]
    swap_mib: int = 0
    """Of a cgroup's ``memory.swap.max``, and of the room besides that of RAM."""
    nested: bool = False
    """They are in a cgroup inside of the one with the limit, which has wider limits of its own."""


_SMALL, _LARGE = Leak("rest", size_mib=4), Leak("rest", size_mib=16)
_LINEAR, _STEPS, _TEETH = (Leak(kind, 1, 4) for kind in ("linear", "steps", "teeth"))
LIMITS = {
    "limit, linear": Situation((_LINEAR, _LARGE)),
    "limit, steps": Situation((_STEPS, _LARGE)),
    "limit, teeth": Situation((_TEETH, _SMALL)),
    "limit, race": Situation((Leak("linear", 0.6, 2), Leak("linear", 0.4, 12), _SMALL)),
    "limit, forks": Situation((Leak("forks", 1, 12), _SMALL)),
    "limit, cache": Situation((_LINEAR, Leak("cache"), _SMALL)),
    "limit, adj -900": Situation((Leak("linear", 1, 4, -900), _LARGE, _SMALL)),
    "limit, adj 800": Situation((_LINEAR, Leak("rest", size_mib=4, adj=800))),
    "limit, swap": Situation((_LINEAR, _LARGE), swap_mib=16),
    "limit, swap, race": Situation((Leak("linear", 0.7, 2), Leak("linear", 0.3, 12)), swap_mib=12),
    "limit above": Situation((_LINEAR, _LARGE), nested=True),
    "limit above, swap": Situation((_LINEAR, _LARGE), swap_mib=12, nested=True),
}
MACHINES = {
    "machine, adj -1000, swap": Situation(
        (Leak("linear", 1, 4, -1000), Leak("rest", size_mib=24), _SMALL), swap_mib=32
    ),
}
"""What each guest plays; the others only with ``oomctl.all``."""
MORE_MACHINES = {
    "machine, linear": Situation((_LINEAR, _LARGE)),
    "machine, race, swap": Situation((Leak("linear", 0.6, 2), Leak("linear", 0.4, 8), _SMALL), swap_mib=32),
    "machine, steps": Situation((_STEPS, _LARGE)),
    "machine, teeth": Situation((_TEETH, _SMALL)),
    "machine, race": Situation((Leak("linear", 0.6, 2), Leak("linear", 0.4, 8), _SMALL)),
    "machine, forks": Situation((Leak("forks", 1, 12), _SMALL)),
    "machine, cache": Situation((_LINEAR, Leak("cache"), _SMALL)),
    "machine, adj 800": Situation((_LINEAR, Leak("rest", size_mib=4, adj=800))),
    "machine, linear, swap": Situation((_LINEAR, _LARGE), swap_mib=32),
    "machine, teeth, swap": Situation((_TEETH, _SMALL), swap_mib=32),
    "machine, adj -900, swap": Situation((Leak("linear", 1, 4, -900), _LARGE), swap_mib=32),
    "machine, linear, zram": Situation((_LINEAR, _LARGE), swap_mib=32),
}


def main() -> None:
    seconds, rounds = float(boot.parameter("seconds", "36")), int(boot.parameter("rounds", "1"))
    os.mkdir(FILES)
    boot.mount("ext4", FILES, source=_FILES_DISK)
    boot.write(f"{_ROOT}/cgroup.subtree_control", "+memory")
    toys.lock_memory()  # or its own would come and go, with nothing left
    ask("forecast", "--over", "0.3", "--every", "0.02", "--json")  # the first one imports everything
    kills = Kills(_end)
    for _ in range(rounds):
        swap.shrink(_SWAP_BYTES)
        swap.on()
        _limits(kills, seconds)
        swap.off()
        for kind, situation in {**MACHINES, **(MORE_MACHINES if boot.parameter("all") == "1" else {})}.items():
            if boot.wanted(kind):
                _machine(kills, kind, situation, seconds)


class _Asked(NamedTuple):
    way: float
    moment: float
    """Of the last look, at the earliest: nothing takes as long here as the reckoning behind that."""
    answered: float
    slack: float
    """The last look may have been so much later, or less."""
    limits: dict[str, Any]
    """By their scope."""


def _asked(kills: Kills, scopes: Sequence[str], seconds: float) -> Iterator[_Asked]:
    """Ask on the way, until somebody has died in each of ``scopes``, or nobody does."""
    begun = time.monotonic()
    over = seconds / _WATCHED
    for way in _WAYS:
        time.sleep(max(begun + way * seconds - over - time.monotonic(), 0))
        if all(kills.first(scope) for scope in scopes):
            return
        asked = time.monotonic()
        answer = ask("forecast", "--json", "--over", f"{over:.3f}", "--every", f"{over / _LOOKS:.3f}")
        answered = time.monotonic()
        if answer.status not in (0, 1):
            report.send("error", text=f"forecast ended with {answer.status}: {answer.stderr}")
        limits = {limit["scope"]: limit for limit in answer.document.get("limits", [])}
        moment = asked + float(answer.document.get("over_seconds", over))
        yield _Asked(way, moment, answered, min(answered - moment, _STARTED_WITHIN), limits)
    while not all(kills.first(scope) for scope in scopes) and time.monotonic() < begun + _PATIENCE * seconds:
        time.sleep(0.05)


def _tell(kind: str, scope: str, kills: Kills, asked: Sequence[_Asked], leaks: Sequence[Leak]) -> None:
    killed = kills.first(scope)
    forecasts = [
        {"way": one.way, "moment": one.moment, "slack": one.slack, "limit": one.limits[scope]}
        for one in asked
        if scope in one.limits and (killed is None or one.answered < killed.moment)
    ]
    name = ", ".join(f"{one.kind} {one.share:.1f} {one.size_mib} MiB adj {one.adj}" for one in leaks)
    died = {} if killed is None else {"killed_at": killed.moment, "victim": killed.pid}
    report.send("forecast", kind=kind, name=name, forecasts=forecasts, **died)


def _limits(kills: Kills, seconds: float) -> None:
    """Fill a cgroup for each kind at the same time."""
    kinds = [(kind, situation) for kind, situation in LIMITS.items() if boot.wanted(kind)]
    step = (_SPREAD[1] - _SPREAD[0]) / max(len(kinds) - 1, 1)
    times = [seconds * (_SPREAD[0] + number * step) for number in range(len(kinds))]
    _RANDOM.shuffle(times)
    scopes = [f"/limit{number}" for number in range(len(kinds))]
    kills.forget()
    with ExitStack() as stack:
        started: list[subprocess.Popen[bytes]] = []
        for (_, situation), scope, its_seconds in zip(kinds, scopes, times):
            rate = _RANDOM.uniform(0.7, 1.2)
            inside = stack.enter_context(_cgroups(scope, situation))
            started += [stack.enter_context(_started(one, rate, inside)) for one in situation.leaks]
            _await_ready(started[-len(situation.leaks) :])
            room = int(rate * its_seconds - situation.swap_mib)
            boot.write(f"{_ROOT}{scope}/memory.max", str(_usage(scope) + room * _MIB))
        _go(started)
        asked = list(_asked(kills, scopes, seconds))
        for (kind, situation), scope in zip(kinds, scopes):
            _tell(kind, scope, kills, asked, situation.leaks)


@contextmanager
def _cgroups(scope: str, situation: Situation) -> Iterator[str]:
    """Make the cgroup with the limit, and yield the one where its members are."""
    inside = f"{scope}/inside" if situation.nested else scope
    os.mkdir(_ROOT + scope)
    boot.write(f"{_ROOT}{scope}/memory.swap.max", str(situation.swap_mib * _MIB))
    if situation.nested:
        boot.write(f"{_ROOT}{scope}/cgroup.subtree_control", "+memory")
        os.mkdir(_ROOT + inside)
        boot.write(f"{_ROOT}{inside}/memory.max", str(_SWAP_BYTES))
    try:
        yield inside
    finally:
        _end(scope)
        for path in dict.fromkeys((inside, scope)):
            _remove(_ROOT + path)


def _end(scope: str) -> None:
    """Let nobody of those who filled that limit go on, and have others killed."""
    boot.write(f"{_ROOT}{_FILLED if scope == MACHINE else scope}/cgroup.kill", "1")


def _remove(directory: str) -> None:
    deadline = time.monotonic() + toys.UNHURRIED_SECONDS
    while True:
        try:
            os.rmdir(directory)
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _machine(kills: Kills, kind: str, situation: Situation, seconds: float) -> None:
    """Fill the machine."""
    device = _swap_on(kind, situation)
    rate = _RANDOM.uniform(2, 4)
    kills.forget()
    with ExitStack() as stack:
        inside = stack.enter_context(_cgroups(_FILLED, situation._replace(swap_mib=1 << 20)))
        started = [stack.enter_context(_started(one, rate, inside)) for one in situation.leaks]
        _await_ready(started)
        hog = left_pages() * PAGE // _MIB - int(rate * seconds) - _PROGRAM_MIB
        started.append(stack.enter_context(_started(Leak("rest", size_mib=hog, adj=-1000), 0, inside)))
        _await_ready(started[-1:])
        _go(started)
        asked = list(_asked(kills, [MACHINE], seconds))
        _tell(kind, MACHINE, kills, asked, situation.leaks)
    if device is not None:
        swap.off(device)


def _swap_on(kind: str, situation: Situation) -> str | None:
    if not situation.swap_mib:
        return None
    if kind.endswith("zram"):
        boot.write("/sys/block/zram0/reset", "1")
        device = swap.zram(_MACHINES_SWAP_BYTES)
    else:
        device = swap.DISK
        swap.shrink(_MACHINES_SWAP_BYTES)
    swap.on(device)
    return device


@contextmanager
def _started(one: Leak, rate_mib: float, cgroup: str) -> Iterator[subprocess.Popen[bytes]]:
    procs = f"{_ROOT}{cgroup}/cgroup.procs"
    words = [one.kind, f"{one.share * rate_mib:.3f}", procs, str(one.size_mib), str(one.adj)]
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "leak.py")
    command = [sys.executable, "-I", "-S", "-B", program, *words]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, bufsize=0, env={"TMPDIR": FILES}) as process:
        try:
            yield process
        finally:
            process.kill()


def _await_ready(started: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in started:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise RuntimeError("a leaker did not start")


def _go(started: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in started:
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # killed already
            process.stdin.write(b"\n")


def _usage(scope: str) -> int:
    with open(f"{_ROOT}{scope}/memory.current", encoding="ascii") as file:
        return int(file.read())
