"""Real kills: what /proc said just before, laid out as a tree, and the kernel's own choice as the answer."""

from __future__ import annotations

import re

import pytest

from oomctl.kernel.invocation import out_of_memory
from oomctl.model.kernel import Certainty, Outcome, Round
from oomctl.procfs import survey
from tests.proc_tree import ProcTree
from tests.procfs.recorded import AT_REST, MOVING, laid_out, load, recordings


def predicted(name: str, tree: ProcTree) -> tuple[Round, int]:
    recording = load(name)
    return out_of_memory(laid_out(recording, tree)), recording["result"]["actual"]


@pytest.mark.parametrize("name", AT_REST)
def test_the_kernels_victim_is_predicted(name: str, proc_tree: ProcTree) -> None:
    prediction, actual = predicted(name, proc_tree)
    assert prediction.outcome is Outcome.KILL
    assert prediction.victim is not None
    assert prediction.victim.task.pid == actual


@pytest.mark.parametrize("name", AT_REST + MOVING)
def test_certain_is_never_wrong(name: str, proc_tree: ProcTree) -> None:
    prediction, actual = predicted(name, proc_tree)
    assert prediction.victim is not None
    assert prediction.certainty is Certainty.CLOSE or prediction.victim.task.pid == actual


@pytest.mark.parametrize("name", AT_REST + MOVING)
def test_the_kernels_victim_is_among_the_contenders(name: str, proc_tree: ProcTree) -> None:
    prediction, actual = predicted(name, proc_tree)
    assert actual in {contender.pid for contender in prediction.contenders}


@pytest.mark.parametrize("name", recordings("select", "exhaust"))
def test_reading_only_the_nearest_finds_the_same_victim(name: str, proc_tree: ProcTree) -> None:
    everything = laid_out(load(name), proc_tree)
    procfs = proc_tree.procfs(cpus=everything.context.cpus or 1)
    front = out_of_memory(survey.machine_front(procfs, 3))
    full = out_of_memory(everything)
    assert front.victim is not None
    assert full.victim is not None
    assert front.victim.task.pid == full.victim.task.pid
    assert {task.pid for task in front.contenders} == {task.pid for task in full.contenders}


GROUPS = [name for name in AT_REST + MOVING if load(name)["result"]["group"]]


@pytest.mark.parametrize("name", GROUPS)
def test_who_dies_with_the_group_is_predicted(name: str, proc_tree: ProcTree) -> None:
    prediction, _ = predicted(name, proc_tree)
    logged = set(map(int, re.findall(r"Killed process (\d+)", "\n".join(load(name)["dmesg"]))))
    maps = {task.mm for task in prediction.killed if task.pid in logged and task.mm is not None}
    # Who dies only because it shares a memory map is not logged.
    assert {task.pid for task in prediction.killed if task.pid in logged or task.mm not in maps} == logged
