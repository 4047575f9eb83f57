"""A report of the kernel and what follows from it, for every form of ``oomctl history``."""

from __future__ import annotations

from oomctl.model.kernel import Candidate
from oomctl.model.oomreport import OomReport
from oomctl.oomlog.replay import replay
from oomctl.render import history as render


def event_of(
    report: OomReport, epoch_s: float | None, ranking: tuple[Candidate, ...] = (), in_full: bool = True
) -> render.Event:
    """Return what is said of one report; a list needs no more than the replay."""
    event = render.Event(report, replay(report), epoch_s, ranking)
    if not in_full:
        return event
    # What a list does not need is not loaded for it.
    from oomctl.oomlog.short import shortage_of
    from oomctl.oomlog.where import accounting_of

    page = render.page_size_of(event)
    return event._replace(memory=accounting_of(report, page), shortage=shortage_of(report, page))
