"""forecast: what it says of a machine that fills up while it watches, and of one that does not."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from oomctl.procfs.growth import Watch
from oomctl.procfs.reader import Procfs
from oomctl.trend.line import LEAST
from tests.commands.invoke import Ran, ask
from tests.commands.terminal import terminal
from tests.documents import PROCESS, assert_has, errors_in
from tests.growing import growing
from tests.proc_tree import ProcTree

QUICK = ("--over", "600ms", "--every", "20ms")
MIB_PAGES = 256
RATE = 200 * MIB_PAGES
"""Of the process that grows, in pages per second."""
FREE_KB = 2_000_000
WATCHED = r"\(watched for \d\.\d s, \d\d looks\)"
"""A busy machine has time for fewer looks than were asked for."""


def leak(tree: ProcTree, seconds: float, comm: str | bytes = "java") -> None:
    """Let a process grow, and as much of the machine's memory be gone."""
    pages = 90_000 + int(RATE * seconds)
    tree.add(20, comm, pages, swap=256, uid=54321, cgroup="0::/system.slice/tomcat.service\n")
    tree.write("meminfo", f"MemTotal: 4000000 kB\nMemFree: 9 kB\nMemAvailable: {FREE_KB - 4 * (pages - 90_000)} kB\n")
    tree.write("pressure/memory", "some avg10=12.50 avg60=0.00 avg300=0.00 total=1\n")
    tree.cgroup("/system.slice")
    tree.cgroup("/system.slice/tomcat.service", pids=(20,), memory__current=f"{pages * 4096}\n")


def of_leak(server: ProcTree, *argv: str, **how: Any) -> Ran:
    (server.root / "pressure").mkdir()
    with growing(server, lambda tree, seconds: leak(tree, seconds, **how)):
        return ask(server, "forecast", *QUICK, *argv)


@pytest.fixture
def limited(server: ProcTree) -> ProcTree:
    """The small server, whose largest process has a cgroup with a limit."""
    server.mount_v2()
    server.cgroup("/system.slice", memory__max="max\n")
    server.cgroup("/system.slice/tomcat.service", pids=(20,), memory__max=f"{1 << 30}\n", memory__swap__max="0\n")
    server.write("20/cgroup", "0::/system.slice/tomcat.service\n")
    return server


def test_the_answer_is_when_and_whom(server: ProcTree) -> None:
    ran = of_leak(server)
    assert (ran.status, ran.stderr) == (0, "")
    first, growth, growers, why, pressure = ran.stdout.splitlines()
    assert re.fullmatch(
        r"the machine's memory is used up in \S+ s \(\S+ s to \S+ s\); 20 \(java\) would die, \S+GiB would be freed"
        r" — certain",
        first,
    )
    assert re.fullmatch(r"Growth     \S+MiB/s \(\S+MiB to \S+MiB\); 1.*GiB of 3.81GiB left", growth)
    assert re.fullmatch(r"           20 \(java\) \S+MiB/s", growers)
    assert re.fullmatch(r"Why        20 \(java\) would lead 11 \(postgres\) by \S+GiB then", why)
    assert pressure == "Pressure   in 12.5 % of the last 10 s a task waited for memory, in 0 % all did"


def test_the_nearer_limit_is_told_first(limited: ProcTree) -> None:
    paragraphs = of_leak(limited).stdout.split("\n\n")
    assert [re.split(r" is (?:reached|used up) in ", text)[0] for text in paragraphs] == [
        "the limit of tomcat.service",
        "the machine's memory",
    ]


@pytest.mark.parametrize("options", [("--cgroup", "/system.slice/tomcat.service"), ("--cgroup", "tomcat.service")])
def test_one_cgroup_can_be_asked_about(limited: ProcTree, options: tuple[str, ...]) -> None:
    assert scopes(of_leak(limited, "--json", *options)) == ["/system.slice/tomcat.service"]


@pytest.mark.parametrize(
    ("target", "expected"), [("java", ["/system.slice/tomcat.service", "machine"]), ("postgres", ["machine"])]
)
def test_only_the_limits_that_a_process_may_hit(limited: ProcTree, target: str, expected: list[str]) -> None:
    assert scopes(of_leak(limited, "--json", "--for", target)) == expected


def scopes(ran: Ran) -> list[str]:
    assert (ran.status, ran.stderr) == (0, "")
    return [limit["scope"] for limit in json.loads(ran.stdout)["limits"]]


def test_json_has_all_of_it(server: ProcTree) -> None:
    document = json.loads(of_leak(server, "--json").stdout)
    assert errors_in(document) == []
    [limit] = document["limits"]
    assert_has(limit["victim"], PROCESS)
    assert limit["rate_bytes_per_second"] == pytest.approx(RATE * 4096, rel=0.1)
    [grower] = limit["growing"]
    assert (grower["pid"], grower["comm"]) == (20, "java")
    left = limit["seconds_left"]
    assert left["mid"] == pytest.approx(limit["left_bytes"] / (RATE * 4096), rel=0.1)
    assert left["low"] < left["mid"] < left["high"]
    assert (limit["certainty"], limit["contenders"], limit["newcomer"]) == ("certain", [20], False)
    assert limit["pressure"] == {"some": 12.5, "full": 0}


