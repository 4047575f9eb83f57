"""How the live tests read the kernel log; needs no kernel."""

from __future__ import annotations

from tests.kernel_live.kernel_log import parse
from tests.oomlog.messages import GROUP, KILLED


def killed(*lines: str) -> tuple[int, ...]:
    kill = parse(list(lines), "/toys", frozenset({1, 2}))
    assert kill is not None
    return kill.killed


def test_a_second_kill_without_a_report_is_another_kill() -> None:
    assert killed(KILLED.format(pid=1), KILLED.format(pid=2)) == (1,)


def test_a_group_is_one_kill() -> None:
    assert killed(KILLED.format(pid=1), GROUP, KILLED.format(pid=1), KILLED.format(pid=2)) == (1, 1, 2)


def test_kills_elsewhere_are_passed_over() -> None:
    assert killed(KILLED.format(pid=3), KILLED.format(pid=2)) == (2,)
