"""The interactive view shows who grows, and when memory is full then."""

from __future__ import annotations

import re
from itertools import count
from types import SimpleNamespace

import pytest

from oomctl.model.listing import Details, Growth
from oomctl.render import fields
from oomctl.trend.line import LEAST
from oomctl.tui.scopes import MemoryScope, growth_by_cgroup, lines
from tests.proc_tree import ProcTree
from tests.tui.driving import Driver, drive

LIVE = tuple(field.name for field in fields.with_growth(tuple(map(fields.find, fields.DEFAULT))))


def leak(tree: ProcTree, looks: int, cgroup: str = "/") -> None:
    """Let java hold 4 MiB more than at the look before, and the machine have so much less."""
    tree.add(20, "java", 90_000 + looks * 1024, swap=256, score=726, uid=54321, cgroup=f"0::{cgroup}\n")
    meminfo = (tree.root / "meminfo").read_text()
    left_kb = 1_200_000 - looks * 4096
    tree.write("meminfo", re.sub(r"(MemAvailable: +)\d+", rf"\g<1>{left_kb}", meminfo))


async def looks(user: Driver, tree: ProcTree, since: int, count: int, cgroup: str = "/") -> None:
    for number in range(since, since + count):
        leak(tree, number, cgroup)
        await user.app.look()
        await user.pilot.pause(0.02)


@pytest.fixture(autouse=True)
def _evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks are two seconds apart, whatever the machine has to do: between uneven ones growth is rightly unclear."""
    monkeypatch.setattr("oomctl.live.shot.time", SimpleNamespace(monotonic=count(0, 2).__next__))


def test_growth_is_a_column_and_memory_that_runs_full_a_line(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await looks(user, server, 0, LEAST - 1)
        assert "at this rate" not in user.text
        assert "GROWTH" in user.text
        assert not re.search(r"\+\d", user.text)
        await looks(user, server, LEAST - 1, 1)
        await user.sees("at this rate full in")
        [line] = [line for line in user.lines if line.startswith("at this rate full in")]
        assert re.search(r", then probably 20 \(java\) dies  ▁[▁-▅]{10}[▃-▅]$", line)
        assert re.search(r" \+[\d.]+ ", user.lines[[row.split()[:1] for row in user.lines].index(["1"])])

    drive(server, steps, size=(120, 24), columns=LIVE)


def test_growth_can_be_sorted_by_on_a_narrow_terminal(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("R")
        await user.until(lambda: "GROWTH" not in user.text)
        await user.press("f6")
        await user.sees("GROWTH")
        await user.press("escape")
        user.app.action_sort_by("growth")
        await looks(user, server, 0, LEAST + 1)
        await user.until(lambda: "GROWTH" in user.text and user.pids()[0] == 20)
        await user.press("I")
        await user.until(lambda: user.pids()[-1] == 20)

    drive(server, steps, columns=LIVE)


def test_the_list_of_memories_says_how_fast_those_in_each_grow(server: ProcTree) -> None:
    server.mount_v2()
    server.cgroup("/a")
    server.cgroup("/a/app", (20,), memory__max="819200000", memory__current="409600000")
    server.cgroup("/db", (10,), memory__max="819200000", memory__current="204800000")
    server.write("10/cgroup", "0::/db\n")

    async def steps(user: Driver) -> None:
        await looks(user, server, 0, 1, "/a/app")
        await user.press("c")
        await user.sees("/db")
        assert "MiB/min" not in user.text
        await user.press("escape")
        await looks(user, server, 1, LEAST, "/a/app")
        await user.press("c")
        await user.until(lambda: re.search(r" 0 MiB/min  + /db ", user.text))  # laid out, and nothing is folded
        assert re.search(r" \+[\d.]+ MiB/min  full in \d+ min [^/]+ /a/app ", user.text)
        assert re.search(r" \+[\d.]+ MiB/min  full in \d+ min [^/]+ machine ", user.text)

    drive(server, steps, size=(120, 30), columns=LIVE)


def test_the_list_of_memories_says_nothing_of_one_in_which_not_everybody_is_known(server: ProcTree) -> None:
    server.mount_v2()
    server.cgroup("/app", (20,), memory__max="819200000", memory__current="409600000")

    async def steps(user: Driver) -> None:
        await looks(user, server, 0, LEAST, "/app")
        server.add(21, "new", 100, uid=54321, cgroup="0::/app\n")
        await looks(user, server, LEAST, 1, "/app")
        await user.press("c")
        await user.until(lambda: re.search(r" \+[\d.]+ MiB/min  + /app ", user.text))
        assert re.search(r"full in \d+ min [^/]+ machine ", user.text)

    drive(server, steps, size=(120, 30), columns=LIVE)


APP = MemoryScope("/system.slice/tomcat.service", 300 << 20, 400 << 20, 12.3 * (1 << 20), 722.0)
REST = MemoryScope(None, 1 << 30, 4 << 30)


def test_growth_gives_way_to_the_time_where_names_need_the_room() -> None:
    wide, narrow = lines([REST, APP], 115), lines([REST, APP], 75)
    assert wide[1] == " 300.0MiB of 400.0MiB      +12.3 MiB/min  full in 12 min  /system.slice/tomcat.service"
    assert narrow[1] == " 300.0MiB of 400.0MiB   full in 12 min  /system.slice/tomcat.service"
    assert narrow[0] == "  1.00GiB of 4.00GiB                    machine"
    short = APP._replace(path="/a")
    assert "MiB/min" in lines([REST, short], 75)[1]
    assert "MiB/min" in lines([REST, APP._replace(seconds_left=None)], 75)[1]
    assert max(map(len, lines([REST, APP], 60))) > 60  # folded where it is drawn, not cut
    assert not any("MiB/min" in line or "full" in line for line in lines([REST, REST], 115))


def test_growth_counts_in_every_cgroup_above() -> None:
    def grows(cgroup: str | None, private: float) -> Details:
        return Details(cgroup=cgroup, growth=Growth(private + 5, private))

    known = [grows("/a/b", 3.0), grows("/a", 1.0), grows("/", 10.0), grows(None, 20.0), Details(cgroup="/c")]
    assert growth_by_cgroup(known) == {"/": 34.0, "/a": 4.0, "/a/b": 3.0}


def test_a_pause_and_another_scope_make_no_nonsense(server: ProcTree) -> None:
    server.mount_v2()
    server.cgroup("/db", (10, 11), memory__max="819200000", memory__current="409600000")

    async def steps(user: Driver) -> None:
        await looks(user, server, 0, LEAST)
        await user.sees("at this rate full in")
        await user.press("Z")
        await user.sees("paused")
        await user.sees("at this rate full in")
        user.app._sampler.cgroup = "/db"
        await user.press("ctrl+l")
        await user.sees("scope: cgroup /db")
        await user.sees_no("at this rate")

    drive(server, steps, size=(120, 24), columns=LIVE)
