"""What is forecast of a real leak is what becomes of it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.commands.invoke import program
from tests.kernel_live.kernel_log import KernelLog
from tests.kernel_live.leaks import Leaker, leaking
from tests.kernel_live.memcgs import ToyCgroup
from tests.kernel_live.toys import MIB

pytestmark = pytest.mark.kernel
LEFT = 50 * MIB
PATIENCE_S = 60


@pytest.mark.parametrize(
    ("leakers", "victim"),
    [
        pytest.param((Leaker("linear", 8, 5), Leaker("rest", 0, 30)), 0, id="who leaks overtakes the largest"),
        pytest.param((Leaker("linear", 8, 5), Leaker("rest", 0, 90)), 1, id="the largest is too far ahead"),
        pytest.param((Leaker("linear", 8, 5), Leaker("rest", 0, 30, 1000)), 1, id="its adj lets another go first"),
    ],
)
def test_who_was_forecast_dies_when_it_was(cgroup: ToyCgroup, leakers: tuple[Leaker, ...], victim: int) -> None:
    with KernelLog() as log, leaking(leakers, cgroup) as leaks:
        cgroup.limit_bytes = cgroup.usage_bytes + LEFT
        leaks.go()
        ran = program("forecast", "--json", "--cgroup", cgroup.path, "--over", "1.5s", "--every", "50ms")
        said_at = time.monotonic()
        [limit] = json.loads(ran.stdout)["limits"]
        kill = log.wait_for_kill(cgroup.path, frozenset(leaks.pids), PATIENCE_S)
        took = time.monotonic() - said_at
    assert (limit["victim"]["pid"], limit["certainty"]) == (leaks.pids[victim], "certain")
    assert kill.killed == (leaks.pids[victim],)
    # A busy machine may slow the leak down; that it is over too soon would be a mistake.
    assert limit["seconds_left"]["low"] - 0.5 <= took


def test_who_only_rests_reaches_nothing(cgroup: ToyCgroup) -> None:
    with leaking([Leaker("rest", 0, 20)], cgroup) as leaks:
        cgroup.limit_bytes = cgroup.usage_bytes + LEFT
        leaks.go()
        time.sleep(0.5)
        ran = program("forecast", "--cgroup", cgroup.path, "--over", "1s", "--every", "50ms")
        assert all(Path(f"/proc/{pid}").exists() for pid in leaks.pids)
    assert (ran.status, ran.stderr) == (1, "")
    assert ran.stdout.startswith("nothing grows: ")
