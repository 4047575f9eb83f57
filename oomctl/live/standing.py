"""One look, judged: who stands where now, and where with the changes that are only thought of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from oomctl.kernel.invocation import out_of_memory
from oomctl.kernel.selection import ranked_rows
from oomctl.kernel.whatif import with_adjs
from oomctl.model.kernel import Round, Scenario, Task
from oomctl.model.listing import Row
from oomctl.model.look import Look


class Standing(NamedTuple):
    """What the kernel would do now, and what it would do if things were changed."""

    look: Look
    now: Round
    """What the kernel would do as things are."""
    scenario: Scenario
    """With the what-ifs."""
    then: Round
    """What it would do with the what-ifs; ``now`` where there are none."""
    rows: tuple[Row, ...]
    """By rank with the what-ifs; last those that cannot be chosen."""

    @property
    def highest(self) -> int:
        """Badness of the first in pages; 0 where nobody can be chosen."""
        return self.then.ranking[0].badness if self.then.ranking else 0

    def real(self, pids: Sequence[int]) -> list[Task]:
        """Return processes as they are, without what-ifs."""
        by_pid = {task.pid: task for task in self.look.scenario.tasks}
        return [by_pid[pid] for pid in pids]


def judged(look: Look, what_if: Mapping[int, int] | None = None) -> Standing:
    """Let the kernel's rules judge a look; ``what_if`` is the adj that some PIDs might get."""
    now = then = out_of_memory(look.scenario)
    scenario = look.scenario
    if what_if:
        scenario = with_adjs(scenario, what_if)
        then = out_of_memory(scenario)
    return Standing(look, now, scenario, then, tuple(ranked_rows(then.ranking, then.spared, look.details)))
