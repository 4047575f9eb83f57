"""The live view keeps refreshing while a memory cgroup is at its limit, and shows the kill there."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.commands.terminal import Terminal, terminal, without_sequences
from tests.kernel_live.memcgs import ToyCgroup
from tests.kernel_live.toys import MIB, PAGE, Nursery, Toy, is_alive

pytestmark = pytest.mark.kernel


@pytest.fixture
def screen() -> Iterator[Terminal]:
    with terminal(columns=200, lines=40) as opened:
        yield opened


def full_cgroup(cgroup: ToyCgroup, nursery: Nursery) -> tuple[int, int, Toy]:
    """Two toys in a cgroup with little room left; return their PIDs and the third one, which will fill it."""
    cgroup.limit_bytes = 40 * MIB
    large = nursery.start(Toy(cgroup, pages=12 * MIB // PAGE, name="large")).pid
    small = nursery.start(Toy(cgroup, pages=2 * MIB // PAGE, name="small")).pid
    return large, small, Toy(cgroup, writes_until_kill=cgroup, name="writer")


def test_the_interactive_view_shows_the_kill(screen: Terminal, cgroup: ToyCgroup, nursery: Nursery) -> None:
    large, _, filler = full_cgroup(cgroup, nursery)
    writer = nursery.start(filler)
    process = screen.start("top", "--cgroup", cgroup.path, "-d", "0.1")
    screen.wait_for(lambda text: f"next: {large} (large), certain" in without_sequences(text))
    writer.poke()
    screen.wait_for(lambda text: re.search(rf"killed {large} \(large\) +\d\d\.\dMiB +0 ", without_sequences(text)))
    assert not is_alive(large)
    screen.press("q")
    assert screen.ended(process) == 0


def test_the_simple_view_keeps_refreshing_at_the_limit(screen: Terminal, cgroup: ToyCgroup, nursery: Nursery) -> None:
    large, small, filler = full_cgroup(cgroup, nursery)
    writer = nursery.start(filler)
    process = screen.start("top", "--simple", "--cgroup", cgroup.path, "-d", "0.1")
    screen.wait_for(lambda text: f"next: {large} (large), certain" in without_sequences(text))
    writer.poke()
    screen.wait_for(lambda text: f"next: {small} (small)" in text or f"next: {writer.pid} (writer)" in text)
    assert not is_alive(large)
    screen.press("q")
    assert screen.ended(process) == 0
