"""Writing oom_score_adj where everything is allowed and where something is not, and a kill that heeds it."""

from __future__ import annotations

import ctypes
import traceback
from collections.abc import Callable, Iterator

from tests.vm.guest import boot, confined, report
from tests.vm.guest.judge import Answer, Judge, ask
from tests.vm.guest.toys import Toy, is_alive

_CAPGET, _CAPSET = 125, 126  # arch/x86/entry/syscalls/syscall_64.tbl
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_SYS_RESOURCE = 1 << 24
_MS_RDONLY, _MS_REMOUNT = 1, 32
_NOT_PERMITTED = 4
_LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    judge = Judge()
    for check in CHECKS:
        try:
            wrong = list(check(judge))
        except Exception:
            wrong = [traceback.format_exc()]
        report.send("check", name=check.__name__.strip("_"), passed=not wrong, detail="\n".join(wrong))
        judge.clear()


def _protected_is_spared(judge: Judge) -> Iterator[str]:
    """The one that would die is protected: the kernel takes the next."""
    first, second = _first_and_second(judge)
    answer = ask("protect", "--json", str(first.pid))
    yield from _expect(answer, first, (0, -1000, "changed"))
    yield from _expect_victims(answer, first, second)
    if _adj(first) != -1000:
        yield f"oom_score_adj is {_adj(first)}"
    judge.compare("protected", (), boot.sysrq_f, sudden=True)
    if not first.alive or second.alive:
        yield f"protected {first.pid} alive: {first.alive}; {second.pid} alive: {second.alive}"


def _protected_by_name(judge: Judge) -> Iterator[str]:
    """A daemon and a child that it forked for a session: the daemon alone is protected, the child taken."""
    daemon = judge.make({"anon": 3000, "comm": "sshd", "child": 1000})
    answer = ask("protect", "sshd", "--json")
    yield from _expect(answer, daemon, (0, -1000, "changed"))
    left_alone = [process["pid"] for process in answer.document.get("left_alone", [])]
    if len(left_alone) != 1 or left_alone == [daemon.pid]:
        yield f"left alone: {left_alone}, expected the daemon's child"
    judge.compare("protected by name", (), boot.sysrq_f, sudden=True)
    if not daemon.alive or is_alive(left_alone[0]):
        yield f"{daemon.pid} alive: {daemon.alive}; its child {left_alone[0]} alive: {is_alive(left_alone[0])}"


def _lowered_is_spared(judge: Judge) -> Iterator[str]:
    first, second = _first_and_second(judge)
    answer = ask("set", "-500", str(first.pid), "--json")
    yield from _expect(answer, first, (0, -500, "changed"))
    yield from _expect_victims(answer, first, second)
    judge.compare("set -500", (), boot.sysrq_f, sudden=True)
    if not first.alive or second.alive:
        yield f"lowered {first.pid} alive: {first.alive}; {second.pid} alive: {second.alive}"


def _raised_is_taken(judge: Judge) -> Iterator[str]:
    first, second = _first_and_second(judge)
    answer = ask("sacrifice", str(second.pid), "--json")
    yield from _expect(answer, second, (0, 1000, "changed"))
    judge.compare("sacrificed", (), boot.sysrq_f, sudden=True)
    if second.alive or not first.alive:
        yield f"sacrificed {second.pid} alive: {second.alive}; {first.pid} alive: {first.alive}"


def _dry_run_writes_nothing(judge: Judge) -> Iterator[str]:
    first, second = _first_and_second(judge)
    answer = ask("protect", "--dry-run", "--json", str(first.pid))
    yield from _expect(answer, first, (0, -1000, "dry-run"))
    if _adj(first) != 0:
        yield f"oom_score_adj is {_adj(first)}"
    judge.compare("dry run", (), boot.sysrq_f, sudden=True)
    if first.alive or not second.alive:
        yield "the kernel did not take the one that was left unprotected"


def _floor_without_the_capability(judge: Judge) -> Iterator[str]:
    """Down to the last privileged value, and not below it."""
    toy = judge.make({"anon": 100, "adj": 300})
    for adj, status in ((600, 0), (300, 0), (299, _NOT_PERMITTED), (-1000, _NOT_PERMITTED)):
        answer = confined.ask_in(_drop_capability, "set", str(adj), str(toy.pid), "--json")
        if answer.status != status:
            yield f"set {adj}: status {answer.status}, {answer.stderr}"
        if status and "CAP_SYS_RESOURCE" not in answer.stderr:
            yield f"set {adj}: {answer.stderr!r} does not name the capability"
    if _adj(toy) != 300:
        yield f"oom_score_adj is {_adj(toy)}"


