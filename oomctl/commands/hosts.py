"""``oomctl simulate --from`` many snapshots: one after the other, each answered as if it was asked alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from oomctl.commands.asking import Asked, answered, status_of
from oomctl.console import complain, emit, emit_parts, terminal_width
from oomctl.errors import ANSWER_IS_NO, DONE, PARTLY_DONE, BadInput, OomctlError
from oomctl.oomlog import sources
from oomctl.render import hosts as render
from oomctl.render.simulation import Answer, Origin
from oomctl.scenario.files import files_of, host_of
from oomctl.scenario.question import Question
from oomctl.scenario.source import from_file
from oomctl.scenario.supposed import only_of_those_there
from oomctl.targets.matching import matching


def ask_all(given: Sequence[str], asked: Asked, output: str) -> int:
    """Answer for every file, and every snapshot in a directory, a line each. Returns the exit status.

    What cannot be answered is said, and the others are answered. A snapshot is forgotten as soon as the next is read.
    """
    _refuse_what_none_can_say(asked)
    files = files_of(given)
    lines, total = _Lines(files, asked, output), render.Sum()
    answers: list[int] = []
    failures: list[int] = []
    on_none: set[str] | None = None
    for host in (_ask(file, asked) for file in files):
        if isinstance(host.answer, Answer):
            missing = set(host.origin.missing)
            on_none = missing if on_none is None else on_none & missing
            answers.append(status_of(host.answer.rounds[0]))
        else:
            complain(host.answer.message, host.answer.detail)
            failures.append(host.answer.exit_status)
        total.take(host)
        lines.print(host)
    lines.end(total)
    status = _status(answers, failures)
    if not on_none:
        return status
    complain(f"simulate: {', '.join(sorted(on_none))}: no process matches on any of these hosts")
    return ANSWER_IS_NO if status == DONE else status


class _Lines:
    """Prints a line for each host as soon as there is an answer; where there is none for any host, nothing."""

    def __init__(self, files: Sequence[str], asked: Asked, output: str) -> None:
        self._output = output
        self._supposes = any(asked.supposed)
        self._table = render.Table([_origin(file) for file in files], self._supposes, terminal_width())
        self._waiting: list[render.Host] = []
        self._begun = False

    def print(self, host: render.Host) -> None:
        self._waiting.append(host)
        if not self._begun and not isinstance(host.answer, Answer):
            return
        if not self._begun and self._output != "json":
            emit(render.tsv_heading() if self._output == "tsv" else self._table.heading())
        self._begun = True
        for one in self._waiting:
            emit_parts(self._text(one))
        self._waiting.clear()

    def end(self, total: render.Sum) -> None:
        if self._begun and self._output not in ("json", "tsv"):
            emit(total.told(self._supposes))

    def _text(self, host: render.Host) -> Iterator[str]:
        if self._output == "json":
            return render.document(host)
        return render.tsv(host) if self._output == "tsv" else iter([self._table.line(host)])


def _refuse_what_none_can_say(asked: Asked) -> None:
    if asked.scope.nearest_for is not None:
        raise BadInput("--for asks what is left under live limits; no snapshot says that (use --cgroup or --nodes)")
    if asked.sudden and asked.scope.nodes is not None:
        raise BadInput("--sudden: only the whole machine can run out at once; --nodes does not go with it")


def _ask(file: str, asked: Asked) -> render.Host:
    """Ask one host; a target that is not there is left out of the what-if."""
    origin = _origin(file)
    try:
        question = from_file(file, asked.scope)
        asked, missing = _of_those_there(question, asked)
        return render.Host(origin._replace(missing=missing), answered(question, asked))
    except OomctlError as error:
        message = str(error)
        called = sources.called(file)
        is_named = message.startswith((f"{called}: ", f"{called.rpartition('#')[0]}: "))  # of FILE#2 it is FILE
        named = message if is_named else f"{called}: {message}"
        return render.Host(origin, render.Failure(named, error.detail, error.exit_status))


def _origin(file: str) -> Origin:
    return Origin(host_of(file), file)


def _of_those_there(question: Question, asked: Asked) -> tuple[Asked, tuple[str, ...]]:
    supposed, missing = only_of_those_there(question, asked.supposed)
    asked = asked._replace(supposed=supposed)
    allocating = asked.allocating
    if allocating is not None and not matching([allocating], question.scenario.tasks, question.procfs)[allocating]:
        return asked._replace(allocating=None), tuple(dict.fromkeys((*missing, allocating.word)))
    return asked, missing


def _status(answers: Sequence[int], failures: Sequence[int]) -> int:
    """Return how it ends for all: well, or with the worst of the answers; partly; or as the first failure does."""
    if failures:
        return PARTLY_DONE if answers else failures[0]
    return max(answers)
