"""Which rows of a standing are shown, and in which order: filter, sort, group."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from oomctl.model.listing import Row
from oomctl.model.look import Group
from oomctl.render.fields import Field, find, sort_rows


class View(NamedTuple):
    """What the user chose to see."""

    sort: Field | None = None
    """None: by rank."""
    reverse: bool = False
    words: str = ""
    """The filter: every word of it must occur in a row."""
    group_by: str | None = None
    """``unit`` (where there is none, the cgroup), ``user`` or ``cgroup``; None: every process by itself."""


def _below_root(cgroup: str | None) -> str | None:
    return None if cgroup == "/" else cgroup


GROUPINGS: dict[str, Callable[[Row], str | None]] = {
    "unit": lambda row: row.details.unit or _below_root(row.details.cgroup),
    "user": lambda row: row.details.user,
    "cgroup": lambda row: row.details.cgroup,
}


def shown(rows: Sequence[Row], view: View, page_size: int, only: Collection[int] | None = None) -> list[Row]:
    """Return the rows that pass the filter (and are in ``only``) in the order chosen; ranks stay those among all."""
    kept = [row for row in rows if only is None or row.task.pid in only]
    words = view.words.lower().split()
    if words:
        kept = [row for row in kept if _has(row, words)]
    if view.sort is None and not view.reverse:
        return kept
    return sort_rows(kept, view.sort or find("rank"), page_size, view.reverse)


def _has(row: Row, words: Sequence[str]) -> bool:
    details = row.details
    text = f"{row.task.pid} {row.task.comm} {details.user} {details.unit} {details.cgroup}".lower()
    return all(word in text for word in words)


def grouped(rows: Sequence[Row], group_by: str) -> list[Group]:
    """Sum up ``rows``; groups in the order in which they would lose a member, then by size."""
    key = GROUPINGS[group_by]
    members: dict[str, list[Row]] = {}
    for row in rows:
        members.setdefault(key(row) or "-", []).append(row)
    return sorted((_group(name, found) for name, found in members.items()), key=_order)


def members_of(group: Group, rows: Sequence[Row], group_by: str | None) -> list[Row]:
    """Return those of ``rows`` that ``grouped`` has put into ``group``."""
    key = GROUPINGS[group_by] if group_by else None
    return [] if key is None else [row for row in rows if (key(row) or "-") == group.name]


def _group(name: str, rows: Sequence[Row]) -> Group:
    return Group(
        name,
        len(rows),
        sum(row.task.rss_pages for row in rows),
        sum(row.task.swap_pages for row in rows),
        sum(row.task.pgtables_pages for row in rows),
        min(rows, key=lambda row: (row.rank is None, row.rank)),
    )


def _order(group: Group) -> tuple[bool, int, int]:
    rank = group.first.rank
    return rank is None, rank or 0, -group.rss_pages
