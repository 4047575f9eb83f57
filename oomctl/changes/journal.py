"""What oomctl changed, so that ``undo`` can put it back: one small file of each user, the newest change last.

Each line is one change as JSON. The file is only ever replaced as a whole, so a reader never sees half of
one; a line that is damaged all the same is left out.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from oomctl.errors import NotPermitted
from oomctl.guard import files, places
from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN
from oomctl.model.changes import DropIn, Recorded, Replaced

MOST_ENTRIES = 50
MOST_BYTES = 4 << 20
"""Older changes are forgotten beyond this; the newest is kept whatever its size."""
_NAME = "journal"
_ATTEMPTS, _PAUSE_SECONDS = 100, 0.05
"""How often the lock is tried: who can read the directory can hold it, and must not hold up a change for ever."""
_LATEST = 253402300799  # the end of the year 9999


class Journal:
    """The changes recorded in ``directory``, which has to be this user's own: undo does what is written there."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.path = os.path.join(directory, _NAME)

    @classmethod
    def of_user(cls) -> Journal:
        """Return the journal of the effective user; nothing is made yet."""
        return cls(os.path.join(places.state(), "oomctl"))

    def entries(self) -> list[Recorded]:
        """Return what is recorded, oldest first.

        Raises NotPermitted when it cannot be read, or when somebody else could have written it.
        """
        try:
            with self._opened() as directory:
                return self._entries(directory)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._unusable(error) from None

    def append(self, entry: Recorded) -> None:
        """Record one change, and forget those of an earlier boot: their processes are gone."""
        self._update(lambda entries: [old for old in entries if old.boot_id == entry.boot_id] + [entry])

    def replace(self, entry: Recorded, new: Recorded | None) -> None:
        """Put ``new`` in place of ``entry``; None: forget it."""
        rest = [] if new is None else [new]

        def replaced(entries: list[Recorded]) -> list[Recorded]:
            return [kept for old in entries for kept in (rest if old == entry else [old])]

        self._update(replaced)

    def _update(self, change: Callable[[list[Recorded]], list[Recorded]]) -> None:
        try:
            os.makedirs(self.directory, mode=0o700, exist_ok=True)
            with self._opened() as directory:
                _lock(directory)
                self._rewrite(directory, change)
        except OSError as error:
            raise self._unusable(error) from None

    def _unusable(self, error: OSError) -> NotPermitted:
        return NotPermitted(f"{self.path}: {error.strerror}")

    def _rewrite(self, directory: int, change: Callable[[list[Recorded]], list[Recorded]]) -> None:
        try:
            entries = self._entries(directory)
        except FileNotFoundError:
            entries = []
        lines = [_line(entry) for entry in change(entries)[-MOST_ENTRIES:]]
        while len(lines) > 1 and sum(map(len, lines)) > MOST_BYTES:
            del lines[0]
        files.replace(_NAME, b"".join(lines), 0o600, directory)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        """Hold the directory open: what is done in it is done in the one that was looked at."""
        if os.path.islink(self.directory):  # to say so; O_NOFOLLOW below is what makes sure
            raise OSError(errno.ELOOP, "its directory is a symbolic link; expected a directory of your own")
        descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _check_owner(descriptor, self.directory, "make it yours with mode 700, or remove it")
            yield descriptor
        finally:
            os.close(descriptor)

    def _entries(self, directory: int) -> list[Recorded]:
        descriptor = files.open_regular(_NAME, os.O_NOFOLLOW, directory)
        try:
            _check_owner(descriptor, self.path, "remove it")
            lines = files.read_bounded(descriptor, 2 * MOST_BYTES).split(b"\n")
        finally:
            os.close(descriptor)
        return [entry for line in lines if (entry := _parsed(line)) is not None]


def _lock(directory: int) -> None:
    """Let two commands at the same time record both their changes; wait for the other, but not for ever."""
    for _ in range(_ATTEMPTS):
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(_PAUSE_SECONDS)
    raise OSError(errno.EAGAIN, f"another process has locked it for {_ATTEMPTS * _PAUSE_SECONDS:.0f} s")


def _check_owner(descriptor: int, path: str, remedy: str) -> None:
    status = os.fstat(descriptor)
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise NotPermitted(
            f"{path}: others than you (uid {os.geteuid()}) can write there, so what it says is not trusted; {remedy}"
        )


def _line(entry: Recorded) -> bytes:
    document = entry._asdict() | {
        "values": [value._asdict() for value in entry.values],
        "drop_ins": [drop_in._asdict() for drop_in in entry.drop_ins],
    }
    return json.dumps(document).encode() + b"\n"


def _parsed(line: bytes) -> Recorded | None:
    """Understand one line; None when it is damaged, or written by a version that records something else."""
    try:
        fields = json.loads(line)
        values = tuple(_replaced(value) for value in fields["values"])
        drop_ins = tuple(_drop_in(drop_in) for drop_in in fields.get("drop_ins", []))
        time = float(fields["time"])
        if not ((values or drop_ins) and 0 <= time <= _LATEST):
            return None
        return Recorded(str(fields["what"]), time, str(fields["boot_id"]), values, drop_ins)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def _replaced(fields: dict[str, Any]) -> Replaced:
    numbers = [fields[name] for name in ("pid", "start_ticks", "before", "after")]
    pid, start_ticks, before, after = numbers
    if not (type(pid) is int and pid > 0 and type(start_ticks) is int and _is_adj(before) and _is_adj(after)):
        raise ValueError("no process has such numbers")
    return Replaced(pid, start_ticks, str(fields["comm"]), before, after)


def _drop_in(fields: dict[str, Any]) -> DropIn:
    before, after = fields["before"], fields["after"]
    if not all(value is None or _is_adj(value) for value in (before, after)):
        raise ValueError("no OOMScoreAdjust= has such values")
    return DropIn(str(fields["unit"]), bool(fields["user"]), before, after)


def _is_adj(value: object) -> bool:
    return type(value) is int and ADJ_MIN <= value <= ADJ_MAX
