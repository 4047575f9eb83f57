#!/usr/bin/env python3
"""Say when one of these is next: api_watch.py postgres sshd."""

from __future__ import annotations

import sys
import time

from oomctl import api
from oomctl.errors import OomctlError
from oomctl.model.kernel import Certainty


def in_danger(precious: set[str], root: str = "/proc") -> list[str]:
    """Return a line for each that would be killed now, or may be."""
    answer = api.simulate(root=root)
    at_risk = {task.pid: task.comm for task in answer.contenders}
    at_risk.update((task.pid, task.comm) for task in answer.killed)
    verb = "is" if answer.certainty is Certainty.CERTAIN else "may be"
    lost = sorted(item for item in at_risk.items() if item[1] in precious)
    return [f"{comm!r} ({pid}) {verb} next" for pid, comm in lost]


def watch(precious: set[str], seconds: float = 10) -> None:
    """Print what was not so the last time, for ever."""
    before: list[str] = []
    while True:
        now = in_danger(precious)
        for line in now:
            if line not in before:
                print(line, flush=True)
        before = now
        time.sleep(seconds)


if __name__ == "__main__":
    try:
        watch(set(sys.argv[1:]))
    except OomctlError as error:
        sys.exit(str(error))
