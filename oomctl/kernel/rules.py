"""What differs between kernels: one row for every version in which the choice of a victim changed.

Nothing else in oomctl asks for a version; everything else asks a ``Rules`` value.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import Enum
from typing import Any, NamedTuple

from oomctl.errors import BadInput
from oomctl.kernel.distributions import LABELS, Backport, Unsure, distribution_of
from oomctl.model.kernel import Probed

OLDEST = "3.10"
"""The rules were compared with sources from here to 7.1; later kernels are taken to behave alike."""


class Dying(Enum):
    """What a task that is already dying does to the scan (oom_scan_process_thread, oom_evaluate_task).

    sysrq-f goes on in all versions.
    """

    ANY_UNTRACED_ABORTS = "any exiting task with memory stops the scan, unless traced at exit"
    ANY_ABORTS = "any exiting task with memory stops the scan"
    VICTIM_ABORTS = "only a victim of the OOM killer stops the scan"


class Walk(Enum):
    """How the members of a memory cgroup are visited."""

    THREADS_NEWEST_FIRST = "every thread, newest first"
    """``cgroup_post_fork`` and ``cgroup_task_migrate`` put a task at the head of the list."""
    THREADS = "every thread"
    PROCESSES = "thread group leaders"


class Pgtables(Enum):
    """Which page tables count."""

    PTE = "nr_ptes"
    PTE_PMD = "nr_ptes + nr_pmds"
    BYTES = "pgtables_bytes / PAGE_SIZE"


class Counters(Enum):
    """How RSS is counted, and so which file under /proc shows the killer's own number."""

    PER_THREAD = "split per thread; stat, statm, status and the killer read the same sum"
    PER_CPU = "approximate per-CPU counters, read alike by everyone"
    PER_CPU_EXACT_STATUS = "status and statm sum exactly, the killer and stat read the approximation"
    EXACT = "the killer sums exactly as status does; stat is still approximate"


class RootDiscount(Enum):
    """What CAP_SYS_ADMIN takes off a task's badness."""

    NONE = "none"
    POINTS = "3% of its points"
    TOTALPAGES = "3% of totalpages"


class Rules(NamedTuple):
    """What one version of the kernel does in its own way."""

    last_wins: bool
    """On equal badness the task scanned later is taken; otherwise the first one stays."""
    signed: bool
    """Negative badness keeps its order; otherwise everything below 1 counts as 1."""
    root_discounts: tuple[RootDiscount, ...]
    """For CAP_SYS_ADMIN; several where one stable release of the version took the next one's. Empty: none."""
    sacrifices_child: bool
    """The worst child with memory of its own dies instead of the chosen process."""
    spanned_nodes: bool
    """cpuset and mempolicy totalpages count spanned pages (holes included), not present ones."""
    walk: Walk
    dying: Dying
    skips_vfork_and_reaped: bool
    origin_needs_memory: bool
    """An OOM origin without memory of its own is passed over; otherwise it is chosen, and nobody dies."""
    sharers_stop_silent_mark: bool
    """A dying task is marked silently only if everyone on its memory is dying, and the reaper has not been there."""
    spares_protected_sharer: bool
    """A process that shares the victim's memory survives when its own adj is -1000."""
    numa_test_in_memcg: bool
    interleave_binds: bool
    """MPOL_INTERLEAVE elsewhere spares a task from a mempolicy OOM as MPOL_BIND does."""
    nofs_kills_in_memcg: bool
    """An allocation without __GFP_FS still kills when a memory cgroup is full."""
    sysrq_may_panic: bool
    oom_group: bool
    pgtables: Pgtables
    counters: Counters

    @property
    def root_bonus(self) -> bool:
        """3 % off for CAP_SYS_ADMIN, whatever of; ``badness`` takes it off the task's points."""
        return bool(self.root_discounts)


_OLDEST_RULES = Rules(
    last_wins=False,
    signed=False,
    root_discounts=(RootDiscount.POINTS, RootDiscount.TOTALPAGES),
    sacrifices_child=True,
    spanned_nodes=True,
    walk=Walk.THREADS_NEWEST_FIRST,
    dying=Dying.ANY_UNTRACED_ABORTS,
    skips_vfork_and_reaped=False,
    origin_needs_memory=True,
    sharers_stop_silent_mark=False,
    spares_protected_sharer=True,
    numa_test_in_memcg=True,
    interleave_binds=True,
    nofs_kills_in_memcg=False,
    sysrq_may_panic=True,
    oom_group=False,
    pgtables=Pgtables.PTE,
    counters=Counters.PER_THREAD,
)

