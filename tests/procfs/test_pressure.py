"""/proc/pressure/memory: good, missing, malformed."""

from __future__ import annotations

import pytest

from oomctl.model.look import Pressure
from oomctl.procfs.pressure import memory_pressure, pressure_in
from tests.proc_tree import ProcTree, memcgs_of

GOOD = """\
some avg10=12.50 avg60=1.00 avg300=0.00 total=342660
full avg10=3.05 avg60=0.00 avg300=0.00 total=226774
"""


def test_the_share_of_the_last_ten_seconds(proc_tree: ProcTree) -> None:
    proc_tree.write("pressure/memory", GOOD)
    assert memory_pressure(proc_tree.procfs()) == Pressure(12.5, 3.05)


def test_a_kernel_that_does_not_tell(proc_tree: ProcTree) -> None:
    assert memory_pressure(proc_tree.procfs()) is None


@pytest.mark.parametrize("text", ["", "full avg10=1.00 avg60=", "some avg10=x avg60=0", "\0\0"])
def test_text_of_another_kind_is_no_answer(proc_tree: ProcTree, text: str) -> None:
    proc_tree.write("pressure/memory", text)
    assert memory_pressure(proc_tree.procfs()) is None


def test_a_cgroup_has_a_pressure_of_its_own(proc_tree: ProcTree) -> None:
    proc_tree.mount_v2()
    proc_tree.cgroup("/app", memory__pressure=GOOD)
    proc_tree.cgroup("/off")
    memcgs = memcgs_of(proc_tree.procfs())
    assert pressure_in(memcgs, "/app") == Pressure(12.5, 3.05)
    assert pressure_in(memcgs, "/off") is None
