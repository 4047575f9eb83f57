"""What one kill says of one answer. It needs no guest."""

from __future__ import annotations

from typing import Any, NamedTuple

_UNSEEN = {"hidden_processes", "unseen_members"}
"""Doubts that say of processes which may be there that they cannot be seen."""


_IMPOSSIBLE_HERE = 7


class Predicted(NamedTuple):
    """What ``oomctl simulate --json`` said, and how it ended."""

    status: int
    document: dict[str, Any]
    stderr: str = ""


class Found(NamedTuple):
    """Whom the kernel killed first, and what its report calls the shortage (None: its report is cut short)."""

    victim: int
    constraint: str | None


def verdict(
    said: Predicted, found: Found | None, constraint: str, grower: int | None = None, elsewhere: bool = False
) -> dict[str, Any]:
    """Compare an answer with a kill; ``misses`` are the promises that it broke.

    ``grower`` is the only process that grew in between. It may have become first: nothing but a ``settled`` answer
    speaks of that. ``elsewhere``: asked where not everything is seen, so that a
    refusal is an answer, too; where root of the machine asks, nobody is hidden.
    """
    document = said.document
    predicted = (document.get("victim") or {}).get("pid")
    victim = found.victim if found else None
    settled = bool(document.get("settled"))
    outgrown = grower is not None and victim == grower
    misses: list[str] = []
    refused = elsewhere and said.status == _IMPOSSIBLE_HERE and not document
    if not document and not refused:
        misses.append(f"oomctl ended with {said.status}: {said.stderr.strip()}")
    elif document and said.status and document.get("outcome") != "unknown":
        misses.append(f"oomctl ended with {said.status} and {document.get('outcome')}: {said.stderr.strip()}")
    if found is None:
        misses.append("the kernel reported no kill")
    if settled and victim != predicted:
        misses.append(f"settled on {predicted}, the kernel took {victim}")
    if not outgrown and not refused:
        misses += _broken(document, predicted, victim)
    unseen = _UNSEEN & {doubt["id"] for doubt in document.get("doubts", [])}
    if unseen and not elsewhere:
        misses.append(f"said {', '.join(sorted(unseen))} to root of the machine")
    names = document.get("constraint"), found.constraint if found else None
    if not {*names} <= {constraint, None}:
        misses.append(f"meant {constraint}; oomctl and the kernel said {names}")
    return {
        "certainty": document.get("certainty"),
        "outcome": document.get("outcome"),
        "predicted": predicted,
        "victim": victim,
        "agrees": victim is not None and victim == predicted,
        "contenders": document.get("contenders", []),
        "within": victim in document.get("contenders", []),
        "margin": document.get("margin_pages"),
        "bound": document.get("error_bound_pages"),
        "settled": settled,
        "outgrown": outgrown,
        "doubts": [doubt["id"] for doubt in document.get("doubts", [])],
        "misses": misses,
    }


def _broken(document: dict[str, Any], predicted: int | None, victim: int | None) -> list[str]:
    """The promises that an answer about now broke."""
    misses = []
    contenders = document.get("contenders", [])
    if document.get("certainty") == "certain" and victim != predicted:
        misses.append(f"certain of {predicted}, the kernel took {victim}")
    unseen = _UNSEEN & {doubt["id"] for doubt in document.get("doubts", [])}
    if victim not in contenders and not unseen:
        misses.append(f"the kernel took {victim}, not one of the contenders {contenders}")
    return misses
