"""What became of an attempt to change something, and what is written down of it: plain values."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Status(str, Enum):
    """What became of one attempt to change something."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    """The value is there already."""
    DRY_RUN = "dry-run"
    """It would be changed."""
    DENIED = "denied"
    """By the kernel."""
    VANISHED = "vanished"
    """The process has ended, or is another one."""
    REFUSED = "refused"
    """By oomctl."""
    INEFFECTIVE = "ineffective"
    """Of a drop-in: its unit does not have the value all the same."""


class Change(NamedTuple):
    """What became of one attempt to set ``oom_score_adj``."""

    pid: int
    comm: str
    before: int | None
    after: int | None
    """The value read back; with ``dry-run`` the one that would have been written."""
    status: Status
    """Any but INEFFECTIVE."""
    reason: str | None = None
    """The cause, short, and where that fits on the line what would help."""
    rank_before: int | None = None
    rank_after: int | None = None
    detail: str | None = None
    """More of the cause, and what would help."""
    warning: str | None = None
    """With ``dry-run``: why it would or may be refused all the same; ``detail`` is then about that."""

    @property
    def whole_reason(self) -> str | None:
        """All that is known of why, in one line."""
        return _whole(self.reason, self.detail)

    @property
    def whole_warning(self) -> str | None:
        """All that is known of why it would or may be refused, in one line."""
        return _whole(self.warning, self.detail)


def _whole(cause: str | None, detail: str | None) -> str | None:
    return f"{cause}; {detail}" if cause and detail else cause


class Doubt(Enum):
    """Why a process may not be what was asked for, although it is called so."""

    LOGIN_USER = "it belongs to a person, and anyone can use a name"
    COMMAND_LINE = "a process can write any command line for itself"
    UNSEEN = "its executable cannot be seen"
    OTHER_NAME = "its executable has another name"
    OTHER_NAMESPACE = "it is in another PID or user namespace"
    OTHER_FILE = "its executable is not this system's"
    CHANGEABLE = "its executable can be changed by others than root"
    SET_USER_ID = "any user starts its executable, under any name"
    USER_NOT_NAMED = "it descends from what was named, but belongs to a person who was not"
    NOT_OF_SYSTEM_UNIT = "it is in another cgroup than the system's unit"
    NOT_OF_OWN_UNIT = "it is in another cgroup than the unit of the user's own service manager"


class Follower(Enum):
    """Why a process is covered by another match."""

    NOT_MAIN_PROCESS = "the unit has a main process"
    CHILD = "its parent matches, too"


class Refusal(Enum):
    """Why nothing is written to a process, however it was named."""

    ZOMBIE = "it has exited"
    KTHREAD = "it is never chosen"
    INIT = "it is PID 1, and everything inherits its value"
    LOGIN_SESSION = "its user's processes inherit its value"


class Risk(Enum):
    """What is lost if a process that is raised is killed first."""

    INIT = "it is PID 1, and everything inherits its value"
    LOGIN_SESSION = "who works in it is thrown out"
    SSHD = "nobody can log in"


class WhyLeftAlone(NamedTuple):
    """Why a process is not to be changed."""

    kind: Doubt | Follower | Refusal | Risk
    user: str | None = None
    """Whom it belongs to, where that is why."""
    path: str | None = None
    """Of its executable or cgroup, where that is why."""
    unit: str | None = None
    also: Doubt | Follower | Refusal | Risk | None = None
    """What would be refused even if the first reason did not count."""
    by_rule: bool = False
    """A rule of a policy leaves it alone: a key of the rule lifts that, not an option."""


class LeftAlone(NamedTuple):
    """A process that a target matches but that is not to be changed, and why."""

    pid: int
    comm: str
    reason: WhyLeftAlone

    @property
    def distrusted(self) -> bool:
        """Whether it only says that it is what was asked for; a policy's later rules may decide about it."""
        return isinstance(self.reason.kind, Doubt)


class Replaced(NamedTuple):
    """One value that was replaced. PID, start time and boot together are an identity."""

    pid: int
    start_ticks: int
    comm: str
    before: int
    after: int


class DropIn(NamedTuple):
    """``OOMScoreAdjust=`` in oomctl's own drop-in of a unit, before and after a change; None: no drop-in."""

    unit: str
    user: bool
    """Of the user's own service manager, not the system's."""
    before: int | None
    after: int | None


class Persisted(NamedTuple):
    """What became of one attempt to make a value outlive its process."""

    drop_in: DropIn
    path: str
    status: Status
    """CHANGED, UNCHANGED, DRY_RUN or INEFFECTIVE."""
    reason: str | None = None
    text: str | None = None
    """With ``dry-run``: the file that would be written."""


class Recorded(NamedTuple):
    """What one command changed."""

    what: str
    """The command, for people: ``set 500 firefox``."""
    time: float
    """Seconds since the epoch."""
    boot_id: str
    values: tuple[Replaced, ...]
    drop_ins: tuple[DropIn, ...] = ()
