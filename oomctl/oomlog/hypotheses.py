"""What a report leaves open: its kernel's rules, its totalpages, who was root to the kernel. Pure.

A hypothesis fills every gap one way. Where the log carries a ``score``, it tells them apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from oomctl.errors import BadInput
from oomctl.kernel.constraint import memcg_totalpages
from oomctl.kernel.rules import OLDEST, RootDiscount, Rules, is_before_oldest, rules_for
from oomctl.model.kernel import Constraint, MemcgLimits
from oomctl.model.oomreport import OomReport, SeenIn, TableRow

DEFAULT_PAGE_SIZE = 4096
_TOTAL_DISCOUNT_ADJ = 30  # CAP_SYS_ADMIN lowers the adj by as many permille, which is 3 % of totalpages
_LAYOUTS = (
    ("cpu", (OLDEST,), "2.6.36 to 3.4"),
    ("rss_anon", ("6.8",), "6.8 and later"),
    ("nr_pmds", ("4.4", "4.9"), "4.0 to 4.14"),
    ("nr_ptes", (OLDEST,), "3.5 to 3.19 and RHEL 7"),
)
"""A column of the task table that only these kernels print (``dump_tasks``), and whose rules they go by."""


class Hypothesis(NamedTuple):
    """One way to fill every gap of a report."""

    kernel: str
    """A name for ``rules_for``."""
    totalpages: int
    root: RootDiscount
    """What CAP_SYS_ADMIN is worth to rows of uid 0."""
    permille: bool
    """2.6.36 to 3.4 compare whole permilles of totalpages, clamped to 1..1000, not pages."""
    assumes: str = ""
    """What is assumed beyond the text, in words."""


class Basis(NamedTuple):
    """What all hypotheses of a report share."""

    kernels: tuple[str, ...]
    known_by: str
    """How the kernel is known, in words."""
    page_size: int
    page_size_known: bool


def basis_of(report: OomReport) -> Basis:
    """Return the kernel or kernels whose rules may apply; BadInput: they are not known."""
    kernels, known_by = _kernels(report)
    return Basis(kernels, known_by, report.page_size or DEFAULT_PAGE_SIZE, report.page_size is not None)


def hypotheses(report: OomReport, basis: Basis) -> list[Hypothesis]:
    """Return every way to fill the gaps, the likeliest first; BadInput: the totals are missing."""
    ways = []
    for kernel in basis.kernels:
        rules = rules_for(kernel)
        permille = scores_permille(report)
        roots = _roots(report, rules, permille)
        totals = list(_totals(report, basis.page_size, rules))
        if not totals:
            limited = report.constraint is Constraint.MEMCG
            raise BadInput(f"the {'limit' if limited else 'size of the memory that ran out'} is missing")
        for (totalpages, assumed), root in product(totals, roots):
            ways.append(Hypothesis(kernel, totalpages, root, permille, assumed))
    return ways


def permille_of(row: TableRow, hypothesis: Hypothesis, page_size: int) -> int:
    """Points of 2.6.36 .. 3.4 before adj and root discount (``oom_badness`` of those)."""
    return size_of(row, page_size) * 1000 // hypothesis.totalpages


def size_of(row: TableRow, page_size: int) -> int:
    """RSS, swap and page tables in pages, as far as the layout shows them."""
    return row.rss_pages + (row.swap_pages or 0) + row.pgtables_pages(page_size)


def score_of(row: TableRow, hypothesis: Hypothesis, page_size: int) -> int:
    """The ``score N`` that the kernel prints for this row under a hypothesis (up to 5.0)."""
    adj = row.oom_score_adj or 0
    is_root = row.uid == 0
    total = hypothesis.totalpages
    if hypothesis.permille:
        discount = _TOTAL_DISCOUNT_ADJ if is_root and hypothesis.root is not RootDiscount.NONE else 0
        return min(max(permille_of(row, hypothesis, page_size) + adj - discount, 1), 1000)
    points = size_of(row, page_size)
    if is_root and hypothesis.root is RootDiscount.POINTS:
        points -= points * 3 // 100
    if is_root and hypothesis.root is RootDiscount.TOTALPAGES:
        adj -= _TOTAL_DISCOUNT_ADJ
    return max(points + adj * (total // 1000), 1) * 1000 // total


def discounted_adj(row: TableRow, hypothesis: Hypothesis) -> int:
    """The adj that counts: with the discount of 3 % of totalpages it is 30 less, but still no protection."""
    adj = row.oom_score_adj or 0
    if row.uid != 0 or hypothesis.root is not RootDiscount.TOTALPAGES or adj == -1000:
        return adj
    return max(adj - _TOTAL_DISCOUNT_ADJ, -999)


def _kernels(report: OomReport) -> tuple[tuple[str, ...], str]:
    if report.kernel is None:
        return _kernels_of_shape(report)
    if not is_before_oldest(report.kernel):
        return (report.kernel,), f"kernel {report.kernel}"
    if "oom_score_adj" not in report.columns:
        raise BadInput(f"kernel {report.kernel} still weighed total_vm, CPU time and age, which no rule here does")
    return (OLDEST,), f"kernel {report.kernel}, by the rules of {OLDEST} as far as they are the same"


def _kernels_of_shape(report: OomReport) -> tuple[tuple[str, ...], str]:
    """Without a release: which kernels print such lines."""
    columns = set(report.columns)
    if "oom_score_adj" not in columns:
        raise BadInput("the layout of a kernel before 2.6.36, which weighed total_vm, CPU time and age")
    for column, kernels, name in _LAYOUTS:
        if column in columns:
            return kernels, f"no release in the log; the layout is that of {name}"
    return _kernels_of_kill_line(report)


def _kernels_of_kill_line(report: OomReport) -> tuple[tuple[str, ...], str]:
    victim = report.victim
    scored = report.selected is not None
    bare = victim is not None and victim.seen_in is SeenIn.KILL_LINE and victim.oom_score_adj is None
    candidates = (
        (scored and report.summary_line, ("5.0",), "5.0"),
        (scored and report.tasks_state_line, ("4.19",), "4.19 or 4.20"),
        (scored, ("4.17", "4.15"), "4.15 to 4.18"),
        (bare and not report.wide_pid and not report.summary_line, ("rhel8.1",), "RHEL 8.1"),
        (bare and victim is not None and victim.uid is not None, ("rhel8.3",), "RHEL 8.3"),
        (bare, ("5.2", "5.3"), "5.1 to 5.3"),
        (not report.summary_line, ("4.19",), "4.19 or 4.20"),
        (True, ("5.10", "5.4"), "5.4 to 6.7"),
    )
    kernels, name = next((kernels, name) for fits, kernels, name in candidates if fits)
    return kernels, f"no release in the log; by its lines it is {name}"


def scores_permille(report: OomReport) -> bool:
    """Whether this kernel compared whole permilles.

    It did before a7f638f999ff ("mm, oom: normalize oom scores to oom_score_adj scale only for userspace") (in v3.5);
    vendors mixed versions, so the layout of those kernels tells: no other has a column ``cpu``.
    """
    return "cpu" in report.columns


def _roots(report: OomReport, rules: Rules, permille: bool) -> tuple[RootDiscount, ...]:
    """Forms of the discount that this kernel may have had; a container's root never has it."""
    if not rules.root_discounts or all(row.uid != 0 for row in report.rows):
        return (RootDiscount.NONE,)
    forms = (RootDiscount.TOTALPAGES,) if permille else rules.root_discounts
    return (*forms, RootDiscount.NONE)


