"""Who probably set an ``oom_score_adj``: what is known of programs, units and runtimes, as one table with sources.

The kernel does not record who wrote the value. What can be known is what oomctl itself set, what a unit
declares and what was inherited; the rest is the habits of programs, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Sequence
from typing import NamedTuple

from oomctl.kernel.badness import ADJ_MAX
from oomctl.model.kernel import Task
from oomctl.model.listing import Details
from oomctl.model.origin import Confidence, Origin, OriginKind

PROGRAM, UNIT, RUNTIME, KUBELET = OriginKind.PROGRAM, OriginKind.UNIT, OriginKind.RUNTIME, OriginKind.KUBELET
SURE, LIKELY, POSSIBLE = Confidence


class Facts(NamedTuple):
    """What is known of one process and could tell where its value comes from."""

    task: Task
    details: Details = Details()
    parent: Task | None = None
    source: Task | None = None
    """The highest ancestor up to which everybody has the parent's value."""
    declared: int | None = None
    """``OOMScoreAdjust=`` of its unit; None where no service manager says."""
    recorded: str | None = None
    """The command of oomctl that set this very value, if one did."""
    parent_set: str | None = None
    """The command of oomctl that gave the parent its value when the process was there already."""


class Ancestry:
    """Who started whom, as far up as ``look_up`` knows; each process is looked up once, whoever descends from it."""

    def __init__(self, look_up: Callable[[int], Task | None]) -> None:
        self._look_up = look_up
        self._parents: dict[int, Task | None] = {}
        self._sources: dict[int, Task] = {}

    def parent(self, task: Task) -> Task | None:
        """Return who started ``task``, or took it over; None when that is nobody, or out of sight."""
        if task.ppid not in self._parents:
            self._parents[task.ppid] = self._look_up(task.ppid) if task.ppid > 0 else None
        return self._parents[task.ppid]

    def source(self, task: Task) -> Task:
        """Return the highest of ``task`` and its ancestors up to which everybody has the same value."""
        line: dict[int, Task] = {}
        above: Task | None = task
        while above is not None and above.adj == task.adj and above.pid not in line:
            if above.pid in self._sources:
                highest = self._sources[above.pid]
                break
            line[above.pid] = highest = above
            above = self.parent(above)
        self._sources.update(dict.fromkeys(line, highest))
        return highest


class Known(NamedTuple):
    """A habit: who sets which values for which processes. What is empty matches everything."""

    kind: OriginKind
    """PROGRAM, UNIT, RUNTIME or KUBELET."""
    by: str
    values: Container[int]
    source: str
    comm: str = ""
    """Regular expressions, of the whole text."""
    unit: str = ""
    cgroup: str = ""
    cmdline: str = ""
    """Of its beginning."""
    parent: str = ""
    """comm of the parent."""
    confidence: Confidence = LIKELY


_POD = r".*[/-]kubepods.*"
_BURSTABLE, _BEST_EFFORT = (rf".*[/-]kubepods.*[/-]{qos}[/-].*" for qos in ("burstable", "besteffort"))
CONTAINER = r".*(/docker[/-]|/libpod-|/crio-|/cri-containerd-|/lxc[./]).*"
# Titles that OpenSSH gives its processes; before 9.8 a session has the listener's comm.
_LISTENER = r"(sshd: )?\S*/?sshd\b(?!: )"
_SESSION = r"sshd(-session|-auth)?: (?!\S*/sshd )\S"
_NOT_0 = (*range(-1000, 0), *range(1, 1001))


def _unit(name: str, value: int, source: str) -> Known:
    return Known(UNIT, f"OOMScoreAdjust={value} in the unit", (value,), source, unit=name)


