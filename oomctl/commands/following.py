"""``oomctl history --follow``: each kill as it is logged."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from contextlib import closing

from oomctl.commands.events import event_of
from oomctl.console import complain, emit
from oomctl.errors import ANSWER_IS_NO, DONE, BadInput
from oomctl.model.oomreport import OomReport
from oomctl.oomlog.filetail import FileTail
from oomctl.oomlog.follow import kills, open_tail
from oomctl.oomlog.sources import KMSG
from oomctl.oomlog.tails import PipeTail, Tail
from oomctl.oomlog.wanted import epoch_of, known_kernel
from oomctl.procfs.machine import machine_procfs
from oomctl.render import history as render


def follow(
    path: str | None, lines: int | None, wanted: Callable[[OomReport, float | None], bool], as_json: bool, quiet: bool
) -> int:
    """Print every kill that is ``wanted`` and logged from now on, after the last ``lines`` before, until interrupted.

    Returns the exit status where the log has an end: it came through a pipe; ``quiet``: one without kills is fine.
    """
    with closing(open_tail(path, past=lines is not None)) as tail:
        if lines is not None and isinstance(tail, PipeTail):
            raise BadInput(f"history: {tail.name} has no past to show the last {lines} of; leave out -n")
        if isinstance(tail, FileTail) and tail.missing:
            complain(f"history: {tail.name} is not there yet; waiting for it")
        status = _told(tail, lines, wanted, as_json)
        if status == ANSWER_IS_NO and not quiet:
            complain(f"history: no OOM kill in {tail.name}")
        return DONE if quiet else status


def _told(tail: Tail, lines: int | None, wanted: Callable[[OomReport, float | None], bool], as_json: bool) -> int:
    procfs = machine_procfs() if tail.name == str(KMSG) else None
    boot_time, release = (procfs.boot_time(), procfs.kernel) if procfs is not None else (None, None)
    past: deque[OomReport] = deque(maxlen=lines)
    told, newest = 0, 0
    for reports, is_past in kills(tail, _output()):
        fresh = []
        for report in known_kernel(reports, release):
            newest = report.number
            if wanted(report, epoch_of(report, boot_time)):
                fresh.append(report)
        if is_past:
            past.extend(fresh)
            continue
        for report in (*past, *fresh):
            emit(_text(report, newest + 1 - report.number, boot_time, as_json))
            told += 1
        past.clear()
    return DONE if told else ANSWER_IS_NO


def _text(report: OomReport, index: int, boot_time: float | None, as_json: bool) -> str:
    """Return one kill; ``index``: its number when it is told, 1 for the newest."""
    event = event_of(report, epoch_of(report, boot_time), in_full=as_json)
    return render.json_line(event, index) if as_json else render.line(event)


def _output() -> int | None:
    """The descriptor of stdout; None: it has none."""
    try:
        return sys.stdout.fileno()
    except (OSError, ValueError, AttributeError):
        return None
