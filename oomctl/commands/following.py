"""``oomctl history --follow``: each kill as it is logged."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import closing

from oomctl.commands.events import event_of
from oomctl.console import complain, emit
from oomctl.errors import ANSWER_IS_NO, DONE, BadInput
from oomctl.model.oomreport import OomReport
from oomctl.oomlog.filetail import FileTail
from oomctl.oomlog.follow import kills, open_tail
from oomctl.oomlog.tails import PipeTail, Tail
from oomctl.oomlog.wanted import epoch_of
from oomctl.procfs.machine import machine_procfs
from oomctl.render import history as render


def follow(
    path: str | None, lines: int | None, wanted: Callable[[OomReport, float | None], bool], as_json: bool
) -> int:
    """Print every kill that is ``wanted`` and logged from now on, after the last ``lines`` before, until interrupted.

    Returns the exit status where the log has an end: it came through a pipe.
    """
    with closing(open_tail(path, past=lines is not None)) as tail:
        if lines is not None and isinstance(tail, PipeTail):
            raise BadInput(f"history: {tail.name} has no past to show the last {lines} of; leave out -n")
        if isinstance(tail, FileTail) and tail.missing:
            complain(f"history: {tail.name} is not there yet; waiting for it")
        return _told(tail, lines, wanted, as_json)


def _told(tail: Tail, lines: int | None, wanted: Callable[[OomReport, float | None], bool], as_json: bool) -> int:
    boot_time = machine_procfs().boot_time() if tail.name == "/dev/kmsg" else None
    past: deque[str] = deque(maxlen=lines)
    told = 0
    for reports, is_past in kills(tail, _output()):
        texts = _texts(reports, boot_time, wanted, as_json)
        if is_past:
            past.extend(texts)
            continue
        for text in (*past, *texts):
            emit(text)
            told += 1
        past.clear()
    if not told:
        complain(f"history: no OOM kill in {tail.name}")
    return DONE if told else ANSWER_IS_NO


def _texts(
    reports: Iterable[OomReport],
    boot_time: float | None,
    wanted: Callable[[OomReport, float | None], bool],
    as_json: bool,
) -> list[str]:
    shown = render.json_line if as_json else render.line
    texts = []
    for report in reports:
        epoch = epoch_of(report, boot_time)
        if wanted(report, epoch):
            texts.append(shown(event_of(report, epoch, in_full=as_json)))
    return texts


def _output() -> int | None:
    """The descriptor of stdout; None: it has none."""
    try:
        return sys.stdout.fileno()
    except (OSError, ValueError, AttributeError):
        return None
