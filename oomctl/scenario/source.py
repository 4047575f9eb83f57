"""What ``simulate --from`` is asked about: a scenario document, or a report in a kernel log."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator

from oomctl.console import complain
from oomctl.errors import BadInput, ImpossibleHere, NothingMatched
from oomctl.kernel.constraint import confined_to_nodes, memcg_totalpages, nodes_totalpages
from oomctl.kernel.scenario_rules import rules_of, rules_of_reading
from oomctl.kernel.scores import totalpages_doubts
from oomctl.kernel.selection import memcg_order
from oomctl.model.kernel import Constraint, Doubt, Doubtful
from oomctl.model.oomreport import OomReport
from oomctl.oomlog import sources
from oomctl.oomlog.parser import parse_blocks
from oomctl.oomlog.replay import scenario_of
from oomctl.procfs import nodes as numa
from oomctl.scenario import document as documents
from oomctl.scenario.question import Question, Shortage, check


def from_file(name: str, scope: Shortage) -> Question:
    """Ask about a scenario document (``-`` is stdin), or a kernel log's report: ``FILE#2`` is its second.

    Either may be compressed with gzip or xz.
    Without a number it is the first that has a task table: others, such as those of earlyoom's kills, say too little.
    """
    check(scope)
    path, number = name, None
    report = re.fullmatch(r"(.+)#(\d{1,9})", name)
    if report is not None and not os.path.exists(name):
        path, number = report[1], int(report[2])
    called = sources.called(path)
    with sources.opened(path) as stored:
        _beginning(stored, called)
        stream = sources.plain(stored, called)
        begins_with = _beginning(stream, called)
        content = b""
        if path == name and begins_with in (b"{", b"["):
            content = _read(stream, called)
            # Time stamps of the kernel stand in brackets, as lists do.
            if begins_with == b"{" or _is_json(content):
                return _from_document(content, called, scope)
        return _from_log(sources.blocks_of(stream, called, content), called, number, scope)


def _beginning(stream: io.BufferedReader, called: str) -> bytes:
    """Return the first byte that is not blank, without taking it out of the stream."""
    try:
        first = stream.peek(1)
    except OSError as error:
        raise BadInput(f"{called}: {error.strerror or error}") from None
    if not first:
        raise BadInput(f"{called}: empty; expected what oomctl snapshot prints, or a kernel log")
    return first.lstrip()[:1]


def _read(stream: io.BufferedReader, called: str) -> bytes:
    """Return what may be a document: all of it, or one byte more than the largest one has."""
    try:
        return stream.read(documents.LARGEST_DOCUMENT + 1)
    except OSError as error:
        raise BadInput(f"{called}: {error.strerror or error}") from None


def _is_json(content: bytes) -> bool:
    try:
        documents.values_of(content)
    except BadInput:
        return False
    return True


def _from_log(blocks: Iterator[bytes], called: str, number: int | None, scope: Shortage) -> Question:
    if any(scope):
        raise BadInput("a kernel log says which memory ran out; --cgroup, --nodes and --for do not go with it")
    report = _report(parse_blocks(blocks), number)
    if report is None:
        if number in (1, None):
            raise NothingMatched(
                f"{called}: no OOM report in it, and no scenario document (oomctl snapshot prints one)"
            )
        raise NothingMatched(f"{called}: it has no OOM report number {number}")
    try:
        return Question(scenario_of(report), None, None)
    except BadInput as error:
        raise BadInput(f"{called}: report {report.number}: {error}") from None


def _report(reports: Iterator[OomReport], number: int | None) -> OomReport | None:
    """Return the report with that number, or the first with a table, else the first; None: there is none."""
    first = None
    for report in reports:
        first = first or report
        if report.rows if number is None else report.number == number:
            return report
    return first if number is None else None


def _from_document(content: bytes, name: str, scope: Shortage) -> Question:
    try:
        document = documents.parse(content)
    except BadInput as error:
        raise BadInput(f"{name}: {error}") from None
    for field in document.unknown_fields[:5]:
        complain(f"{name}: {field}: unknown field, ignored")
    scenario = document.scenario
    if document.unknown_fields:
        doubt = Doubt(Doubtful.UNKNOWN_FIELDS, len(document.unknown_fields), document.unknown_fields[0])
        scenario = scenario._replace(doubts=(*scenario.doubts, doubt))
    if not any(doubt.kind is Doubtful.OTHER_TOTALPAGES for doubt in scenario.doubts):
        doubts = totalpages_doubts(scenario.tasks, scenario.context, rules_of_reading(scenario))
        scenario = scenario._replace(doubts=(*scenario.doubts, *doubts))
    if scope.nearest_for is not None:
        raise BadInput("--for asks what is left under live limits; a document does not say (use --cgroup or --nodes)")
    context = scenario.context
    if scope.cgroup is not None:
        cgroup = "/" + scope.cgroup.strip("/")
        if cgroup not in document.memcgs:
            raise ImpossibleHere(f"cgroup {cgroup}: the document has no limits for it")
        limits = document.memcgs[cgroup]
        total = memcg_totalpages(limits)
        # What is left was read for the memory that the document is about.
        context = context._replace(
            constraint=Constraint.MEMCG,
            memcg=cgroup,
            totalpages=total or context.totalpages,
            left_pages=None,
            unlimited=total is None,
        )
        tasks = tuple(task for task in scenario.tasks if limits.use_hierarchy or task.memcg == cgroup)
        if scenario.context.constraint is not Constraint.MEMCG:  # they stand in the order of a walk over all
            tasks = memcg_order(tasks, rules_of(scenario))
        return Question(scenario._replace(context=context, tasks=tasks), None, None)
    if scope.nodes is not None:
        allowed = numa.parse_list(scope.nodes)
        if allowed - document.nodes.keys():
            known = ", ".join(map(str, sorted(document.nodes))) or "none"
            raise BadInput(f"--nodes {scope.nodes}: the document knows the nodes {known}")
        rules = rules_of(scenario)
        totalpages = nodes_totalpages(document.nodes, allowed, document.swap_total_pages, rules)
        context = confined_to_nodes(context, allowed, totalpages, scope.mempolicy)
    return Question(scenario._replace(context=context), None, None)
