"""Scenario documents (``oomctl.scenario/1``) <-> model. Every refusal names the field."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from oomctl.errors import BadInput
from oomctl.kernel.constraint import memcg_totalpages, nodes_totalpages
from oomctl.kernel.rules import Rules, rules_for
from oomctl.model.kernel import Constraint, Context, MemcgLimits, NodePages, Scenario, Task
from oomctl.scenario import tables
from oomctl.scenario.fields import Fields, shortened

SCHEMA = "oomctl.scenario/1"
_LONGEST_RELEASE = 128  # __NEW_UTS_LEN is 64
LARGEST_DOCUMENT = 8 << 20
"""Bytes; a snapshot of 10,000 processes is 3 to 5 MiB, 7 where each is in a cgroup of Kubernetes of its own."""
MOST_VALUES = 1 << 19
"""Numbers, strings, lists and objects in a document: once read, each takes up to 70 bytes, ..."""
MOST_OBJECTS = 1 << 17
"""... an object ten times as much with what is made of it."""
_MOST_MEMCGS = 1 << 16
_CONTEXT_OF_V1 = tables.CONTEXT.without("oom_group")


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
    tasks = tuple(tables.read_task(fields, page_size) for fields in top.children("tasks", tables.MOST_TASKS))
    _refuse_duplicates(tasks)
    scenario = Scenario(kernel, context, tasks, page_size, **tables.SCENARIO.read(top))
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
        raise BadInput(f"scenario: more than {most}; expected at most {tables.MOST_TASKS} tasks")
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
        raise BadInput(f"scenario: {shortened(twice)!r} appears twice in one object")
    return values


def as_document(
    scenario: Scenario,
    memcgs: Mapping[str, MemcgLimits],
    nodes: Mapping[int, NodePages],
    swap_total_pages: int,
) -> dict[str, Any]:
    """Return the document that ``parse`` reads back; sizes in pages, defaults left out."""
    context = {**tables.CONTEXT.written(scenario.context), "swap_total": swap_total_pages}
    if nodes:
        context["nodes"] = {str(node): tables.node_document(pages) for node, pages in nodes.items()}
    if memcgs:
        context["memcgs"] = {path: tables.limits_document(limits) for path, limits in memcgs.items()}
    return {
        "schema": SCHEMA,
        "kernel": scenario.kernel,
        "page_size": scenario.page_size,
        **tables.SCENARIO.written(scenario),
        "context": context,
        "tasks": [tables.task_document(task) for task in scenario.tasks],
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
    given = (tables.CONTEXT if fields.whole("cgroup", 2) == 2 else _CONTEXT_OF_V1).read(fields)
    nodes = {node: tables.read_node(pages) for node, pages in fields.nodes("nodes")}
    swap = fields.whole("swap_total", 0)
    given.setdefault("swap_used", swap > 0)
    memcgs = {path: tables.read_limits(limits) for path, limits in fields.named("memcgs", _MOST_MEMCGS)}
    limits = fields.optional_child("limits")
    by_limits = None if limits is None else memcg_totalpages(tables.read_limits(limits))
    if given["constraint"] is Constraint.MEMCG:
        given.setdefault("memcg", "/")
    if "totalpages" not in given:
        given["totalpages"] = by_limits or _totalpages_of_nodes(given, nodes, swap, rules)
    return Context(**given), memcgs, nodes, swap


def _totalpages_of_nodes(given: Mapping[str, Any], nodes: Mapping[int, NodePages], swap: int, rules: Rules) -> int:
    if not nodes:
        raise BadInput("context.totalpages: missing, and no limits or nodes that it follows from")
    confined = given.get("nodemask" if given["constraint"] is Constraint.MEMPOLICY else "current_mems")
    allowed = confined or frozenset(nodes)
    for node in sorted(allowed - nodes.keys()):
        raise BadInput(f"context.nodes.{node}: missing, its pages are needed for totalpages")
    return nodes_totalpages(nodes, allowed, swap, rules)
