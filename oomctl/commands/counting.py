"""``oomctl history --summary``: how often the OOM killer killed."""

from __future__ import annotations

from collections.abc import Iterable

from oomctl.console import emit
from oomctl.errors import ANSWER_IS_NO, DONE
from oomctl.model.oomreport import OomReport
from oomctl.oomlog.tally import tally
from oomctl.render.tally import document, text


def summarize(reports: Iterable[tuple[OomReport, float | None]], as_json: bool) -> int:
    """Print how often whom, where and when; returns the exit status. Nothing is no text."""
    counted = tally(reports)
    if as_json:
        emit(document(counted))
    elif counted.events:
        emit(text(counted))
    return DONE if counted.events else ANSWER_IS_NO
