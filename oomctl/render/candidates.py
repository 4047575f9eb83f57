"""The candidates of ``simulate`` as tsv: who would be killed, in which round, and who would live."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from oomctl.model.kernel import Round, Task
from oomctl.model.listing import Row
from oomctl.render.fields import OF_A_PROCESS, find, tsv_line

_OF_THE_CHOICE = ("round", "rank", "certainty", "contender")
_FIELDS = tuple(find(name) for name in OF_A_PROCESS)


def in_order(rounds: Sequence[Round]) -> list[Task]:
    """Return those who would be killed, round by round, each victim first; then those who would live, by rank."""
    dying = [task for result in rounds for task in _dying(result)]
    candidates = [candidate.task for candidate in rounds[0].ranking]
    return list({task.pid: task for task in (*dying, *candidates)}.values())


def tsv(rounds: Sequence[Round], rows: Iterable[Row], page_size: int) -> Iterator[str]:
    """Yield a header and a line for each of ``rows``, which are those of ``in_order``."""
    yield tsv_line((*_OF_THE_CHOICE, *OF_A_PROCESS))
    numbers = {task.pid: number for number, result in enumerate(rounds, start=1) for task in _dying(result)}
    ranks = {candidate.task.pid: str(rank) for rank, candidate in enumerate(rounds[0].ranking, start=1)}
    contenders = {task.pid for task in rounds[0].contenders}
    for row in rows:
        pid = row.task.pid
        number = numbers.get(pid)
        certainty = "" if number is None else rounds[number - 1].certainty.value
        choice = (str(number or ""), ranks.get(pid, ""), certainty, "true" if pid in contenders else "false")
        yield tsv_line((*choice, *(field.raw(row, page_size) for field in _FIELDS)))


def _dying(result: Round) -> tuple[Task, ...]:
    """Return everyone killed, the victim first; alone where it is dying already."""
    return result.killed or ((result.victim.task,) if result.victim is not None else ())
