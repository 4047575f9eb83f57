"""``oomctl snapshot``: everything a simulation needs, as one JSON document."""

from __future__ import annotations

import click

from oomctl.cli.options import shortage_options
from oomctl.console import complain, emit
from oomctl.procfs import nodes as numa
from oomctl.procfs import survey
from oomctl.procfs.machine import machine_procfs
from oomctl.render.document import json_line
from oomctl.scenario import question as questions
from oomctl.scenario.document import LARGEST_DOCUMENT, as_document


@click.command()
@shortage_options
def snapshot(cgroup: str | None, nodes: str | None, mempolicy: bool) -> None:
    """Print this machine as a scenario for oomctl simulate --from.

    It holds the numbers the OOM killer judges by, names and owners of processes, and the limits of
    their cgroups; no command lines, no environment.

    \b
    oomctl snapshot > now.json
    oomctl simulate --from now.json --set postgres=-1000
    """
    procfs = machine_procfs()
    question = questions.live(procfs, questions.Shortage(cgroup, nodes, mempolicy))
    document = as_document(
        question.scenario,
        survey.memcg_limits(procfs, question.scenario.tasks),
        numa.nodes(procfs),
        procfs.meminfo.swap_total // procfs.page_size,
    )
    text = json_line(document)
    if len(text) > LARGEST_DOCUMENT:
        most = LARGEST_DOCUMENT >> 20
        complain(f"snapshot: {len(text) >> 20} MiB, of which simulate --from reads {most}; --cgroup PATH asks for less")
    emit(text)
