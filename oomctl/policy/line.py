"""Who is to be looked at next: each process once however much happens to it, and no user before another's turn."""

from __future__ import annotations

from collections import OrderedDict

_NEW_IN_A_ROW = 3
"""New ones of a user that go before one that is not."""


class Line:
    """Users take turns, one process each: nobody makes another's process wait by having many, or by renaming them.

    Among a user's own, new ones go before those that were there long, but never only those.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, int] = {}
        """PID to user."""
        self._users: OrderedDict[int, _OfUser] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, pid: int) -> bool:
        return pid in self._waiting

    def put(self, pid: int, user: int, is_new: bool) -> None:
        """Put a process at the end; one that is in line keeps its place."""
        if pid not in self._waiting:
            self._waiting[pid] = user
            self._users.setdefault(user, _OfUser()).put(pid, is_new)

    def drop(self, pid: int) -> None:
        """Take a process out, if it is in line."""
        user = self._waiting.pop(pid, None)
        if user is not None:
            self._users[user].drop(pid)
            if not self._users[user]:
                del self._users[user]

    def take(self, most: int) -> list[int]:
        """Take the first ones out."""
        taken: list[int] = []
        while self._users and len(taken) < most:
            user, own = self._users.popitem(last=False)
            pid = own.take()
            del self._waiting[pid]
            taken.append(pid)
            if own:
                self._users[user] = own
        return taken


class _OfUser:
    def __init__(self) -> None:
        self._new: OrderedDict[int, None] = OrderedDict()
        self._others: OrderedDict[int, None] = OrderedDict()
        self._in_a_row = 0

    def __bool__(self) -> bool:
        return bool(self._new or self._others)

    def put(self, pid: int, is_new: bool) -> None:
        (self._new if is_new else self._others)[pid] = None

    def drop(self, pid: int) -> None:
        self._new.pop(pid, None)
        self._others.pop(pid, None)

    def take(self) -> int:
        if self._new and (self._in_a_row < _NEW_IN_A_ROW or not self._others):
            self._in_a_row += 1
            return self._new.popitem(last=False)[0]
        self._in_a_row = 0
        return self._others.popitem(last=False)[0]