# What a process does to itself, or what is done to exactly such a process. The first that fits is taken.
KNOWN: tuple[Known, ...] = (
    Known(
        PROGRAM,
        "sshd itself, for its listener; logins get back the value that sshd was started with",
        (-1000,),
        "OpenSSH: oom_adjust_setup(), since 2009",
        comm="sshd",
        cmdline=_LISTENER,
    ),
    Known(
        UNIT,
        "the value that sshd was started with, which every login inherits: OOMScoreAdjust= of the ssh unit",
        _NOT_0,
        "OpenSSH: oom_adjust_restore(); sshd-session since 9.8, sshd-auth since 10.0",
        cmdline=_SESSION,
    ),
    Known(KUBELET, "the kubelet, for the sandbox of a pod", (-998,), "Kubernetes: PodInfraOOMAdj", comm="pause"),
    Known(
        KUBELET, "the kubelet: pod of QoS class BestEffort", (1000,), "Kubernetes: qos/policy.go", cgroup=_BEST_EFFORT
    ),
    Known(
        KUBELET,
        "the kubelet: pod of QoS class Guaranteed, or critical to the node",
        (-997, -998),
        "Kubernetes: qos/policy.go; -998 in old versions",
        cgroup=_POD,
    ),
    Known(
        KUBELET,
        "the kubelet: pod of QoS class Burstable, 1000 - 1000 x memory request / capacity",
        range(2, 1000),
        "Kubernetes: qos/policy.go",
        cgroup=_BURSTABLE,
    ),
    Known(PROGRAM, "the kubelet itself", (-999,), "Kubernetes: KubeletOOMScoreAdj", comm="kubelet"),
    Known(PROGRAM, "kube-proxy itself", (-999,), "Kubernetes: KubeProxyOOMScoreAdj", comm="kube-proxy"),
    Known(RUNTIME, "containerd: its own value + 1", (-998,), "containerd: AdjustOOMScore()", comm="containerd-shim"),
    Known(RUNTIME, "conmon itself", (-1000,), "conmon: src/conmon.c", comm="conmon"),
    Known(UNIT, "OOMScoreAdjust=-500 in the unit, or dockerd itself", (-500,), "moby: docker.service", comm="dockerd"),
    Known(UNIT, "OOMScoreAdjust=-999 in the unit", (-999,), "containerd.service", comm="containerd"),
    Known(UNIT, "OOMScoreAdjust=-999 in the unit", (-999,), "crio.service", comm="crio"),
    Known(
        PROGRAM,
        "pg_ctlcluster, for the postmaster at every start; it gives its children PG_OOM_ADJUST_VALUE",
        (-900,),
        "Debian: postgresql-common",
        comm="postgres",
    ),
    Known(
        UNIT,
        "OOMScoreAdjust= in the unit or the start script, for the postmaster",
        (-1000,),
        "PostgreSQL manual: Linux memory overcommit",
        comm="postgres|postmaster",
    ),
    Known(
        PROGRAM,
        "PostgreSQL, for its children: PG_OOM_ADJUST_VALUE",
        _NOT_0,
        "PostgreSQL: fork_process(), since 9.5",
        comm="postgres",
        parent="postgres|postmaster",
    ),
    Known(
        PROGRAM,
        "redis itself: oom-score-adj-values 0 200 800",
        (200, 800),
        "redis.conf: oom-score-adj",
        comm="redis-server",
    ),
    Known(
        PROGRAM,
        "the browser, for a renderer",
        range(300, 1001),
        "Chromium: kLowestRendererOomScore",
        cmdline=r".*--type=renderer\b",
    ),
    Known(
        PROGRAM,
        "the browser, for a GPU or utility process",
        (200,),
        "Chromium: kMiscOomScore",
        cmdline=r".*--type=(gpu-process|utility)\b",
    ),
    Known(PROGRAM, "the browser, for a plugin", (100,), "Chromium: kPluginOomScore", cmdline=r".*--type=ppapi\b"),
    Known(
        PROGRAM,
        "Firefox, by what the process does: foreground 100, audible 133, background 167, preallocated 233",
        (100, 133, 167, 233),
        "Firefox: LinuxProcessPriority.cpp, since 2022",
        cmdline=r".*-contentproc\b",
    ),
    Known(
        UNIT,
        "OOMScoreAdjust=100 in user@.service: the user's own service manager",
        (100,),
        "systemd: user@.service, since v250",
        comm=r"systemd|\(sd-pam\)",
        unit=r"user@\d+\.service|init\.scope",
    ),
    Known(
        UNIT,
        "DefaultOOMScoreAdjust= of the user's service manager: its own 100, and 100 more",
        (200,),
        "systemd: since v250",
        cgroup=r".*/user@\d+\.service/.*",
    ),
    _unit(r"systemd-udevd\.service", -1000, "systemd: systemd-udevd.service"),
    _unit(r"systemd-journald(@.*)?\.service", -250, "systemd: systemd-journald.service"),
    _unit(r"systemd-oomd\.service", -900, "systemd: systemd-oomd.service"),
    _unit(r"systemd-coredump@.*\.service", 500, "systemd: systemd-coredump@.service"),
    _unit(r"dbus(-broker)?\.service", -900, "dbus.service, dbus-broker.service"),
    _unit(r"snapd\.service", -900, "snapd.service"),
    _unit(r"dm-event\.service", -1000, "LVM2: dm-event.service"),
    _unit(r"usbguard\.service", -1000, "usbguard.service"),
    _unit(r"earlyoom\.service", -100, "earlyoom.service"),
    _unit(r"ananicy(-cpp)?\.service", -999, "ananicy.service"),
    _unit(r"netdata\.service", -900, "Debian: netdata.service"),
    _unit(r"nix-daemon\.service", 250, "srvos: NixOS module"),
    Known(PROGRAM, "netdata itself", (1000,), "netdata#2036", comm="netdata"),
    Known(PROGRAM, "the watchdog daemon itself", (-1000,), "watchdog(8)", comm="watchdog"),
    Known(PROGRAM, "multipathd itself", (-1000,), "multipathd(8)", comm="multipathd"),
    Known(PROGRAM, "atop itself", (-999, -1000), "atop: various.c; -1000 before 2023", comm="atop(acctd)?"),
    Known(PROGRAM, "slurmd, for its step daemon", (-999,), "Slurm: STEPD_OOM_ADJ", comm="slurmstepd"),
    Known(PROGRAM, "stress-ng itself (--oomable leaves it)", (1000,), "stress-ng", comm="stress-ng.*"),
    Known(RUNTIME, "snapd, by resilience.vitality-hint", range(-899, -799), "snapd: vitality.go", unit=r"snap\..*"),
)

