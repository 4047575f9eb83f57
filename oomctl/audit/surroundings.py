"""Checks of what surrounds the kernel's choice: settings, swap, other killers, and how much can be seen from here."""

from __future__ import annotations

from collections.abc import Iterator

from oomctl.audit import remedies
from oomctl.audit.facts import Look
from oomctl.model.audit import Enrolled, Finding, Severity
from oomctl.model.kernel import Task
from oomctl.render.text import count, named, visible

KILLERS = {"earlyoom": "earlyoom", "systemd-oomd": "systemd-oomd", "nohang": "nohang", "oomd": "oomd"}
"""Units of those that kill in userspace, by comm."""
_ENDS = {"systemd-oomd": "mask"}
"""What keeps one away for good: the service manager of each person who logs in would start systemd's own again."""
_SYSRQ_ALL, _SYSRQ_SIGNAL = 1, 64  # SYSRQ_ENABLE_SIGNAL, include/linux/sysrq.h
_ADD_SWAP = (
    "fallocate -l 1G /swapfile && chmod 600 /swapfile && mkswap /swapfile && swapon /swapfile"
    " && echo '/swapfile none swap sw 0 0' >> /etc/fstab"
)


def overcommit_strict(look: Look) -> Iterator[Finding]:
    """Yield that allocations fail before the killer has anything to do."""
    if look.settings.overcommit_memory == 2:
        yield Finding(
            "overcommit-strict",
            Severity.INFO,
            "vm.overcommit_memory is 2: allocations fail at a limit of the machine's (CommitLimit), mostly before"
            " anybody is killed",
            remedies.sysctl("vm.overcommit_memory", 0),
        )


def no_swap(look: Look) -> Iterator[Finding]:
    """Yield that systemd-oomd watches swap of which there is none."""
    if not look.swaps and any(one.comm == "systemd-oomd" for one in look.roll.listed):
        yield Finding(
            "no-swap",
            Severity.INFO,
            "systemd-oomd runs and there is no swap: it goes by swap first, and acts late or never without",
            _ADD_SWAP,
        )


def zram_only(look: Look) -> Iterator[Finding]:
    """Yield that what is swapped out stays in RAM."""
    if look.swaps and all(swap.name.startswith("/dev/zram") for swap in look.swaps):
        yield Finding(
            "zram-only",
            Severity.INFO,
            "all swap is zram, which takes RAM itself: a killer that waits for swap to fill comes late",
            _ADD_SWAP,
        )


def other_killer(look: Look) -> Iterator[Finding]:
    """Yield who kills before the kernel does; several of them get in each other's way."""
    # Anybody can call himself earlyoom, and have root stop the real killer: a service is what systemd says it is.
    services = {comm: main for comm, unit in KILLERS.items() if (main := look.mains.get(f"{unit}.service"))}
    called = {one.comm: one for one in reversed(look.roll.listed) if one.comm in KILLERS}
    killers: dict[str, Enrolled | Task] = {**called, **services}
    if not killers:
        return
    names = " and ".join(map(named, killers.values()))
    ended = [f"systemctl {_ENDS.get(comm, 'disable')} --now {KILLERS[comm]}.service" for comm in sorted(services)[1:]]
    several = len(services if look.runs_systemd else killers) > 1
    yield Finding(
        "other-killer",
        Severity.WARNING if several else Severity.INFO,
        f"{names} {'runs' if len(killers) == 1 else 'run'}{', each with rules of its own: keep one' if several else ''}"
        "; it kills before the kernel"
        " does, and not by the kernel's rule",
        " && ".join(ended) if ended else None,
        pids=frozenset(one.pid for one in killers.values()),
    )


def no_task_dump(look: Look) -> Iterator[Finding]:
    """Yield that reports will not say who was there."""
    if not look.settings.oom_dump_tasks:
        yield Finding(
            "no-task-dump",
            Severity.INFO,
            "vm.oom_dump_tasks is 0: the kernel's reports have no table of processes, so no kill can be explained",
            remedies.sysctl("vm.oom_dump_tasks", 1),
        )


def sysrq_oom(look: Look) -> Iterator[Finding]:
    """Yield that the killer cannot be asked for by hand."""
    value = look.settings.sysrq
    if value is not None and value != _SYSRQ_ALL and not value & _SYSRQ_SIGNAL:
        yield Finding(
            "sysrq-oom",
            Severity.INFO,
            f"kernel.sysrq is {value}: on a machine that hangs, Alt+SysRq+F cannot ask for a kill",
            remedies.sysctl("kernel.sysrq", value | _SYSRQ_SIGNAL),
        )


def hidden(look: Look) -> Iterator[Finding]:
    """Yield that not everybody can be seen, so that nothing is certain."""
    number = look.scenario.hidden
    if number:
        are = "is" if number == 1 else "are"
        yield Finding(
            "hidden",
            Severity.WARNING,
            f"{count(number, 'process', 'processes')} {are} hidden from here ({look.hidden_why}): no prediction is"
            " certain, and no check has seen them",
            "sudo oomctl check",
        )


def foreign_proc(look: Look) -> Iterator[Finding]:
    """Yield that /proc is not this place's."""
    if look.shows_another_namespace:
        yield Finding(
            "foreign-proc",
            Severity.CRITICAL,
            "/proc is that of another PID namespace: its numbers mean other processes here",
            "mount -t proc proc /proc",
        )


def no_capability(look: Look) -> Iterator[Finding]:
    """Yield that root cannot lower anything here."""
    if look.capability is not None:
        who, what_helps = look.capability
        yield Finding(
            "no-capability",
            Severity.INFO,
            f"nothing can be protected from here, which takes CAP_SYS_RESOURCE: {visible(who)}; {visible(what_helps)}",
            None,
        )


def other_oomctl(look: Look) -> Iterator[Finding]:
    """Yield that sudo starts the other program of this name."""
    if look.asked.other_oomctl is not None:
        yield Finding("other-oomctl", Severity.INFO, visible(look.asked.other_oomctl), None)