def test_where_nothing_grows_the_answer_is_no(limited: ProcTree) -> None:
    ran = ask(limited, "forecast", *QUICK)
    assert (ran.status, ran.stderr) == (1, "")
    first, _, rest = ran.stdout.partition("\n\n")
    assert re.fullmatch(rf"nothing grows: no limit is reached within 24 h {WATCHED}", first)
    assert rest == (
        "Else       the limit of tomcat.service: 1.00GiB left; what is used does not move\n"
        "           the machine's memory: 1.91GiB left; what is used does not move\n"
    )


def test_beyond_the_horizon_the_answer_is_no(server: ProcTree) -> None:
    ran = of_leak(server, "--horizon", "1s")
    assert ran.status == 1
    assert re.match(rf"no limit is reached within 1\.0 s {WATCHED}\n", ran.stdout)
    assert re.search(r"left; what is used grows by \S+MiB/s \(\S+MiB to \S+MiB\)\n", ran.stdout)


def test_names_are_harmless(server: ProcTree) -> None:
    ran = of_leak(server, comm=b"\x1b[2J), 1 (x\n")
    assert ran.status == 0
    assert r"20 (\x1b[2J\x29, 1 (x\n)" in ran.stdout
    assert "\x1b" not in ran.stdout


@pytest.mark.parametrize(
    ("argv", "status", "said"),
    [
        (
            ("--over", "1s", "--every", "1s"),
            2,
            "--over 1s and --every 1s: expected 12 looks at least; a rate needs them",
        ),
        (("--over", "soon"), 2, "Invalid value for '--over': 'soon' is not a time: 30s, 5m, 24h, 2d, 500ms or seconds"),
        (("--every", "0"), 2, "Invalid value for '--every': '0': expected 0.02s to 3600s"),
        (("--for", "java", "--cgroup", "/x"), 2, "--cgroup and --for ask about different memory; give one of them"),
        (("--for", "nobody"), 1, "nobody: no process matches"),
        (("--cgroup", "/nosuch"), 7, "cgroup /nosuch: no such memory cgroup under "),
        (("--cgroup", "/system.slice"), 7, "cgroup /system.slice has no limit of its own; --for TARGET finds those "),
    ],
)
def test_what_cannot_be_asked_is_told_at_once(limited: ProcTree, argv: tuple[str, ...], status: int, said: str) -> None:
    ran = ask(limited, "forecast", *argv)
    assert (ran.status, ran.stdout) == (status, "")
    assert ran.stderr.startswith(f"oomctl: {said}")
    assert ran.stderr.count("\n") == 1


def test_a_cgroup_that_goes_away_is_told_as_that(limited: ProcTree) -> None:
    def end(_: ProcTree, seconds: float) -> None:
        if seconds > 0.3:
            (limited.cgroup_mount / "system.slice/tomcat.service/memory.max").unlink(missing_ok=True)

    with growing(limited, end):
        ran = ask(limited, "forecast", *QUICK, "--cgroup", "tomcat.service")
    assert ran == Ran(7, "", "oomctl: tomcat.service: it went away while it was watched\n")


def test_where_looks_take_long_there_are_enough_of_them_all_the_same(
    server: ProcTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = Watch.look

    def slow(watch: Watch, procfs: Procfs, moment: float) -> None:
        look(watch, procfs, moment)
        time.sleep(0.05)

    monkeypatch.setattr(Watch, "look", slow)
    document = json.loads(ask(server, "forecast", "--over", "240ms", "--every", "20ms", "--json").stdout)
    assert (document["looks"], document["limits"][0]["motion"]) == (12, "steady")


def test_ctrl_c_answers_with_what_it_has(server: ProcTree) -> None:
    with terminal() as screen:
        process = screen.start("forecast", "--over", "60s", "--every", "50ms", OOMCTL_PROC=str(server.root))
        screen.wait_for(lambda text: text.count("watching: ") > LEAST)  # once with each look
        screen.press("\x03")
        screen.wait_for(lambda text: "nothing grows: no limit is reached within 24 h (watched for " in text)
        assert screen.ended(process) == 1


def test_ctrl_c_before_there_is_enough_says_so() -> None:
    with terminal() as screen:
        process = screen.start("forecast", "--over", "60s", "--every", "5s")
        screen.wait_for(lambda text: "watching: 0 of 60 s (Ctrl-C: enough)" in text)
        screen.press("\x03")
        said = screen.wait_for(lambda text: "a rate needs 12" in text)
        assert "oomctl: forecast: stopped after 1 looks; a rate needs 12" in said
        assert screen.ended(process) == 130
