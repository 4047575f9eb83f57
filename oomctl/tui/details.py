"""What ``oomctl explain`` says of the selected process, in a pane."""

from __future__ import annotations

from oomctl.kernel.scenario_rules import rules_of
from oomctl.kernel.whatif import first_adj_that_wins
from oomctl.live.standing import Standing
from oomctl.model.listing import Row
from oomctl.origins.facts import facts_of
from oomctl.origins.known import origin
from oomctl.procfs.details import with_details
from oomctl.procfs.reader import Procfs
from oomctl.render.explanation import Entry, Explanation, text
from oomctl.tui.pane import Pane


class Details(Pane):
    """The explanation, worked out only while somebody can see it."""

    def __init__(self) -> None:
        super().__init__("details")
        self.border_title = "Why (Enter closes)"

    def show(self, row: Row | None, standing: Standing, procfs: Procfs) -> None:
        """Explain ``row`` of ``standing``; None: nothing is selected."""
        if self.is_open:
            self.write("nothing is selected" if row is None else explained(row, standing, procfs))


def explained(row: Row, standing: Standing, procfs: Procfs) -> str:
    """Return the explanation, but without asking systemd, which may be slow when memory is short."""
    (row,) = with_details([row], procfs, cmdline=True)
    scenario = standing.scenario
    first_adj = None
    if row.candidate is not None:
        first_adj = first_adj_that_wins(scenario, row.task.pid, rules_of(scenario))
    (task,) = standing.real([row.task.pid])
    (facts,) = facts_of([row._replace(task=task)], procfs, declared={})
    entry = Entry(row, first_adj, origin(facts))
    return text(Explanation(scenario, [entry], len(standing.then.ranking))).rstrip()
