"""Scenario documents (``oomctl.scenario/1``) <-> model. Every refusal names the field."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from oomctl.errors import BadInput
from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN
from oomctl.kernel.constraint import memcg_totalpages, nodes_totalpages
from oomctl.kernel.rules import Rules, rules_for
from oomctl.model.kernel import Constraint, Context, MemcgLimits, Mempolicy, NodePages, Scenario, Task, Thread
from oomctl.scenario.fields import Fields, shortened

SCHEMA = "oomctl.scenario/1"
_LONGEST_RELEASE = 128  # __NEW_UTS_LEN is 64
LARGEST_DOCUMENT = 8 << 20
"""Bytes; a snapshot of 10,000 processes is 3 to 5 MiB, 7 where each is in a cgroup of Kubernetes of its own."""
MOST_VALUES = 1 << 19
"""Numbers, strings, lists and objects in a document: once read, each takes up to 70 bytes, ..."""
MOST_OBJECTS = 1 << 17
"""... an object ten times as much with what is made of it."""
MOST_TASKS = 1 << 16
_MOST_MEMCGS = 1 << 16


class Document(NamedTuple):
    """A scenario document, read."""

    scenario: Scenario
    memcgs: dict[str, MemcgLimits]
    """Limits of the cgroups it knows, for a question about another scope."""
    nodes: dict[int, NodePages]
    swap_total_pages: int
    unknown_fields: tuple[str, ...]
    """Paths of fields that were not understood and so ignored."""


def parse(text: str | bytes) -> Document:
    """Read a scenario document; BadInput says which field is wrong and what was expected."""
    top = Fields(values_of(text), "")
    schema = top.text("schema", SCHEMA)
    if schema != SCHEMA:
        raise BadInput(f"schema: expected {SCHEMA}, got {shortened(schema)!r}")
    kernel = top.text("kernel", longest=_LONGEST_RELEASE)
    try:
        rules = rules_for(kernel)
    except BadInput as error:
        raise BadInput(f"kernel: {error}") from None
    context_fields = top.child("context")
    context, memcgs, nodes, swap = _context(context_fields, rules)
    page_size = top.page_size(context_fields.page_size(4096))
    tasks = tuple(_task(fields, page_size) for fields in top.children("tasks", MOST_TASKS))
    _refuse_duplicates(tasks)
    scenario = Scenario(
        kernel,
        context,
        tasks,
        page_size,
        unread_candidates=top.whole("unread_candidates", 0),
        unread_unkillable=top.whole("unread_unkillable", 0),
        hidden=top.whole("hidden_processes", 0),
    )
    return Document(scenario, memcgs, nodes, swap, tuple(top.unknown()))


def values_of(text: str | bytes) -> object:
    """Read JSON in memory of about ten times its size."""
    if len(text) > LARGEST_DOCUMENT:
        raise BadInput(f"scenario: larger than {LARGEST_DOCUMENT >> 20} MiB, which is room for 10,000 processes")
    # What a value takes in memory does not depend on the few bytes that it has in the text, so the count is bounded
    # before any is made. Commas within strings count too, which no name of a process or cgroup has many of.
    if isinstance(text, bytes):
        others, objects = text.count(b",") + text.count(b"["), text.count(b"{")
    else:
        others, objects = text.count(",") + text.count("["), text.count("{")
    if objects > MOST_OBJECTS or others + objects > MOST_VALUES:
        most = f"{MOST_OBJECTS} objects" if objects > MOST_OBJECTS else f"{MOST_VALUES} values"
        raise BadInput(f"scenario: more than {most}; expected at most {MOST_TASKS} tasks")
    try:
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_object)
    except RecursionError:
        raise BadInput("scenario: nested too deeply") from None
    except ValueError as error:
        raise BadInput(f"scenario: not JSON: {error}") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        times = Counter(name for name, _ in pairs)
        twice = next(name for name, count in times.items() if count > 1)
        raise BadInput(f"scenario: {shortened(twice)!r} stands twice in one object")
    return values


def as_document(
    scenario: Scenario,
    memcgs: Mapping[str, MemcgLimits],
    nodes: Mapping[int, NodePages],
    swap_total_pages: int,
) -> dict[str, Any]:
    """Return the document that ``parse`` reads back; sizes in pages, defaults left out."""
    context = scenario.context
    written = {
        "constraint": context.constraint.value,
        "totalpages": context.totalpages,
        "memcg": context.memcg,
        "current": context.current,
        "current_mems": _sorted(context.current_mems),
        "nodemask": _sorted(context.nodemask),
        "order": context.order or None,
        "gfp_fs": None if context.gfp_fs else False,
        "sysrq": context.sysrq or None,
        "panic_on_oom": context.panic_on_oom or None,
        "oom_kill_allocating_task": int(context.oom_kill_allocating_task) or None,
        "oom_group": sorted(context.oom_groups) or None,
        "cpus": context.cpus,
        "swap_total": swap_total_pages,
        "nodes": {str(node): pages._asdict() for node, pages in nodes.items()} or None,
        "memcgs": {path: _limits_document(limits) for path, limits in memcgs.items()} or None,
    }
    return {
        "schema": SCHEMA,
        "kernel": scenario.kernel,
        "page_size": scenario.page_size,
        "hidden_processes": scenario.hidden,
        "unread_candidates": scenario.unread_candidates,
        "unread_unkillable": scenario.unread_unkillable,
        "context": _given(written),
        "tasks": [_task_document(task) for task in scenario.tasks],
    }


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _sorted(nodes: frozenset[int] | None) -> list[int] | None:
    return None if nodes is None else sorted(nodes)


def _task_document(task: Task) -> dict[str, Any]:
    flags = (
        *("init", "kthread", "zombie", "running", "oom_victim", "oom_skip"),
        *("exiting", "ptraced_exit", "origin", "cap_sys_admin"),
    )
    facts = {
        "pid": task.pid,
        "ppid": task.ppid,
        "uid": task.uid,
        "comm": task.comm,
        "rss": task.rss_pages,
        "swap": task.swap_pages,
        "pgtables_pages": task.pgtables_pages,
        "adj": task.adj,
        "rss_anon": task.anon_pages,
        "vsize_bytes": task.vsize_bytes or None,
        "start_ticks": task.start_ticks or None,
        "oom_score": task.oom_score,
        "memcg": task.memcg,
        "mm": task.mm,
        "mems": _sorted(task.mems),
        "mempolicy": _mempolicy_document(task.mempolicy),
        "threads": [_thread_document(thread) for thread in task.threads] or None,
        "leader_zombie": task.zombie_leader or None,
        "vfork_of": task.ppid if task.vfork else None,
        **{flag: getattr(task, flag) or None for flag in flags},
    }
    return _given(facts)


def _thread_document(thread: Thread) -> dict[str, Any]:
    facts = {
        "tid": thread.tid,
        "comm": thread.comm,
        "memcg": thread.memcg,
        "mems": _sorted(thread.mems),
        "mempolicy": _mempolicy_document(thread.mempolicy),
    }
    return _given(facts)


def _mempolicy_document(policy: Mempolicy | None) -> dict[str, Any] | None:
    return None if policy is None else {"mode": policy.mode, "nodes": sorted(policy.nodes)}


def _limits_document(limits: MemcgLimits) -> dict[str, Any]:
    memory = {1: "memory_limit", 2: "memory_max"}[limits.version]
    kind = {"memsw_limit": limits.memsw_pages} if limits.version == 1 else {"swap_max": limits.swap_pages}
    return {
        "version": limits.version,
        memory: limits.memory_pages,
        **kind,
        "swap_total": limits.swap_total_pages,
        "swappiness": limits.swappiness,
    }


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _refuse_duplicates(tasks: tuple[Task, ...]) -> None:
    seen: set[int] = set()
    for index, task in enumerate(tasks):
        if task.pid in seen:
            raise BadInput(f"tasks[{index}].pid: {task.pid} appears twice")
        seen.add(task.pid)


def _context(fields: Fields, rules: Rules) -> tuple[Context, dict[str, MemcgLimits], dict[int, NodePages], int]:
    kinds = {constraint.value: constraint for constraint in Constraint}
    constraint = kinds[fields.choice("constraint", tuple(kinds))]
    nodes = {node: _node_pages(pages) for node, pages in fields.nodes("nodes")}
    swap = fields.whole("swap_total", 0)
    memcgs = {path: _limits(limits) for path, limits in fields.named("memcgs", _MOST_MEMCGS)}
    limits = fields.optional_child("limits")
    by_limits = None if limits is None else memcg_totalpages(_limits(limits))
    memcg = fields.text("memcg", "/" if constraint is Constraint.MEMCG else None)
    current_mems = fields.node_set("current_mems")
    nodemask = fields.node_set("nodemask")
    given = fields.whole("totalpages", None, least=1)
    if given is None:
        given = by_limits
    if given is None and nodes:
        allowed = (nodemask if constraint is Constraint.MEMPOLICY else current_mems) or frozenset(nodes)
        for node in sorted(allowed - nodes.keys()):
            raise BadInput(f"context.nodes.{node}: missing, its pages are needed for totalpages")
        given = nodes_totalpages(nodes, allowed, swap, rules)
    if given is None:
        raise BadInput("context.totalpages: missing, and no limits or nodes that it follows from")
    groups = fields.texts("oom_group") if fields.whole("cgroup", 2) == 2 else frozenset()
    context = Context(
        constraint,
        given,
        memcg,
        current=fields.whole("current", None),
        current_mems=current_mems,
        nodemask=nodemask,
        order=fields.whole("order", 0, least=-1),
        gfp_fs=fields.flag("gfp_fs", True),
        sysrq=fields.flag("sysrq"),
        panic_on_oom=fields.whole("panic_on_oom", 0, most=2),
        oom_kill_allocating_task=fields.flag("oom_kill_allocating_task"),
        oom_groups=groups,
        cpus=fields.whole("cpus", None, least=1),
    )
    return context, memcgs, nodes, swap


def _limits(fields: Fields) -> MemcgLimits:
    version = fields.whole("version", 2, least=1, most=2)
    if version == 1:
        return MemcgLimits(
            1,
            fields.whole("memory_limit", None),
            memsw_pages=fields.whole("memsw_limit", None),
            swap_total_pages=fields.whole("swap_total", 0),
            swappiness=fields.whole("swappiness", 60),
        )
    return MemcgLimits(
        2,
        fields.whole("memory_max", None),
        swap_pages=fields.whole("swap_max", None),
        swap_total_pages=fields.whole("swap_total", 0),
        swappiness=fields.whole("swappiness", 60),
    )


def _node_pages(fields: Fields) -> NodePages:
    present = fields.whole("present")
    return NodePages(present, fields.whole("spanned", present))


def _task(fields: Fields, page_size: int) -> Task:
    pgtables_bytes = fields.whole("pgtables_bytes", None)
    pgtables = fields.whole("pgtables_pages", 0)
    return Task(
        pid=fields.whole("pid", least=1),
        comm=fields.text("comm"),
        ppid=fields.whole("ppid", 0),
        uid=fields.whole("uid", 0),
        rss_pages=fields.whole("rss"),
        swap_pages=fields.whole("swap", 0),
        pgtables_pages=pgtables if pgtables_bytes is None else pgtables_bytes // page_size,
        adj=fields.whole("adj", 0, least=ADJ_MIN, most=ADJ_MAX),
        start_ticks=fields.whole("start_ticks", 0),
        oom_score=fields.whole("oom_score", None),
        anon_pages=fields.whole("rss_anon", None),
        vsize_bytes=fields.whole("vsize_bytes", 0),
        memcg=fields.text("memcg", None),
        mm=fields.text("mm", None),
        mems=fields.node_set("mems"),
        mempolicy=_mempolicy(fields),
        threads=tuple(_thread(thread) for thread in fields.children("threads", MOST_TASKS, required=False)),
        init=fields.flag("init"),
        kthread=fields.flag("kthread"),
        zombie=fields.flag("zombie"),
        zombie_leader=fields.flag("leader_zombie"),
        vfork=fields.whole("vfork_of", None) is not None,
        running=fields.flag("running"),
        oom_victim=fields.flag("oom_victim"),
        oom_skip=fields.flag("oom_skip"),
        exiting=fields.flag("exiting"),
        ptraced_exit=fields.flag("ptraced_exit"),
        origin=fields.flag("origin"),
        cap_sys_admin=fields.flag("cap_sys_admin"),
    )


def _thread(fields: Fields) -> Thread:
    return Thread(
        fields.whole("tid", least=1),
        fields.text("comm", ""),
        fields.text("memcg", None),
        fields.node_set("mems"),
        _mempolicy(fields),
    )


def _mempolicy(fields: Fields) -> Mempolicy | None:
    policy = fields.optional_child("mempolicy")
    if policy is None:
        return None
    return Mempolicy(policy.text("mode"), policy.node_set("nodes") or frozenset())
