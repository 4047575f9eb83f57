"""The answers of ``simulate`` for many hosts: a line for each, for people and for scripts, and their sum."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from oomctl.model.kernel import Certainty, Round
from oomctl.render import simulation, verdict
from oomctl.render.cgroups import cut
from oomctl.render.fields import pid_of, tsv_line
from oomctl.render.fitting import Column, fitted
from oomctl.render.text import count, size, visible

_COLUMNS = (
    Column("HOST", least=12),
    Column("BEFORE", goes=1),
    Column("VICTIM", least=17, shorten=cut),
    Column("FREES", right=True, goes=2),
    Column("CERTAINTY", least=12, shorten=cut),
)
_BEFORE = 1
# A line is printed before the next one is known: so wide is what kernels usually call processes, and how they end.
_WIDEST = ("", "9999999 (fifteen-bytes-1)", "→ 9999999 (fifteen-bytes-1)", "1023.9MiB", "certain, settled")
_TSV = (
    *("host", "file", "round", "outcome", "pid", "comm", "oom_score_adj", "freed_bytes", "certainty", "contenders"),
    *("outcome_before", "pid_before", "comm_before", "changed", "missing", "error"),
)


class Failure(NamedTuple):
    """Why a host has no answer."""

    message: str
    detail: str | None
    exit_status: int


class Host(NamedTuple):
    """One host, and what came out."""

    origin: simulation.Origin
    answer: simulation.Answer | Failure


def document(host: Host) -> Iterator[str]:
    """Yield the JSON document of one host, on a line of its own, in parts."""
    if not isinstance(host.answer, Failure):
        yield from simulation.document(host.answer, host.origin)
        return
    failure = host.answer
    document = {
        "schema": "oomctl.error/1",
        "command": "simulate",
        "error": visible(failure.message),
        "detail": failure.detail and visible(failure.detail),
        "exit_status": failure.exit_status,
        "host": host.origin.host,
        "file": host.origin.file,
    }
    yield json.dumps(document) + "\n"


class Table:
    """A line for each host, laid out before the others are known."""

    def __init__(self, hosts: Sequence[simulation.Origin], supposes: bool, width: int | None) -> None:
        """``hosts``: all of them; ``supposes``: there is a before; ``width``: of the terminal, None: any."""
        self._supposes, self._width = supposes, width
        self._bearers = Counter(origin.host for origin in hosts)
        self._widest = (max((visible(self._name(origin)) for origin in hosts), key=len, default=""), *_WIDEST[1:])

    def heading(self) -> str:
        """Return the titles."""
        return self._lines([])[0] + "\n"

    def line(self, host: Host) -> str:
        """Return the line of one host."""
        cells = (self._name(host.origin), *_cells(host))
        return self._lines([tuple(visible(cell) for cell in cells)])[2] + "\n"

    def _name(self, origin: simulation.Origin) -> str:
        """Return the name of a host; of several with one name the file, which tells them apart."""
        return (origin.host if self._bearers[origin.host] == 1 else origin.file) or ""

    def _lines(self, rows: list[tuple[str, ...]]) -> list[str]:
        columns: tuple[Column, ...] = _COLUMNS
        cells = [self._widest, *rows]
        if not self._supposes:
            columns = columns[:_BEFORE] + columns[_BEFORE + 1 :]
            cells = [row[:_BEFORE] + row[_BEFORE + 1 :] for row in cells]
        return fitted(columns, cells, self._width).split("\n")


def tsv_heading() -> str:
    """Return the names of the columns for cut and awk."""
    return tsv_line(_TSV)


def tsv(host: Host) -> Iterator[str]:
    """Yield a line for each round of one host; for one without an answer the error."""
    origin = host.origin
    of_host = (visible(origin.host or ""), visible(origin.file or ""))
    if isinstance(host.answer, Failure):
        yield tsv_line((*of_host, *[""] * (len(_TSV) - len(of_host) - 1), visible(host.answer.message)))
        return
    before = _of_choice(host.answer.baseline)
    changed = "true" if _is_changed(host.answer) else "false"
    missing = " ".join(visible(word) for word in origin.missing)
    for number, result in enumerate(host.answer.rounds, start=1):
        outcome, pid, comm = _of_choice(result)
        adj = "" if result.victim is None else str(result.victim.task.adj)
        freed = str(result.freed_pages * host.answer.scenario.page_size)
        sure = (freed, result.certainty.value, str(len(result.contenders)))
        yield tsv_line((*of_host, str(number), outcome, pid, comm, adj, *sure, *before, changed, missing, ""))


class Sum:
    """Counts hosts by their answers."""

    def __init__(self) -> None:
        self._kinds: Counter[str] = Counter()
        self._changed = 0

    def take(self, host: Host) -> None:
        """Count one more."""
        self._kinds[_kind(host)] += 1
        self._changed += not isinstance(host.answer, Failure) and _is_changed(host.answer)

    def told(self, supposes: bool) -> str:
        """Return ``3 hosts: 2 certain, 1 close``; ``supposes``: also on how many the what-if changes the victim."""
        kinds = ", ".join(f"{self._kinds[kind]} {kind}" for kind in _KINDS if self._kinds[kind])
        changes = f"; the what-if changes the victim on {self._changed}" if supposes else ""
        return f"{count(sum(self._kinds.values()), 'host')}: {kinds}{changes}\n"


_KINDS = ("certain", "close", "not certain", "without a victim", "not answered")


def _kind(host: Host) -> str:
    if isinstance(host.answer, Failure):
        return "not answered"
    kills = [result for result in host.answer.rounds if result.victim is not None]
    if host.answer.rounds[0].victim is None:
        return "without a victim"
    unsure = [result for result in kills if result.certainty is not Certainty.CERTAIN]
    if not unsure:
        return "certain"
    return "close" if len(unsure[0].contenders) > 1 or not unsure[0].doubts else "not certain"


def _cells(host: Host) -> tuple[str, ...]:
    """Return what stands behind the name."""
    if isinstance(host.answer, Failure):
        return ("-", "-", "-", "not answered")
    answer = host.answer
    first, *others = answer.rounds
    missing = "".join(f"; no {word}" for word in host.origin.missing)
    before = _named(answer.baseline or first)
    arrow = "→ " if _is_changed(answer) else ""
    if first.victim is None:
        return (before, f"{arrow}-", "-", f"{verdict.of_round(first, answer.scenario.page_size)}{missing}")
    freed = size(sum(result.freed_pages for result in answer.rounds) * answer.scenario.page_size)
    victims = verdict.names_in_turn(answer.rounds) if others else _named(first)
    sure = verdict.sure_in_turn(answer.rounds) if others else _certainty(first)
    return (before, f"{arrow}{victims}", freed, f"{sure}{missing}")


def _certainty(result: Round) -> str:
    others = [task for task in result.contenders if result.victim is None or task.pid != result.victim.task.pid]
    if len(others) == 1:
        return f"close with {verdict.name_of(others[0])}"
    return f"close with {len(others)} others" if others else verdict.certain(result)


def _named(result: Round) -> str:
    return "-" if result.victim is None else verdict.name_of(result.victim.task)


def _of_choice(result: Round | None) -> tuple[str, str, str]:
    """Return outcome, PID and name for cut and awk."""
    if result is None:
        return ("", "", "")
    if result.victim is None:
        return (result.outcome.value, "", "")
    pid = pid_of(result.victim.task)
    return (result.outcome.value, "" if pid is None else str(pid), visible(result.victim.task.comm))


def _is_changed(answer: simulation.Answer) -> bool:
    return answer.baseline is not None and not verdict.is_same_choice(answer.baseline, answer.rounds[0])