# What is only believed when the value was not inherited.
KNOWN_STARTERS: tuple[Known, ...] = (
    Known(
        RUNTIME,
        "the container runtime: --oom-score-adj, or oomScoreAdj of its configuration",
        _NOT_0,
        "OCI runtime specification: process.oomScoreAdj",
        cgroup=CONTAINER,
        parent="containerd-shim|conmon|dockerd|lxc-start|docker-containe",
    ),
    Known(PROGRAM, "Ananicy's rule OOM_NO_KILL, or its like", (-1000,), "Ananicy", comm="Xorg", confidence=POSSIBLE),
)

# Children that are given 0 again although their parent is protected.
RESET: tuple[Known, ...] = (
    Known(PROGRAM, "PostgreSQL, which gives its children 0", (0,), "PostgreSQL: fork_process()", comm="postgres"),
    Known(
        PROGRAM,
        "sshd, which gives logins the value that it was started with",
        (0,),
        "OpenSSH: oom_adjust_restore(); sshd-session since 9.8, sshd-auth since 10.0",
        comm="sshd(-session|-auth)?",
    ),
    Known(PROGRAM, "udevd, which gives its workers 0", (0,), "systemd: udevd", comm=r"\(?udev-worker\)?|systemd-udevd"),
    Known(RUNTIME, "conmon, which gives the container its old value", (0,), "conmon: src/conmon.c", parent="conmon"),
    Known(RUNTIME, "the container runtime", (0,), "runc, crun: process.oomScoreAdj", parent="containerd-shim"),
)


def origin(facts: Facts) -> Origin:
    """Say who probably set the value of ``facts.task``, and how sure that is."""
    task = facts.task
    own = _own(facts)
    if own is not None:
        return own
    parent = facts.parent
    if task.adj == 0:
        if parent is None or parent.adj == 0 or facts.parent_set is not None:
            return Origin(OriginKind.DEFAULT, "the kernel's default, or a reset to it", LIKELY, "kernel: init_task")
        return _first(RESET, facts) or Origin(
            OriginKind.UNKNOWN,
            f"set to 0 again below {_name(parent)}, or started before that had its value",
            POSSIBLE,
            None,
        )
    if parent is not None and parent.adj == task.adj:
        return _as_its_parent(facts, parent)
    starter = _first(KNOWN_STARTERS, facts)
    if starter is not None:
        return starter
    who = "root or a service, for a value below 0 takes privilege" if task.adj < 0 else "its owner or root"
    return Origin(OriginKind.UNKNOWN, f"nobody that oomctl knows: {who}", POSSIBLE, None)


def _as_its_parent(facts: Facts, parent: Task) -> Origin:
    if facts.parent_set is not None:
        by = f"set after its start, by whom is not recorded; {_name(parent)} got the same value later"
        return Origin(OriginKind.UNKNOWN, by, POSSIBLE, None)
    by = f"inherited from {_name(facts.source or parent)}, which has the same value"
    # The ends of the scale are what people write, and to many processes at once.
    confidence = POSSIBLE if abs(facts.task.adj) == ADJ_MAX else LIKELY
    return Origin(OriginKind.INHERITED, by, confidence, "kernel: copy_signal()")


def _own(facts: Facts) -> Origin | None:
    """What was set for this very process; None when nothing says so."""
    if facts.recorded is not None:
        return Origin(OriginKind.OOMCTL, f"oomctl {facts.recorded}", SURE, "oomctl's journal")
    adj = facts.task.adj
    if adj != 0 and facts.declared == adj:
        return Origin(UNIT, f"OOMScoreAdjust={adj} of {facts.details.unit}", SURE, "systemctl show")
    return _first(KNOWN, facts)


def _first(table: Sequence[Known], facts: Facts) -> Origin | None:
    for known in table:
        if facts.task.adj in known.values and _fits(known, facts):
            return Origin(known.kind, known.by, known.confidence, known.source)
    return None


def _fits(known: Known, facts: Facts) -> bool:
    details = facts.details
    parent = facts.parent.comm if facts.parent else ""
    whole = (
        (known.comm, facts.task.comm),
        (known.unit, details.unit),
        (known.cgroup, details.cgroup),
        (known.parent, parent),
    )
    return all(not pattern or re.fullmatch(pattern, text or "", re.DOTALL) for pattern, text in whole) and bool(
        re.match(known.cmdline, details.cmdline or "", re.DOTALL)
    )


def _name(task: Task) -> str:
    return f"{task.pid} ({task.comm})"
