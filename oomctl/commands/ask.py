"""What ``top`` is asked for, however it shows the answer."""

from __future__ import annotations

from typing import NamedTuple

from oomctl import targets as target_words
from oomctl.errors import NothingMatched
from oomctl.model import Scenario
from oomctl.procfs.details import user_name
from oomctl.procfs.reader import Procfs
from oomctl.render.fields import Field


class Ask(NamedTuple):
    """What ``top`` was asked for."""

    fields: tuple[Field, ...]
    sort: Field | None = None
    lines: int | None = None
    """None: as many as there is room for."""
    words: tuple[str, ...] = ()
    """Targets that limit the list."""
    user: str | None = None
    cgroup: str | None = None

    @property
    def limits(self) -> bool:
        return bool(self.words) or self.user is not None

    def pids(self, scenario: Scenario, procfs: Procfs) -> set[int] | None:
        """Return the processes that the list is limited to; None: no limit."""
        if not self.limits:
            return None
        tasks = scenario.tasks
        if self.words:
            targets = [target_words.parse(word) for word in self.words]
            wanted = {task.pid for found in target_words.matching(targets, tasks, procfs).values() for task in found}
            tasks = tuple(task for task in tasks if task.pid in wanted)
        return {task.pid for task in tasks if self.user in (None, user_name(task.uid), str(task.uid))}

    def nothing_matched(self) -> NothingMatched:
        owner = [] if self.user is None else [f"user {self.user}"]
        return NothingMatched(
            f"no process matches {' of '.join([' '.join(self.words), *owner] if self.words else owner)}"
        )