# Commit ids as quoted in mails and commit lists; where none is given, the trees of the version before
# and of this version were compared.
_HISTORY: tuple[tuple[tuple[int, int], dict[str, Any]], ...] = (
    ((3, 10), {}),
    (  # 778c14affaf9 ("mm, oom: base root bonus on current usage"); later 3.10.y, as they were read, have it too
        (3, 14),
        {"root_discounts": (RootDiscount.POINTS,)},
    ),
    ((4, 0), {"pgtables": Pgtables.PTE_PMD}),  # nr_pmds joins nr_ptes
    (
        (4, 4),
        {"walk": Walk.THREADS, "dying": Dying.ANY_ABORTS, "sysrq_may_panic": False},
    ),
    (  # with the OOM reaper; f44666b04605 visits processes, not threads, and asks for their memory later;
        # 1af8bb432695 ("mm, oom: fortify task_will_free_mem()")
        (4, 8),
        {
            "dying": Dying.VICTIM_ABORTS,
            "skips_vfork_and_reaped": True,
            "origin_needs_memory": False,
            "sharers_stop_silent_mark": True,
            "spares_protected_sharer": False,
        },
    ),
    ((4, 15), {"pgtables": Pgtables.BYTES}),  # af5b0f6a09e4 ("mm: consolidate page table accounting")
    ((4, 17), {"root_discounts": ()}),  # d46078b28889 ("mm, oom: remove 3% bonus for CAP_SYS_ADMIN processes")
    ((4, 19), {"oom_group": True}),
    ((5, 1), {"sacrifices_child": False}),  # bbbe48029720 ("mm, oom: remove 'prefer children over parent'")
    ((5, 3), {"last_wins": True, "walk": Walk.PROCESSES, "numa_test_in_memcg": False}),
    ((5, 4), {"spanned_nodes": False, "nofs_kills_in_memcg": True}),
    ((5, 9), {"signed": True}),  # 9066e5cfb73c ("mm, oom: make the calculation of oom badness more accurate")
    ((5, 14), {"interleave_binds": False}),
    (
        (6, 2),
        {"counters": Counters.PER_CPU},
    ),  # f1a7941243c1 ("mm: convert mm's rss stats into percpu_counter")
    ((6, 16), {"counters": Counters.PER_CPU_EXACT_STATUS}),  # 82241a83cd15 (exact values in /proc)
    ((7, 0), {"counters": Counters.EXACT}),
)

_STABLE_BACKPORTS: dict[tuple[int, int], tuple[int, dict[str, Any]]] = {
    (5, 4): (144, {"signed": True}),
    (6, 6): (99, {"counters": Counters.PER_CPU_EXACT_STATUS}),
    (6, 12): (38, {"counters": Counters.PER_CPU_EXACT_STATUS}),
    (6, 15): (7, {"counters": Counters.PER_CPU_EXACT_STATUS}),
}

_BACKPORTS: dict[Backport, dict[str, Any]] = {
    Backport.POINTS_DISCOUNT: {"root_discounts": (RootDiscount.POINTS,)},
    Backport.OOM_GROUP: {"oom_group": True},
    Backport.NO_SACRIFICE: {"sacrifices_child": False},
    Backport.LAST_OF_EQUALS: {"last_wins": True, "walk": Walk.PROCESSES},
    Backport.SIGNED: {"signed": True},
    Backport.PER_CPU_RSS: {"counters": Counters.PER_CPU},
}

_SIGNS = {Probed.SIGNED, Probed.UNSIGNED}

_LABEL = re.compile(r"rhel(\d{1,9})(?:\.(\d{1,9}))?$", re.ASCII)
_OTHER_RHEL_8 = "4.18.0-193.el8"
_RELEASE = re.compile(r"(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?", re.ASCII)


