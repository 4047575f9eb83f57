"""The live view names who dies next at this rate, and the kernel kills exactly that process then."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.commands.terminal import Terminal, terminal, without_sequences
from tests.kernel_live.kernel_log import KernelLog
from tests.kernel_live.leaks import Leaker, leaking
from tests.kernel_live.memcgs import ToyCgroup
from tests.kernel_live.toys import MIB

pytestmark = pytest.mark.kernel
LEFT = 60 * MIB
PATIENCE_S = 60
TOLD = re.compile(r"at this rate full in (\d+) s[^,]*, then (\d+) \([^)]*\) dies")


@pytest.fixture
def screen() -> Iterator[Terminal]:
    with terminal(columns=160, lines=24) as opened:
        yield opened


@pytest.mark.parametrize("options", [pytest.param((), id="interactive"), pytest.param(("--simple",), id="simple")])
@pytest.mark.parametrize(
    ("leakers", "victim"),
    [
        pytest.param((Leaker("linear", 8, 5), Leaker("rest", 0, 30)), 0, id="who leaks overtakes the largest"),
        pytest.param((Leaker("linear", 8, 5), Leaker("rest", 0, 100)), 1, id="the largest is too far ahead"),
    ],
)
def test_who_is_said_to_die_at_this_rate_dies(
    screen: Terminal, cgroup: ToyCgroup, leakers: tuple[Leaker, ...], victim: int, options: tuple[str, ...]
) -> None:
    with KernelLog() as log, leaking(leakers, cgroup) as leaks:
        cgroup.limit_bytes = cgroup.usage_bytes + LEFT
        process = screen.start("top", *options, "--cgroup", cgroup.path, "-d", "0.1", "--sort", "growth")
        screen.wait_for(lambda text: "GROWTH" in text)
        leaks.go()
        screen.wait_for(lambda text: TOLD.search(without_sequences(text)))
        told = TOLD.search(without_sequences(screen.written))
        assert told is not None
        assert int(told[2]) == leaks.pids[victim]
        kill = log.wait_for_kill(cgroup.path, frozenset(leaks.pids), PATIENCE_S)
        assert kill.killed == (leaks.pids[victim],)
        screen.press("q")
        assert screen.ended(process) == 0


def test_who_only_rests_is_not_said_to_die(screen: Terminal, cgroup: ToyCgroup) -> None:
    with leaking([Leaker("rest", 0, 20)], cgroup) as leaks:
        cgroup.limit_bytes = cgroup.usage_bytes + LEFT
        leaks.go()
        process = screen.start("top", "--simple", "--cgroup", cgroup.path, "-d", "0.1", "-o", "pid,growth")
        screen.wait_for(lambda text: re.search(rf"{leaks.pids[0]} +0\b", without_sequences(text)))
        screen.press("q")
        assert screen.ended(process) == 0
    assert "at this rate" not in screen.written
