"""What this very kernel does, asked of it: releases bear the names of versions whose rules they do not follow.

A handful of small files, mostly of the process that asks. What cannot be told by them is left to the name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from oomctl.kernel.badness import ADJ_MIN
from oomctl.kernel.distributions import Unsure
from oomctl.kernel.rules import Counters, Pgtables, Verdict
from oomctl.model.kernel import Probed
from oomctl.procfs.opening import is_pid
from oomctl.procfs.reading import read_at
from oomctl.procfs.statfiles import RSS, split_stat

_MOST_ASKED = 8
_SCORE_SLACK = 3
_ROOT_DISCOUNT = 30
"""Permille, of totalpages at most (kernels before 4.17)."""


class _Answer(NamedTuple):
    """What the files of one process say; None: nothing."""

    signed: bool | None
    exact_status: bool
    pmd_tables: bool


def probe(root: str, totalpages: int, named: Verdict) -> frozenset[Probed]:
    """Return what the kernel whose /proc is at ``root`` was seen to do, as far as its name does not say so.

    Nothing is raised: what cannot be read says nothing. ``totalpages`` may be too low.
    """
    rules = named.rules
    # Where status is known to sum exactly, or that the bounds for it are needed, there is nothing to find out.
    counts_alike = rules.counters in (Counters.PER_THREAD, Counters.PER_CPU)
    signed: bool | None = None
    exact = pmd = False
    for process in _processes(root):
        try:
            answer = _ask(f"{root}/{process}", totalpages, counts_alike)
        except (OSError, ValueError, IndexError):
            continue
        signed = answer.signed if signed is None else signed
        exact, pmd = exact or answer.exact_status, pmd or answer.pmd_tables
        if signed is not None and (exact or not counts_alike):
            break
    found = set()
    if signed is not None and (signed is not rules.signed or Unsure.SIGN in named.unsure):
        found.add(Probed.SIGNED if signed else Probed.UNSIGNED)
    if exact:
        found.add(Probed.EXACT_STATUS)
    if pmd and rules.pgtables is Pgtables.BYTES:
        found.add(Probed.PMD_TABLES)
    return frozenset(found)


def _processes(root: str) -> Iterator[str]:
    """Oneself, and where that says nothing a few others."""
    yield "self"
    try:
        with os.scandir(root) as entries:
            asked = 0
            for entry in entries:
                if is_pid(entry.name):
                    yield entry.name
                    asked += 1
                    if asked == _MOST_ASKED:
                        return
    except OSError:
        return


def _ask(process: str, totalpages: int, counts_alike: bool) -> _Answer:
    """Ask one process. Raises OSError, ValueError and IndexError."""
    adj = int(read_at(None, f"{process}/oom_score_adj", 16))
    score = int(read_at(None, f"{process}/oom_score", 16))
    resident = _resident(process)
    exact = counts_alike and resident > 0 and _differs_in_stat(process, resident)
    status = read_at(None, f"{process}/status", 8192)
    # VmPMD went when page tables became one number (af5b0f6a09e4, v4.15).
    return _Answer(_is_signed(score, adj, resident * 1000 // totalpages), exact, b"\nVmPMD:" in status)


def _is_signed(score: int, adj: int, permille: int) -> bool | None:
    """Tell by the form of a score: 666 and up for nothing at all since 9066e5cfb73c (v5.9), small before.

    ``permille``: what the process has of memory, or more than that. A score of 0 is that of who cannot be chosen.
    """
    if score <= 0 or adj == ADJ_MIN:
        return None
    low, high = adj - _SCORE_SLACK, adj + permille + _SCORE_SLACK
    since = (1000 + low) * 2 // 3 <= score <= (1000 + high) * 2 // 3 + 1
    before = max(low - _ROOT_DISCOUNT, 0) <= score <= max(high, 1)
    return None if since is before else since


def _differs_in_stat(process: str, resident: int) -> bool:
    """Whether ``stat`` has another RSS than ``statm`` before and after it: what one sums, the other approximates."""
    _, stat = split_stat(read_at(None, f"{process}/stat"))
    return int(stat[RSS]) != resident == _resident(process)


def _resident(process: str) -> int:
    return int(read_at(None, f"{process}/statm", 256).split()[1])