def _floor_with_the_capability(judge: Judge) -> Iterator[str]:
    """There is none; and what is written becomes the floor of others."""
    toy = judge.make({"anon": 100, "adj": 300})
    for adj in (-900, 200):
        answer = ask("set", str(adj), str(toy.pid), "--json")
        if answer.status or _adj(toy) != adj:
            yield f"set {adj}: status {answer.status}, {answer.stderr}, it is {_adj(toy)}"
    answer = confined.ask_in(_drop_capability, "set", "200", str(toy.pid))
    if answer.status:
        yield f"the floor itself was refused: {answer.stderr}"
    answer = confined.ask_in(_drop_capability, "set", "199", str(toy.pid))
    if answer.status != _NOT_PERMITTED:
        yield f"below the floor: status {answer.status}"


def _user_namespace(judge: Judge) -> Iterator[str]:
    """Root of another user namespace is nobody here."""
    toy = judge.make({"anon": 100, "adj": 0})
    answer = confined.ask_in(confined.enter_user_namespace, "protect", str(toy.pid), "--json")
    yield from _expect_denial(answer, toy, 0, "user namespace")


def _read_only_proc(judge: Judge) -> Iterator[str]:
    toy = judge.make({"anon": 100, "adj": 0})
    answer = confined.ask_in(_make_proc_read_only, "protect", str(toy.pid), "--json")
    yield from _expect_denial(answer, toy, 0, "read-only")


def _plain_user(judge: Judge) -> Iterator[str]:
    toy = judge.make({"anon": 100, "adj": 0})
    answer = confined.ask_in(confined.become_plain_user, "set", "500", str(toy.pid), "--json")
    yield from _expect_denial(answer, toy, 0, "uid 0")


def _hidepid(judge: Judge) -> Iterator[str]:
    """Who cannot see the others is told how many there are, and does not take the rest for all."""
    toys = [judge.make({"anon": 1000, "adj": 500}) for _ in "123"]

    def confine() -> None:
        confined.hide_processes()
        confined.become_plain_user()

    hidden = int(confined.ask_in(confine, "top", "--once", "--json").document.get("hidden_processes", 0))
    if hidden < len(toys):
        yield f"{hidden} hidden processes, of which {len(toys)} are toys"
    answer = confined.ask_in(confine, "simulate", "--json")
    if (answer.document.get("victim") or {}).get("pid") in {toy.pid for toy in toys}:
        yield "a hidden process was named"
    if answer.document.get("certainty") == "certain" and answer.document.get("victim"):
        yield f"certain of {answer.document['victim']['pid']} while {hidden} processes are hidden"


CHECKS: tuple[Callable[[Judge], Iterator[str]], ...] = (
    _protected_is_spared,
    _protected_by_name,
    _lowered_is_spared,
    _raised_is_taken,
    _dry_run_writes_nothing,
    _floor_without_the_capability,
    _floor_with_the_capability,
    _user_namespace,
    _read_only_proc,
    _plain_user,
    _hidepid,
)


def _first_and_second(judge: Judge) -> tuple[Toy, Toy]:
    first = judge.make({"anon": 4000})
    second = judge.make({"anon": 2500})
    judge.make({"anon": 1000})
    return first, second


def _expect(answer: Answer, toy: Toy, change: tuple[int, int, str]) -> Iterator[str]:
    """Compare before, after and status of a change that went well."""
    changes = [found for found in answer.document.get("changes", []) if found["pid"] == toy.pid]
    said = [(found["before"], found["after"], found["status"]) for found in changes]
    if answer.status or said != [change]:
        yield f"status {answer.status}; {said}, expected {change}; {answer.stderr}"


def _expect_victims(answer: Answer, before: Toy, after: Toy) -> Iterator[str]:
    said = [(answer.document.get(name) or {}).get("pid") for name in ("victim_before", "victim_after")]
    if said != [before.pid, after.pid]:
        yield f"victims before and after {said}, expected {[before.pid, after.pid]}"


def _expect_denial(answer: Answer, toy: Toy, adj: int, word: str) -> Iterator[str]:
    if answer.status != _NOT_PERMITTED or word not in answer.stderr or _adj(toy) != adj:
        yield f"status {answer.status}, adj {_adj(toy)}, {answer.stderr!r} should name {word!r}"


def _adj(toy: Toy) -> int:
    with open(f"/proc/{toy.pid}/oom_score_adj", encoding="ascii") as file:
        return int(file.read())


def _drop_capability() -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; low words, then high words
    confined.checked(_LIBC.syscall(_CAPGET, header, sets), "capget")
    for index in range(3):
        sets[index] &= ~_CAP_SYS_RESOURCE
    confined.checked(_LIBC.syscall(_CAPSET, header, sets), "capset")


def _make_proc_read_only() -> None:
    confined.own_mounts()
    flags = ctypes.c_ulong(_MS_REMOUNT | confined.BIND | _MS_RDONLY)
    confined.checked(_LIBC.mount(b"proc", b"/proc", None, flags, None), "mount")
