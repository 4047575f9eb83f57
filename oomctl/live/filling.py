"""When the memory of a cgroup is full, where the growth of everybody in it is known."""

from __future__ import annotations

from oomctl.kernel.constraint import below
from oomctl.live.seen import Seen, scope_of
from oomctl.live.shot import Shot
from oomctl.model.kernel import Task
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.rooms import room_of


class Filling:
    """What is known of that after a look; asked about a cgroup it reads what is left there."""

    def __init__(self, shot: Shot, seen: Seen) -> None:
        self._shot = shot
        self._seen = seen
        self._memcgs = Memcgs.of(shot.procfs)
        self._scope = scope_of(shot.look.scenario)
        self._members: dict[str, list[Task]] = {}
        self._sees_all = self._sort_by_cgroup()

    def seconds(self, path: str | None) -> float | None:
        """Return when the memory of that cgroup is full at this rate, None: the machine's.

        As the heading says it of the memory in question. Of others it is when the private memory of their processes
        takes up what is left, page cache counted as room. None where nothing is known, or it is not within a day.
        """
        if path == self._scope:
            left = None if self._shot.ahead is None else self._shot.ahead.forecast.left
            return None if left is None else left.mid
        if path is None or self._memcgs is None or not self._sees(path):
            return None
        members = self._members.get(path, [])
        growths = [self._shot.look.details[task.pid].growth for task in members]
        known = [growth.private for growth in growths if growth is not None]
        if len(known) < len(members) or sum(known) <= 0 or not self._memcgs.is_hierarchical(path):
            return None
        if any(found.unseen or not found.whole for found in self._memcgs.members(path)):
            return None
        limit = room_of(self._shot.procfs, self._memcgs, [path]).get(path)
        page_size = self._shot.look.scenario.page_size
        found = None if limit is None else self._seen.time_left(members, limit, page_size)
        return None if found is None else found.mid

    def _sees(self, path: str) -> bool:
        """Whether everybody in ``path`` was looked at."""
        return self._sees_all and (self._scope is None or below(path, self._scope))

    def _sort_by_cgroup(self) -> bool:
        """Find the members of each cgroup and those below; return whether it is known of everybody where they are."""
        look = self._shot.look
        for task in look.scenario.tasks:
            details = look.details.get(task.pid)
            if details is None or details.cgroup is None:
                return False
            for name in with_those_above(details.cgroup):
                self._members.setdefault(name, []).append(task)
        return not (look.scenario.hidden or self._shot.is_partial)


def with_those_above(cgroup: str) -> list[str]:
    """Return ``cgroup`` and every cgroup above it, from ``/`` on."""
    path = cgroup.rstrip("/")
    above = [path[:end] for end, char in enumerate(path) if char == "/" and end]
    return ["/", *above, *([path] if path else [])]
