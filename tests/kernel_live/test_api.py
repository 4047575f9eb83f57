"""The kernel kills whom the API named, and the API tells of it afterwards."""

from __future__ import annotations

import pytest

from oomctl import api
from oomctl.model.kernel import Certainty
from tests.kernel_live.memcgs import ToyCgroup
from tests.kernel_live.toys import MIB, PAGE, Nursery, Toy
from tests.kernel_live.trials import overflow

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("adj", [0, 400])
def test_a_kill_is_predicted_and_told(nursery: Nursery, cgroup: ToyCgroup, adj: int) -> None:
    """The smaller dies where its value was raised through the API, else the larger."""
    cgroup.limit_bytes = 96 * MIB
    larger = nursery.start(Toy(cgroup, pages=24 * MIB // PAGE))
    smaller = nursery.start(Toy(cgroup, pages=16 * MIB // PAGE))
    filler = nursery.start(Toy(cgroup, writes_until_kill=cgroup))
    assert api.set_adj(smaller.pid, adj) == 0
    found = api.simulate(cgroup=cgroup.path)
    result = overflow(frozenset(), cgroup, [larger, smaller, filler])
    assert found.certainty is Certainty.CERTAIN
    assert [task.pid for task in found.killed] == [result.victim]
    assert result.victim == (smaller if adj else larger).pid
    told = [one for one in api.history() if one.report.oom_memcg == cgroup.path]
    # A filler that runs on before the victim's memory is free may cause another kill.
    assert (told[0].replay.victim_pid, told[0].replay.agrees) == (result.victim, True)
