"""What checks are about: one look at a machine, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from oomctl.model.audit import Enrolled, Group, Roll, Settings, Swap
from oomctl.model.kernel import Round, Scenario, Task
from oomctl.model.listing import Details
from oomctl.model.origin import Origin
from oomctl.model.trend import LimitForecast
from oomctl.systemd.manager import UnitState
from oomctl.targets.words import Target


class Thresholds(NamedTuple):
    """From where on something is told; check.toml can say otherwise."""

    limit_near_percent: int = 95
    """Of a cgroup's limit, in use."""
    futile_percent: int = 5
    """Of what the largest process holds, freed by the next kill."""
    group_blast_processes: int = 100
    """Killed at once."""


class Asked(NamedTuple):
    """What a look is asked to find out beside what everybody wants to know."""

    precious: tuple[Target, ...] = ()
    thresholds: Thresholds = Thresholds()
    other_oomctl: str | None = None
    """What ``sudo oomctl`` would start instead of this program, in words; None: this program."""


class Suspect(NamedTuple):
    """A process whose adj is below 0 or a number of the old scale, and what is known of it."""

    task: Task
    """Without sizes."""
    details: Details
    origin: Origin
    parent: Task | None
    source: Task | None
    """The highest above it up to which everybody has its parent's value."""
    in_session: bool
    """It is a login session, or was started from one."""
    in_container: bool
    of_person: bool
    """Its user is one who logs in."""


class Drifted(NamedTuple):
    """A process that has not what the policy says."""

    task: Task
    says: int
    place: str
    """Of the rule."""


class PolicyFacts(NamedTuple):
    """What the machine's policy says, and how far that is true."""

    broken: tuple[str, ...] = ()
    """Mistakes for which nothing is done by it."""
    drifted: tuple[Drifted, ...] = ()
    ruled: frozenset[int] = frozenset()
    """PIDs of everybody who gets a value from a rule, whether it has that or not."""


class Heap(NamedTuple):
    """A Java process whose largest heap is known, in a cgroup with a limit."""

    process: Enrolled
    of_person: bool
    heap_bytes: int
    group: Group


class Precious(NamedTuple):
    """A process that is not to be lost, or calls itself so."""

    task: Task
    trusted: bool
    """It is what its name says."""


class Look(NamedTuple):
    """The machine as it was at one moment."""

    asked: Asked
    scenario: Scenario
    """Of the whole machine; only those nearest to being first are in it."""
    result: Round
    """Whom the kernel would take if the whole machine ran out now."""
    victim: Details
    """Of the victim; empty without one."""
    roll: Roll
    suspects: tuple[Suspect, ...]
    precious_named: tuple[Target, ...]
    """What is not to be lost, by whoever asks and by the policy."""
    precious: tuple[Precious, ...]
    """Of those who would be killed next, those that are not to be lost."""
    largest: Task | None
    """Who holds the most, of those that are not protected on purpose."""
    groups: tuple[Group, ...]
    in_sessions: frozenset[str]
    """Paths of ``groups`` in which somebody is logged in."""
    heaps: tuple[Heap, ...]
    postgres: frozenset[int]
    """Postmasters that are in no container."""
    first_person: int
    """The first user ID of one who logs in: what such a user runs earns nothing by its name or its needs."""
    units: Mapping[str, UnitState]
    """Services that run, and those of sshd, as the system's manager has them; empty where there is none."""
    units_unknown: str
    """Why systemd did not say what runs, in words; empty where it did, and where there is no systemd."""
    mains: Mapping[str, Task]
    """The main process of each of ``units`` that has one, without sizes."""
    can_lower: bool
    """Whether anybody on this machine, or in this container, may lower an adj below its floor."""
    runs_systemd: bool
    policy: PolicyFacts | None
    """None: this machine has none."""
    settings: Settings
    swaps: tuple[Swap, ...]
    kills: int | None
    """Since the machine started, as the kernel counts them; None: it does not (before v4.13)."""
    kills_seen: int
    """What that was at the last check."""
    hidden_why: str
    """Why processes may be hidden here, in words."""
    shows_another_namespace: bool
    """/proc is that of another PID namespace."""
    capability: tuple[str, str] | None
    """Root lacks CAP_SYS_RESOURCE: who took it, and what would help; None: it has it, or this is not root."""
    forecasts: tuple[LimitForecast, ...] = ()
    """What becomes of each limit, the machine's among them, where that was watched before the look; the first that is
    reached first."""

    @property
    def containers(self) -> Mapping[int, str]:
        """The cgroups of those suspects that are in containers, by PID."""
        return {suspect.task.pid: suspect.details.cgroup or "" for suspect in self.suspects if suspect.in_container}