def _totals(report: OomReport, page_size: int, rules: Rules) -> Iterator[tuple[int, str]]:
    """Candidates for totalpages, each with what it assumes."""
    if report.constraint is Constraint.MEMCG:
        yield from _memcg_totals(report, page_size)
        return
    machine = report.machine
    if machine.ram_pages is None:
        return
    swap = (machine.total_swap_bytes or 0) // page_size
    whole = max(machine.ram_pages - (machine.reserved_pages or 0) + swap, 1)
    if report.constraint in (Constraint.CPUSET, Constraint.MEMPOLICY):
        nodes = report.nodemask if report.constraint is Constraint.MEMPOLICY else report.mems_allowed
        present = sum(zone.present_bytes for zone in machine.zones if nodes is None or zone.node in nodes)
        if present:
            kind = "spanned pages are not printed, present ones taken" if rules.spanned_nodes else ""
            yield max(present // page_size + swap, 1), kind
        yield from _scored_totals(report, page_size)
        yield whole, "the pages of the allowed nodes are not printed, all RAM taken"
        return
    yield whole, ""


def _scored_totals(report: OomReport, page_size: int) -> Iterator[tuple[int, str]]:
    """The totalpages that the printed score needs, where the log does not give them."""
    selected = report.selected
    row = None if selected is None else report.row_of(selected.pid)
    if selected is None or not selected.score or row is None or row.oom_score_adj:
        return
    points = size_of(row, page_size)
    if points > 0 and selected.score > 0:
        yield max(points * 2000 // (2 * selected.score + 1), 1), "totalpages as the printed score needs it"


def _memcg_totals(report: OomReport, page_size: int) -> Iterator[tuple[int, str]]:
    """``mem_cgroup_get_max``: the limit, and swap that the report does not print."""
    counters = report.memcg
    if counters.memory is None:
        return
    limit = counters.memory.limit_bytes
    memory = None if limit is None else limit // page_size
    memsw = counters.memsw.limit_bytes if counters.memsw and counters.memsw.limit_bytes is not None else None
    swap_limit = counters.swap.limit_bytes if counters.swap and counters.swap.limit_bytes is not None else None
    host = report.machine.total_swap_bytes  # 3.x prints Mem-Info in a cgroup's report too
    version = 2 if counters.swap is not None else 1

    def total(swap_bytes: int) -> int | None:
        return memcg_totalpages(
            MemcgLimits(
                version,
                memory,
                None if swap_limit is None else swap_limit // page_size,
                None if memsw is None else memsw // page_size,
                swap_bytes // page_size,
            )
        )

    candidates: list[tuple[int | None, str]] = []
    if host is not None:
        candidates.append((total(host), ""))
    else:
        scored = "totalpages as the printed score needs it"
        candidates += [(pages, scored) for pages in _scored_memcg(report, page_size)]
        used = _swap_in_use(report, page_size)
        ceiling = memsw - (limit or 0) if memsw is not None else swap_limit
        # A full cgroup with swap at hand would have used it: without a page in swap there is none to count.
        if not used:
            candidates.append((total(0), "the host's swap is not printed, none assumed"))
        else:
            candidates.append((total(used), "the host's swap is not printed, as much as is in use assumed"))
            most = (memory or 0) * 2 * page_size if ceiling is None else ceiling
            candidates.append((total(max(most, used)), "the host's swap is not printed, plenty assumed"))
    seen = set()
    for pages, assumed in candidates:
        if pages is not None and pages not in seen:
            seen.add(pages)
            yield pages, assumed


def _swap_in_use(report: OomReport, page_size: int) -> int:
    """Bytes of swap that the cgroup certainly uses, so that the machine has at least as much."""
    counters = report.memcg
    counted = counters.swap.usage_bytes if counters.swap else 0
    if counters.memsw and counters.memory:
        counted = max(counted, counters.memsw.usage_bytes - counters.memory.usage_bytes)
    return max(counted, sum(row.swap_pages or 0 for row in report.rows) * page_size)


def _scored_memcg(report: OomReport, page_size: int) -> Iterator[int]:
    memory = report.memcg.memory
    for pages, _ in _scored_totals(report, page_size):
        if memory is None or memory.limit_bytes is None or pages * page_size >= memory.limit_bytes:
            yield pages
