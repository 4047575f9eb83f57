"""The service: waits for process events, signals and the next look at everything, whichever comes first."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Iterator, Sequence

from oomctl.errors import BadInput, ImpossibleHere
from oomctl.model.changes import Change, Status
from oomctl.policy import loading
from oomctl.policy.decision import Decision
from oomctl.policy.events import ProcessEvents
from oomctl.policy.keeper import Keeper
from oomctl.policy.log import ERROR, INFO, NOTICE, WARNING, KeepAlive, Log, notify, notify_reloading
from oomctl.procfs.glimpse import is_shortage
from oomctl.procfs.identity import identity
from oomctl.procfs.reader import Procfs
from oomctl.procfs.writer import write_adj

_OWN_ADJ = -900
_SAFETY_SECONDS = 60.0
"""With events: for what no event tells, such as a process that was moved to another cgroup."""
_LEAST_SECONDS_BETWEEN_RESCANS = 0.5
_SECONDS_UNTIL_ANOTHER_TRY = 0.5


class Service:
    """Keeps the policy in ``paths`` true until it is told to stop. BadInput when it is not valid at the start."""

    def __init__(self, procfs: Procfs, paths: Sequence[str], poll_seconds: float, only_poll: bool) -> None:
        self._procfs = procfs
        self._paths = paths
        self._poll_seconds = poll_seconds
        self._only_poll = only_poll
        self._log = Log()
        self._alive = KeepAlive()
        self._rules = loading.load_valid(paths).rules
        self._keeper = Keeper(procfs, self._rules, self._report)
        self._events: ProcessEvents | None = None
        self._last_scan = self._next_scan = time.monotonic()
        self._is_short = self._is_ready = False
        self._changed = self._denied = self._taken = self._losses = 0

    def run(self) -> None:
        """Work until a signal ends it; OSError for what is no shortage of memory or descriptors."""
        with _signals() as signals:
            self._lower_own_risk()
            self._subscribe()
            while not signals.stop:
                try:
                    self._turn(signals)
                except MemoryError:
                    # What it knows may be half of what it was, and takes memory.
                    self._keeper = Keeper(self._procfs, self._rules, self._report)
                    self._fall_short("not enough memory", signals)
                except OSError as error:
                    if not is_shortage(error):
                        raise
                    self._fall_short(error.strerror, signals)
        notify("STOPPING=1")
        self._log.say_rest()
        counted = {"events": self._taken, "losses": self._losses, "changed": self._changed, "denied": self._denied}
        self._log.say(INFO, "stopped", **counted)
        if self._events is not None:
            self._events.close()

    def _turn(self, signals: _Signals) -> None:
        """Wait for something to do, do a part of it, and say that it was done."""
        due = min(self._next_scan, self._alive.due) - time.monotonic()
        arrived = signals.wait(self._events, 0 if self._keeper.busy else due)
        if signals.stop:
            return
        if signals.reload:
            signals.reload = False
            self._reload()
        if arrived:
            self._take_events()
        if time.monotonic() >= self._next_scan:
            self._scan()
        self._keeper.work(lambda: signals.stop)
        if self._keeper.has_seen_all:
            self._be_ready()
        self._alive.say()

    def _be_ready(self) -> None:
        """Everything was looked at: for the first time, or after there was no memory or descriptor for it."""
        if not self._is_ready:
            self._is_ready = True
            notify(f"READY=1\nSTATUS={self._status()}")
        if self._is_short:
            self._is_short = False
            self._log.say(NOTICE, "recovered")

    def _fall_short(self, reason: str | None, signals: _Signals) -> None:
        """Wait a little, then look at everything again. systemd is not told that all is well meanwhile."""
        if not self._is_short:
            self._is_short = True
            with contextlib.suppress(MemoryError):
                self._log.say(ERROR, "short", reason=reason, remedy="looking at every process until it works")
        signals.wait(None, _SECONDS_UNTIL_ANOTHER_TRY)
        self._next_scan = time.monotonic()

    def _lower_own_risk(self) -> None:
        own = self._procfs.own_pid
        task = identity(self._procfs, own) if own is not None else None
        if task is None or task.adj <= _OWN_ADJ:
            return
        change = write_adj(self._procfs, task, _OWN_ADJ)
        if change.status is not Status.CHANGED:
            after = write_adj(self._procfs, task, min(task.adj, 0)).after
            self._log.say(NOTICE, "own-risk", adj=after, wanted=_OWN_ADJ, reason=change.whole_reason)

    def _subscribe(self) -> None:
        why = "asked for by --poll" if self._only_poll else None
        if not self._only_poll:
            try:
                self._events = ProcessEvents()
            except ImpossibleHere as error:
                why = str(error)
        self._log.say(NOTICE, "started", mode=self._mode(), rules=len(self._rules), pid=os.getpid(), reason=why)

    def _mode(self) -> str:
        return "events" if self._events is not None else "polling"

    def _status(self) -> str:
        return f"{len(self._rules)} rules, {self._mode()}"

    def _scan(self) -> None:
        self._log.say_rest()
        self._keeper.look_at_all()
        self._last_scan = time.monotonic()
        self._next_scan = self._last_scan + (self._poll_seconds if self._events is None else _SAFETY_SECONDS)

    def _take_events(self) -> None:
        assert self._events is not None  # noqa: S101 - for mypy: nothing arrives otherwise
        try:
            batch = self._events.read()
        except OSError as error:
            self._log.say(ERROR, "events-ended", mode="polling", reason=error.strerror)
            self._events.close()
            self._events = None
            self._next_scan = time.monotonic()
            return
        self._taken += len(batch.events)
        if batch.lost:
            self._losses += 1
            self._log.say_often(WARNING, "events-lost", remedy="looking at every process")
            self._next_scan = min(self._next_scan, self._last_scan + _LEAST_SECONDS_BETWEEN_RESCANS)
        self._keeper.hear(batch.events)

    def _reload(self) -> None:
        notify_reloading()
        try:
            rules = loading.load_valid(self._paths).rules
            keeper = Keeper(self._procfs, rules, self._report)
        except (BadInput, MemoryError) as error:
            reason = str(error) or "not enough memory"
            self._log.say(ERROR, "reload-refused", reason=reason, rules=len(self._rules), kept="the old rules")
        else:
            self._rules, self._keeper = rules, keeper
            self._log.say(NOTICE, "reloaded", rules=len(self._rules))
            self._next_scan = time.monotonic()
        notify(f"READY=1\nSTATUS={self._status()}")

    def _report(self, decision: Decision, change: Change) -> None:
        denied = change.status is Status.DENIED
        if denied:
            self._denied += 1
        else:
            self._changed += 1
        self._log.say_often(
            WARNING if denied else INFO,
            "denied" if denied else "set",
            pid=change.pid,
            comm=change.comm,
            before=change.before,
            after=change.after,
            wanted=decision.rule.adj if denied else None,
            rule=decision.rule.place,
            reason=change.whole_reason,
        )


class _Signals:
    """SIGTERM and SIGINT ask for an end, SIGHUP for the files to be read again; each ends a ``wait``."""

    def __init__(self, wakeup: socket.socket) -> None:
        self.stop = False
        self.reload = False
        self._wakeup = wakeup

    def wait(self, events: ProcessEvents | None, seconds: float) -> bool:
        """Wait at most ``seconds``; return whether there are events."""
        own = self._wakeup.fileno()
        watched = [own] if events is None else [own, events.fileno()]
        ready, _, _ = select.select(watched, [], [], max(seconds, 0.0))
        if own in ready:
            with contextlib.suppress(BlockingIOError):
                while self._wakeup.recv(64):
                    continue
        return any(descriptor != own for descriptor in ready)

    def handle(self, number: int, _: object) -> None:
        if number == signal.SIGHUP:
            self.reload = True
        else:
            self.stop = True


@contextlib.contextmanager
def _signals() -> Iterator[_Signals]:
    """Handle signals while inside; what was there before is put back."""
    wakeup, written = socket.socketpair()
    for end in (wakeup, written):
        end.setblocking(False)
    signals = _Signals(wakeup)
    before = {
        number: signal.signal(number, signals.handle) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    }
    old_descriptor = signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
    try:
        yield signals
    finally:
        signal.set_wakeup_fd(old_descriptor)
        for number, handler in before.items():
            signal.signal(number, handler)
        wakeup.close()
        written.close()
