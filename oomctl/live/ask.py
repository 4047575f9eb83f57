"""What ``top`` is asked for, however it shows the answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from oomctl.errors import NothingMatched
from oomctl.model.kernel import Scenario
from oomctl.procfs.details import user_of
from oomctl.procfs.reader import Procfs
from oomctl.render.fields import COMMAND_LINE, Field
from oomctl.targets.matching import matching
from oomctl.targets.words import Target


def shows_cmdlines(fields: Iterable[Field]) -> bool:
    """Return whether ``fields`` have the command line for those who are on the screen, and only for them."""
    return COMMAND_LINE in fields


def has_cmdlines(*fields: Field | None) -> bool:
    """Return whether any of ``fields`` is the command line, which is read only if somebody wants to see it."""
    return any(field is not None and field.name == "cmdline" for field in fields)


class Ask(NamedTuple):
    """What ``top`` was asked for."""

    fields: tuple[Field, ...]
    sort: Field | None = None
    lines: int | None = None
    """None: as many as there is room for."""
    targets: tuple[Target, ...] = ()
    """They limit the list."""
    user: str | None = None
    cgroup: str | None = None
    reverse: bool = False
    """Whether the order is turned round."""

    @property
    def limits(self) -> bool:
        """Whether the list has only some of the processes."""
        return bool(self.targets) or self.user is not None

    def pids(self, scenario: Scenario, procfs: Procfs) -> set[int] | None:
        """Return the processes that the list is limited to; None: no limit."""
        if not self.limits:
            return None
        tasks = scenario.tasks
        if self.targets:
            wanted = {task.pid for found in matching(self.targets, tasks, procfs).values() for task in found}
            tasks = tuple(task for task in tasks if task.pid in wanted)
        return {task.pid for task in tasks if self.user in (None, user_of(procfs, task.uid), str(task.uid))}

    def nothing_matched(self) -> NothingMatched:
        """Return the error that says what was asked for and is not there."""
        words = " ".join(target.word for target in self.targets)
        owner = [] if self.user is None else [f"user {self.user}"]
        return NothingMatched(f"no process matches {' of '.join([*([words] if words else []), *owner])}")


def has_interactive_view() -> bool:
    """Whether ``textual`` is installed, and the room that uses it; oomadm.pyz does not hold that."""
    from importlib.util import find_spec  # a list that is printed once needs it not

    return find_spec("textual") is not None and find_spec("oomctl.tui.app") is not None
