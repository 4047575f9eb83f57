"""Which memory ran out: how many pages that is, and which tasks it concerns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from oomctl.kernel.rules import Rules, Walk
from oomctl.model.kernel import (
    Constraint,
    Context,
    MemcgLimits,
    NodePages,
    Task,
    Thread,
    Unkillable,
    WhySpared,
)


def memcg_totalpages(limits: MemcgLimits) -> int | None:
    """Return totalpages of a cgroup's OOM (``mem_cgroup_get_max``); None: it has no limit to hit."""
    memory = limits.memory_pages
    swappable = limits.swap_total_pages if limits.swappiness else 0
    if limits.version == 1:
        bounds = [] if memory is None else [memory + swappable]
        if limits.memsw_pages is not None and (limits.swappiness or memory is None):
            bounds.append(limits.memsw_pages)
        return max(min(bounds), 1) if bounds else None
    if memory is None:
        return None
    if limits.swap_pages is not None:
        swappable = min(swappable, limits.swap_pages)
    return max(memory + swappable, 1)


def nodes_totalpages(
    nodes: Mapping[int, NodePages], allowed: Iterable[int], swap_total_pages: int, rules: Rules
) -> int:
    """Return totalpages of a cpuset or mempolicy OOM: the allowed nodes and all swap (``constrained_alloc``)."""
    pages = sum(nodes[node].spanned if rules.spanned_nodes else nodes[node].present for node in allowed)
    return max(pages + swap_total_pages, 1)


def confined_to_nodes(context: Context, allowed: frozenset[int], totalpages: int, mempolicy: bool) -> Context:
    """Return the context of an OOM on the NUMA nodes ``allowed``, which ``totalpages`` are the pages of.

    ``mempolicy``: a memory policy confines to them, else a cpuset (``constrained_alloc``).
    """
    return context._replace(
        constraint=Constraint.MEMPOLICY if mempolicy else Constraint.CPUSET,
        totalpages=totalpages,
        current_mems=None if mempolicy else allowed,
        nodemask=allowed if mempolicy else None,
        unlimited=False,
    )


def below(cgroup: str, ancestor: str) -> bool:
    """Whether the path ``cgroup`` is ``ancestor`` or lies under it.

    What lies outside of a cgroup namespace is shown as ``/../x`` there, which is not under ``/``.
    """
    if cgroup == ancestor:
        return True
    directory = ancestor.rstrip("/") + "/"
    return cgroup.startswith(directory) and not f"{cgroup}/".startswith("../", len(directory))


def concerns_everybody(context: Context) -> bool:
    """Whether neither a cgroup nor nodes of memory bound what ran out."""
    everywhere = context.nodemask is None and context.current_mems is None
    return everywhere and context.constraint is not Constraint.MEMCG


def outside(task: Task, context: Context, rules: Rules) -> WhySpared | None:
    """Why the OOM does not concern ``task``: wrong cgroup or NUMA-disjoint; None when it does."""
    if context.constraint is Constraint.MEMCG:
        if not _is_member(task, context.memcg or "/", rules):
            return _not_in_cgroup(context.memcg)
        if not rules.numa_test_in_memcg:
            return None
    elif concerns_everybody(context):
        return None
    members: tuple[Task | Thread, ...] = (task, *task.threads)
    if context.constraint is Constraint.MEMPOLICY:
        nodes = context.nodemask
        usable = nodes is None or any(_policy_allows(member, nodes, rules) for member in members)
    else:
        nodes = context.current_mems
        usable = nodes is None or any(member.mems is None or member.mems & nodes for member in members)
    return None if usable else _outside_nodes(nodes)


def _is_member(task: Task, memcg: str, rules: Rules) -> bool:
    paths = [task.memcg]
    if rules.walk is not Walk.PROCESSES:
        paths += [thread.memcg for thread in task.threads]
    # Every task is in some cgroup; where none is told it can only be the root.
    return any(below(path or "/", memcg) for path in paths)


def _policy_allows(member: Task | Thread, nodes: frozenset[int], rules: Rules) -> bool:
    """``mempolicy_in_oom_domain``, before v5.14 ``mempolicy_nodemask_intersects``."""
    policy = member.mempolicy
    binding = ("bind", "interleave") if rules.interleave_binds else ("bind",)
    return policy is None or policy.mode not in binding or bool(policy.nodes & nodes)


# One value for all tasks: they may be many.


@lru_cache(maxsize=4)
def _not_in_cgroup(memcg: str | None) -> WhySpared:
    return WhySpared(Unkillable.OTHER_MEMCG, memcg=memcg)


@lru_cache(maxsize=4)
def _outside_nodes(nodes: frozenset[int] | None) -> WhySpared:
    return WhySpared(Unkillable.OTHER_NODES, nodes=nodes)
