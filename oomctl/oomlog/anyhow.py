"""A choice that follows from the task table whatever the size of the memory is. Pure."""

from __future__ import annotations

from typing import NamedTuple

from oomctl.errors import BadInput
from oomctl.kernel.badness import ADJ_MIN
from oomctl.kernel.rules import RootDiscount, Rules, rules_for
from oomctl.model.oomreport import OomReport, Replay, TableRow
from oomctl.oomlog.hypotheses import Basis, basis_of, scores_permille, size_of
from oomctl.oomlog.reconstruction import chosen_pid

_ROOT_ADJ = 30  # CAP_SYS_ADMIN lowers the adj by as many permille (RootDiscount.TOTALPAGES) ...
_ROOT_PERCENT = 3  # ... or the points by as many per cent (RootDiscount.POINTS)


class _Weight(NamedTuple):
    """The least and the most that a process may have counted."""

    row: TableRow
    least_pages: int
    most_pages: int
    least_adj: int
    most_adj: int


def replay_anyhow(report: OomReport) -> Replay | None:
    """Replay a report that lacks nothing but its totals; None: these may decide.

    Badness is pages + adj * (totalpages / 1000). Who has more pages than everybody else, and an adj that nobody
    exceeds, is first for every totalpages, unless negative badness counts as 1 and makes all alike (before 5.9).
    """
    chosen = chosen_pid(report)
    row = None if chosen is None else report.row_of(chosen)
    if row is None or scores_permille(report) or report.allocating_task:
        return None
    try:
        basis = basis_of(report)
        rules = [rules_for(kernel) for kernel in basis.kernels]
    except BadInput:
        return None
    sizes = (basis.page_size,) if basis.page_size_known else (4096, 65536)
    if len(_candidates(report)) < 2:
        return None  # a row by itself is what a cut table often has left
    if not all(_first(report, row, rule, page) for rule in rules for page in sizes):
        return None
    return _explained(report, row, basis)


def _first(report: OomReport, row: TableRow, rules: Rules, page: int) -> bool:
    own = _weight(row, rules, page)
    if own.least_adj < 0 and not rules.signed:
        return False
    others = (_weight(other, rules, page) for other in _candidates(report) if other.tgid != row.tgid)
    return all(own.least_pages > other.most_pages and own.least_adj >= other.most_adj for other in others)


def _candidates(report: OomReport) -> list[TableRow]:
    return [row for row in report.rows if row.oom_score_adj != ADJ_MIN and row.tgid != 1]


def _weight(row: TableRow, rules: Rules, page: int) -> _Weight:
    pages, adj = size_of(row, page), row.oom_score_adj or 0
    maybe_root = row.uid == 0
    less_pages = pages * _ROOT_PERCENT // 100 + 1 if maybe_root and RootDiscount.POINTS in rules.root_discounts else 0
    less_adj = _ROOT_ADJ if maybe_root and RootDiscount.TOTALPAGES in rules.root_discounts else 0
    return _Weight(row, pages - less_pages, pages, adj - less_adj, adj)


def _explained(report: OomReport, row: TableRow, basis: Basis) -> Replay:
    page = basis.page_size
    others = [other for other in _candidates(report) if other.tgid != row.tgid]
    name = f"{row.tgid} ({row.comm})"
    second = max(others, key=lambda other: ((other.oom_score_adj or 0), size_of(other, page)))
    mine, theirs = size_of(row, page), size_of(second, page)
    equal = second.oom_score_adj == row.oom_score_adj
    adj = "the same oom_score_adj" if equal else "a lower oom_score_adj"
    reason = (
        f"{name} is first whatever the size of the memory that ran out: {mine} pages,"
        f" {second.tgid} ({second.comm}) has {theirs} and {adj}"
    )
    margin = mine - theirs if all(other.oom_score_adj == row.oom_score_adj for other in others) else None
    return Replay(row.tgid, True, f"{reason}; {basis.known_by}", basis.kernels[0], None, page, margin)
