"""What ``check --over`` says of a real leak is what becomes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.commands.invoke import program
from tests.kernel_live.kernel_log import KernelLog
from tests.kernel_live.leaks import Leaker, leaking
from tests.kernel_live.memcgs import ToyCgroup
from tests.kernel_live.toys import MIB

pytestmark = pytest.mark.kernel
LEFT = 50 * MIB
PATIENCE_S = 60


def runs_out_soon(cgroup: ToyCgroup) -> list[dict[str, Any]]:
    """What is found of this cgroup; others on this machine may leak as well."""
    ran = program("check", "--json", "--over", "1.5s", "--only", "runs-out-soon")
    found = json.loads(ran.stdout)["findings"]
    assert (ran.status, ran.stderr) == (1 if found else 0, "")
    return [one for one in found if one["cgroup"] == cgroup.path]


@pytest.mark.parametrize(
    ("leakers", "victim"),
    [
        pytest.param((Leaker("linear", 8, 5), Leaker("rest", 0, 30)), 0, id="who leaks"),
        pytest.param((Leaker("linear", 8, 5), Leaker("rest", 0, 90)), 1, id="another"),
    ],
)
def test_a_leak_is_critical_and_the_kernel_kills_who_was_named(
    cgroup: ToyCgroup, leakers: tuple[Leaker, ...], victim: int
) -> None:
    with KernelLog() as log, leaking(leakers, cgroup) as leaks:
        cgroup.limit_bytes = cgroup.usage_bytes + LEFT
        leaks.go()
        (finding,) = runs_out_soon(cgroup)
        kill = log.wait_for_kill(cgroup.path, frozenset(leaks.pids), PATIENCE_S)
    assert finding["severity"] == "critical"
    assert (finding["process"]["pid"], finding["forecast"]["certainty"]) == (leaks.pids[victim], "certain")
    assert finding["remedy"] == f"oomctl explain {leaks.pids[0]}" or finding["remedy"].startswith("echo ")
    assert kill.killed == (leaks.pids[victim],)


def test_where_nobody_grows_nothing_is_found(cgroup: ToyCgroup) -> None:
    with leaking([Leaker("rest", 0, 20)], cgroup) as leaks:
        cgroup.limit_bytes = cgroup.usage_bytes + LEFT
        leaks.go()
        assert runs_out_soon(cgroup) == []
