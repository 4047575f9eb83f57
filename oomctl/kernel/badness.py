"""``oom_badness``, ``/proc/PID/oom_score`` and the range of ``oom_score_adj``."""

from __future__ import annotations

from oomctl.kernel.counters import counted
from oomctl.kernel.rules import Rules
from oomctl.model.kernel import Candidate, Task

ADJ_MIN = -1000  # OOM_SCORE_ADJ_MIN in include/uapi/linux/oom.h: never a candidate
ADJ_MAX = 1000  # OOM_SCORE_ADJ_MAX


def badness(task: Task, totalpages: int, rules: Rules) -> Candidate:
    """Return the points of ``oom_badness()`` for an eligible task, with its terms, in pages.

    The kernel divides totalpages by 1000 before it multiplies, so an adj has no effect
    on a domain of less than 1000 pages.
    """
    task = counted(task, rules)
    base = task.rss_pages + task.swap_pages + task.pgtables_pages
    bonus = base * 3 // 100 if rules.root_bonus and task.cap_sys_admin else 0
    adj_pages = task.adj * (totalpages // 1000)
    points = base - bonus + adj_pages
    return Candidate(task, points if rules.signed else max(points, 1), adj_pages, bonus)


def oom_score(points: int | None, totalpages: int, rules: Rules, word_bits: int = 64) -> int:
    """Scale badness to what ``/proc/PID/oom_score`` shows (``proc_oom_score``); None is not eligible.

    ``totalpages`` is RAM and swap of the whole machine, also for a task in a limited cgroup.
    Since 9066e5cfb73c (in v5.9) a task that uses nothing scores 666, not 0. The arithmetic is that of C's long
    of ``word_bits``, the result that of an unsigned one.
    """
    if points is None:
        return 0
    thousandfold = points * 1000
    if not rules.signed:
        return (thousandfold & ((1 << word_bits) - 1)) // totalpages
    half = 1 << (word_bits - 1)
    wrapped = (thousandfold + half) % (2 * half) - half
    return int_div((1000 + int_div(wrapped, totalpages)) * 2, 3) % (2 * half)


def scores_keep_order(totalpages: int, rules: Rules, word_bits: int) -> bool:
    """Whether who has more badness never shows the lower ``oom_score``, and only who is spared shows 0.

    Before v5.9 small ones show 0, too. With a long of 32 bits the product with 1000 overflows: at 2,147,484 pages,
    8.2 GiB, which RAM and swap together, or an adj that stands for as much, can reach.
    """
    return rules.signed and 2 * totalpages * 1000 < 1 << (word_bits - 1)


def score_slack(pages: int, totalpages: int, rules: Rules) -> int:
    """How many points of ``oom_score`` a difference of ``pages`` can make, rounding included."""
    permille = pages * 1000 // totalpages + 1
    return permille * 2 // 3 + 1 if rules.signed else permille + 1


def most_badness(score: int, totalpages: int) -> int:
    """Return the most badness in pages that shows as an ``oom_score`` of so much, which is above 0, since v5.9."""
    permille = -(-3 * (score + 1) // 2) - 1001
    # Fractions are dropped, so what is below zero is rounded up.
    return permille * totalpages // 1000 if permille < 0 else ((permille + 1) * totalpages - 1) // 1000


def int_div(dividend: int, divisor: int) -> int:
    """Divide as C does: drop the fraction. Python's // rounds down, which differs below zero."""
    quotient = abs(dividend) // abs(divisor)
    return quotient if (dividend < 0) == (divisor < 0) else -quotient
