"""What ``oomctl simulate --json`` says of a round, made of the value that the API gives."""

from __future__ import annotations

from typing import Any

from oomctl.model.kernel import Round
from oomctl.render import reasons

ALIKE = (
    *("outcome", "reason", "selected_pid", "certainty", "margin_pages", "error_bound_pages", "contenders", "settled"),
    *("overtaken_by_growth_bytes", "freed_bytes"),
)
"""Fields that stand in the document as the value has them."""


def answer_of(found: Round, page_size: int = 4096) -> dict[str, Any]:
    growth = found.overtaken_by_growth_pages
    return {
        "outcome": found.outcome.value,
        "reason": reasons.ended(found.reason),
        "victim": found.victim and (found.victim.task.pid, found.victim.badness),
        "selected_pid": found.selected and found.selected.pid,
        "certainty": found.certainty.value,
        "margin_pages": found.margin_pages,
        "error_bound_pages": found.error_bound_pages,
        "contenders": [task.pid for task in found.contenders],
        "doubts": [doubt.kind.value for doubt in found.doubts],
        "settled": found.settled,
        "overtaken_by_growth_bytes": None if growth is None else growth * page_size,
        "killed": [task.pid for task in found.killed],
        "freed_bytes": found.freed_pages * page_size,
    }


def answer_in(document: dict[str, Any]) -> dict[str, Any]:
    """Return the same of a document."""
    victim = document["victim"]
    return {name: document[name] for name in ALIKE} | {
        "victim": victim and (victim["pid"], victim["badness_pages"]),
        "doubts": [doubt["id"] for doubt in document["doubts"]],
        "killed": [process["pid"] for process in document["killed"]],
    }
