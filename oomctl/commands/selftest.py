"""``oomctl selftest``: does the prediction hold on this kernel?"""

from __future__ import annotations

import signal
import sys

import click

from oomctl import selftest as trial
from oomctl.cli.options import json_option
from oomctl.console import emit
from oomctl.errors import ANSWER_IS_NO, DONE, ImpossibleHere
from oomctl.procfs.machine import machine_procfs
from oomctl.render.document import json_line


@click.command()
@json_option
def selftest(as_json: bool) -> int:
    """Let this kernel choose among three toy processes and compare.

    Makes a memory cgroup of 96 MiB, starts three small processes in it, predicts, fills it up and sees
    which of them the kernel kills. Nothing outside that cgroup is touched; it needs root.

    \b
    oomctl selftest
    """
    # The clean-up runs on termination as it does on Ctrl-C.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    procfs = machine_procfs()
    if procfs.numbers_differ:
        raise ImpossibleHere(f"selftest: {procfs.root} has other numbers than here for the processes that it starts")
    result = trial.run(procfs)
    predicted = {task.pid: task.comm for task in result.prediction.killed}
    if as_json:
        document = {
            "schema": "oomctl.selftest/1",
            "kernel": procfs.kernel,
            "agrees": result.agrees,
            "predicted": [{"pid": pid, "comm": comm} for pid, comm in predicted.items()],
            "killed": [{"pid": pid, "comm": comm} for pid, comm in result.killed.items()],
            "certainty": result.prediction.certainty.value,
            "margin_pages": result.prediction.margin_pages,
            "error_bound_pages": result.prediction.error_bound_pages,
        }
        emit(json_line(document))
    else:
        verdict = "the prediction is right" if result.agrees else "THE PREDICTION IS WRONG, please report this"
        emit(
            f"kernel {procfs.kernel}\n"
            f"predicted: {', '.join(predicted.values())} ({result.prediction.certainty.value})\n"
            f"killed:    {', '.join(result.killed.values())}\n"
            f"{verdict}\n"
        )
    return DONE if result.agrees else ANSWER_IS_NO