class Verdict(NamedTuple):
    """What is known of a kernel by its name."""

    rules: Rules
    unsure: frozenset[Unsure] = frozenset()
    """Nobody has verified this of such kernels, and it may decide who dies."""
    what: str = "mainline"
    """Whose kernel it is, in a few words for people."""

    @property
    def guessed(self) -> bool:
        """Whether something that matters is only assumed."""
        return bool(self.unsure)


def rules_for(kernel: str, probed: Collection[Probed] = ()) -> Rules:
    """Return the rules of ``kernel``: a release (``6.1.20``, ``4.18.0-240.el8.x86_64``) or ``rhel8.1``.

    Raises BadInput for what is neither and for kernels before 3.10. ``probed``: what such a kernel was seen to do.
    """
    return known(kernel, probed).rules


def known(kernel: str, probed: Collection[Probed] = ()) -> Verdict:
    """Return the rules of a kernel, as ``rules_for`` does, and whether somebody has verified them.

    What was probed is beyond doubt, whatever the name says.
    """
    release = _release_of_label(kernel) or kernel
    match = _RELEASE.match(release)
    if match is None:
        raise BadInput(f"kernel {kernel!r}: expected a release such as 6.1.20, or a label such as rhel8.1")
    version = int(match[1]), int(match[2])
    if version < _HISTORY[0][0]:
        raise BadInput(f"kernel {kernel}: the rules are known from {OLDEST} on")
    row = distribution_of(release)
    rules = _mainline(row.base if row is not None and row.base is not None else version)
    since, changes = _STABLE_BACKPORTS.get(version, (0, {}))
    if (row is None or row.base is None) and int(match[3] or 0) >= since:
        rules = rules._replace(**changes)
    if row is None:
        return Verdict(_as_probed(rules, probed))
    for backport in row.backports:
        rules = (
            _with_exact_status(rules) if backport is Backport.EXACT_STATUS else rules._replace(**_BACKPORTS[backport])
        )
    unsure = row.unsure - {Unsure.SIGN} if _SIGNS & set(probed) else row.unsure
    return Verdict(_as_probed(rules, probed), unsure, row.what)


def _as_probed(rules: Rules, probed: Collection[Probed]) -> Rules:
    if _SIGNS & set(probed):
        rules = rules._replace(signed=Probed.SIGNED in probed)
    if Probed.EXACT_STATUS in probed and rules.counters is not Counters.EXACT:
        rules = rules._replace(counters=Counters.PER_CPU_EXACT_STATUS)
    if Probed.PMD_TABLES in probed:
        rules = rules._replace(pgtables=Pgtables.PTE_PMD)
    return rules


def _with_exact_status(rules: Rules) -> Rules:
    exact = rules.counters is Counters.PER_CPU
    return rules._replace(counters=Counters.PER_CPU_EXACT_STATUS) if exact else rules


def is_before_oldest(kernel: str) -> bool:
    """Whether a release is too old for ``rules_for``; False for what is no release."""
    match = _RELEASE.match(kernel)
    return match is not None and (int(match[1]), int(match[2])) < _HISTORY[0][0]


def known_kernels() -> dict[str, str]:
    """Return what ``rules_for`` accepts and has rules of its own for, with what it is; the newest first."""
    releases = [f"{major}.{minor}" for (major, minor), _ in reversed(_HISTORY)]
    return dict.fromkeys(releases, "and later") | dict.fromkeys(LABELS, "a vendor's kernel")


def _mainline(version: tuple[int, int]) -> Rules:
    rules = _OLDEST_RULES
    for since, changes in _HISTORY:
        if since <= version:
            rules = rules._replace(**changes)
    return rules


def _release_of_label(kernel: str) -> str | None:
    """Return the release that a label stands for: the oldest minor it is known of, that of others in between."""
    label = _LABEL.match(kernel)
    if label is None:
        return None
    major, minor = int(label[1]), int(label[2] or 99)
    if major == 8:
        return LABELS["rhel8.3"] if minor >= 3 else LABELS["rhel8.1"] if minor == 1 else _OTHER_RHEL_8
    if f"rhel{major}" not in LABELS:
        raise BadInput(f"kernel {kernel!r}: known labels are {', '.join(LABELS)}")
    return LABELS[f"rhel{major}"]
