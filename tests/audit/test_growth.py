"""Limits that run out soon: what the finding says of them, how bad it is, and what it advises."""

from __future__ import annotations

from typing import Any

import pytest

from oomctl.model.kernel import Task
from oomctl.model.limits import Limit, LimitKind
from oomctl.model.trend import Grower, LimitForecast, Motion, Rate, Seconds
from tests.audit.situations import check
from tests.proc_tree import ProcTree
from tests.tasks import task

MIB = 1 << 20
LIMIT = 800 * MIB


@pytest.fixture
def machine(proc_tree: ProcTree) -> ProcTree:
    proc_tree.mount_v2()
    proc_tree.add(1, "systemd", 300, score=0, uid=0, ppid=0)
    for path in ("/app.slice", "/user.slice"):
        pid = len(path)
        proc_tree.add(pid, "app", cgroup=f"0::{path}/a\n")
        proc_tree.cgroup(path)
        proc_tree.cgroup(f"{path}/a", (pid,), memory__max=f"{LIMIT}\n", memory__stat="")
    return proc_tree


def reached(left: Seconds | None, memcg: str | None = None, rate: int = MIB, *growing: Task) -> LimitForecast:
    """One limit, filling with ``rate`` bytes per second."""
    kind = LimitKind.MACHINE if memcg is None else LimitKind.MEMCG
    growers = [Grower(one, rate / len(growing)) for one in growing]
    return LimitForecast(
        Limit(kind, LIMIT // 2, memcg), LIMIT, Motion.GROWING, Rate(rate, rate, rate), left, growing=growers
    )


def found(
    machine: ProcTree, monkeypatch: pytest.MonkeyPatch, *forecasts: LimitForecast, left: int = LIMIT
) -> list[dict[str, Any]]:
    """What is found if that was watched; so much was ``left`` on the machine."""
    idle = LimitForecast(Limit(LimitKind.MACHINE, left), LIMIT, Motion.STEADY)
    monkeypatch.setattr("oomctl.commands.check._watched", lambda over: (*forecasts, idle))
    return check(machine, "--over", "1s", "--only", "runs-out-soon")[1]


@pytest.mark.parametrize(
    ("left", "severity"),
    [
        pytest.param(Seconds(0, 299, 400), "critical", id="within five minutes"),
        pytest.param(Seconds(0, 0, 0), "critical", id="now"),
        pytest.param(Seconds(10, 300, 400), "warning", id="the low end is no reason to call anybody"),
        pytest.param(Seconds(10, 20, None), "warning", id="it may never come"),
        pytest.param(Seconds(1000, 3600, 9000), "warning", id="within an hour"),
        pytest.param(Seconds(10, 3601, None), None, id="later"),
        pytest.param(None, None, id="not reached"),
    ],
)
def test_the_middle_of_the_interval_says_how_bad_it_is(
    machine: ProcTree, monkeypatch: pytest.MonkeyPatch, left: Seconds | None, severity: str | None
) -> None:
    assert [one["severity"] for one in found(machine, monkeypatch, reached(left))] == ([severity] if severity else [])


def test_the_sentence_has_when_how_fast_and_by_whom(machine: ProcTree, monkeypatch: pytest.MonkeyPatch) -> None:
    one = reached(Seconds(50, 60.2, None), "/app.slice/a", 3 * MIB, task(812, comm="java"), task(813, comm="nginx"))
    (finding,) = found(machine, monkeypatch, one)
    assert finding["message"] == (
        "the limit of cgroup /app.slice/a is reached in 1 min (50 s at the earliest, or never) at 3.0MiB/s;"
        " growth: 812 (java) 1.5MiB/s, 813 (nginx) 1.5MiB/s"
    )
    assert (finding["cgroup"], finding["pids"]) == ("/app.slice/a", [812, 813])


def test_the_first_to_come_is_told_first(machine: ProcTree, monkeypatch: pytest.MonkeyPatch) -> None:
    times = [reached(Seconds(1, 10, 20)), reached(Seconds(1, 20, 30), "/app.slice/a")]
    assert [one["cgroup"] for one in found(machine, monkeypatch, *times)] == [None, "/app.slice/a"]


@pytest.mark.parametrize(
    ("memcg", "growing", "left", "remedy"),
    [
        pytest.param(
            "/app.slice/a",
            (task(812),),
            4501 * MIB,
            f"echo {LIMIT + 4501 * MIB} > {{cgroups}}/app.slice/a/memory.max",
            id="what lets it go on for an hour",
        ),
        pytest.param("/app.slice/a", (task(812),), 4500 * MIB, "oomctl explain 812", id="the machine has not as much"),
        pytest.param("/app.slice/a", (), 0, "oomctl forecast --cgroup /app.slice/a", id="nobody is known to grow"),
        pytest.param("/user.slice/a", (task(812),), 1 << 40, "oomctl explain 812", id="a login gets no more"),
        pytest.param("/gone", (), 1 << 40, "oomctl forecast --cgroup /gone", id="it has gone"),
        pytest.param("/a b", (), 0, "oomctl forecast --cgroup '/a b'", id="a name that a shell would part"),
        pytest.param(None, (task(812), task(813)), 0, "oomctl explain 812", id="the machine"),
        pytest.param(None, (), 0, "oomctl forecast", id="the machine, by nobody"),
    ],
)
def test_what_it_advises(
    machine: ProcTree,
    monkeypatch: pytest.MonkeyPatch,
    memcg: str | None,
    growing: tuple[Task, ...],
    left: int,
    remedy: str,
) -> None:
    (finding,) = found(machine, monkeypatch, reached(Seconds(1, 10, 20), memcg, MIB, *growing), left=left)
    assert finding["remedy"] == remedy.format(cgroups=machine.cgroup_mount)
