"""What oomctl changed, so that ``undo`` can put it back: one small file of each user, the newest change last.

Each line is one change as JSON. The file is only ever replaced as a whole, so a reader never sees half of
one; a line that is damaged all the same is left out.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

from oomctl import files
from oomctl.errors import NotPermitted
from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN
from oomctl.model import DropIn, Recorded, Replaced

MOST_ENTRIES = 50
MOST_BYTES = 4 << 20
"""Older changes are forgotten beyond this; the newest is kept whatever its size."""
_NAME = "journal"
_LATEST = 253402300799  # the end of the year 9999


class Journal:
    """The changes recorded in ``directory``, which has to be this user's own: undo does what is written there."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.path = os.path.join(directory, _NAME)

    @classmethod
    def of_user(cls) -> Journal:
        """Return the journal below $XDG_STATE_HOME, else ``.local/state`` of the effective user's home.

        Not of $HOME: under sudo that may be another user's, whose files root should neither make nor trust.
        """
        state = os.environ.get("XDG_STATE_HOME", "")
        if not os.path.isabs(state):
            state = os.path.join(_home(), ".local", "state")
        return cls(os.path.join(state, "oomctl"))

    def entries(self) -> list[Recorded]:
        """Return what is recorded, oldest first.

        Raises NotPermitted when it cannot be read, or when somebody else could have written it.
        """
        try:
            self._check_owner()
            with open(self.path, "rb") as file:
                lines = file.read(2 * MOST_BYTES).split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._unusable(error) from None
        return [entry for line in lines if (entry := _parsed(line)) is not None]

    def append(self, entry: Recorded) -> None:
        """Record one change, and forget those of an earlier boot: their processes are gone."""
        self._update(lambda entries: [old for old in entries if old.boot_id == entry.boot_id] + [entry])

    def replace(self, entry: Recorded, values: tuple[Replaced, ...]) -> None:
        """Let ``entry`` be about ``values`` only; without any it is forgotten."""
        rest = [entry._replace(values=values, drop_ins=())] if values else []

        def replaced(entries: list[Recorded]) -> list[Recorded]:
            return [new for old in entries for new in (rest if old == entry else [old])]

        self._update(replaced)

    def _update(self, change: Callable[[list[Recorded]], list[Recorded]]) -> None:
        try:
            self._rewrite(change)
        except OSError as error:
            raise self._unusable(error) from None

    def _unusable(self, error: OSError) -> NotPermitted:
        return NotPermitted(f"{self.path}: {error.strerror}")

    def _rewrite(self, change: Callable[[list[Recorded]], list[Recorded]]) -> None:
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        self._check_owner()
        with self._locked():
            lines = [_line(entry) for entry in change(self.entries())[-MOST_ENTRIES:]]
            while len(lines) > 1 and sum(map(len, lines)) > MOST_BYTES:
                del lines[0]
            files.replace(self.path, b"".join(lines), 0o600)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Let two commands at the same time record both their changes."""
        descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _check_owner(self) -> None:
        status = os.stat(self.directory)
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise NotPermitted(
                f"{self.directory}: others than you (uid {os.geteuid()}) can write there, so what it says is not"
                " trusted; make it yours with mode 700, or remove it"
            )


def _home() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:  # a container's number without a name
        return os.environ.get("HOME", "/")


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
