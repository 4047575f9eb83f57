"""``oomctl check --over``: it watches first, and tells what runs out soon."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from tests.commands.invoke import Ran, ask
from tests.commands.terminal import terminal
from tests.documents import errors_in
from tests.growing import growing
from tests.proc_tree import ProcTree

SOON = ("--over", "5s", "--only", "runs-out-soon")


def leak(tree: ProcTree, seconds: float) -> None:
    """Let a process take 40 MiB of the machine's memory each second."""
    pages = 90_000 + int(40 * 256 * seconds)
    tree.add(20, "java", pages, swap=256, uid=54321)
    tree.write("meminfo", f"MemTotal: 4000000 kB\nMemFree: 9 kB\nMemAvailable: {2_360_000 - 4 * pages} kB\n")


def of_leak(server: ProcTree, *argv: str) -> Ran:
    with growing(server, leak):
        return ask(server, "check", *SOON, *argv)


def test_a_leak_is_told_with_who_dies(server: ProcTree) -> None:
    ran = of_leak(server)
    assert (ran.status, ran.stderr) == (1, "")
    told, remedy = ran.stdout.splitlines()
    assert re.fullmatch(
        r"CRITICAL  runs-out-soon: the machine's memory is used up in \S+ s \(\S+ s to \S+ s\) at \S+MiB/s;"
        r" 20 \(java\) would die, \S+GiB would be freed — certain; growth: 20 \(java\) \S+MiB/s",
        told,
    )
    assert remedy.strip() == "oomctl explain 20"


def test_json_has_the_forecast_as_forecast_has_it(server: ProcTree) -> None:
    document = json.loads(of_leak(server, "--json").stdout)
    assert errors_in(document) == []
    (finding,) = document["findings"]
    assert (finding["process"]["pid"], finding["pids"]) == (20, [20])
    limit = finding["forecast"]
    assert limit["victim"] == finding["process"]
    assert (limit["scope"], limit["certainty"], limit["contenders"]) == ("machine", "certain", [20])
    assert limit["seconds_left"]["low"] < limit["seconds_left"]["mid"] < 300


def test_nagios_gets_one_line_and_nothing_else(server: ProcTree) -> None:
    ran = of_leak(server, "--format", "nagios")
    assert (ran.status, ran.stderr, ran.stdout.count("\n")) == (2, "", 1)
    assert ran.stdout.startswith("OOM CRITICAL - runs-out-soon: the machine's memory is used up in ")
    assert ran.stdout.endswith(" | critical=1 warning=0 info=0\n")


@pytest.mark.parametrize(("target", "status"), [("java", 1), ("postgres", 0)])
def test_with_a_target_only_what_concerns_it_is_told(server: ProcTree, target: str, status: int) -> None:
    assert of_leak(server, target).status == status


def test_where_nothing_grows_nothing_is_found(server: ProcTree) -> None:
    with growing(server, lambda tree, seconds: None):
        ran = ask(server, "check", *SOON)
    assert ran == Ran(0, "1 check, nothing found\n", "")


def test_what_the_file_ignores_is_not_watched_for(server: ProcTree, tmp_path: Path) -> None:
    path = tmp_path / "check.toml"
    path.write_text('ignore = ["runs-out-soon"]\n')
    begun = time.monotonic()
    ask(server, "check", "--over", "60s", "--config", str(path))
    assert time.monotonic() - begun < 30
    with growing(server, leak):
        assert ask(server, "check", *SOON, "--config", str(path)).status == 1


def test_it_cannot_be_the_only_thing_without_watching(server: ProcTree) -> None:
    said = "--only runs-out-soon: one look does not tell; --over 30s watches for it\n"
    assert ask(server, "check", "--only", "runs-out-soon") == Ran(2, "", f"oomctl: {said}")
    ran = ask(server, "check", "--only", "runs-out-soon", "--format", "nagios")
    assert ran == Ran(3, f"OOM UNKNOWN - {said}", "")


def test_too_short_a_time_is_refused_as_by_forecast(server: ProcTree) -> None:
    ran = ask(server, "check", "--over", "50ms")
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr == ask(server, "forecast", "--over", "50ms").stderr.replace("forecast", "check")


def test_ctrl_c_answers_with_what_was_seen(server: ProcTree) -> None:
    with growing(server, leak, ctrl_c_after_s=40):
        ran = ask(server, "check", "--over", "60s", "--only", "runs-out-soon")
    assert (ran.status, ran.stderr) == (1, "")
    assert "the machine's memory is used up in " in ran.stdout


def test_on_a_terminal_it_says_how_long_it_still_watches() -> None:
    with terminal() as screen:
        process = screen.start("check", "--over", "60s", "--only", "runs-out-soon")
        screen.wait_for(lambda text: "watching: 0 of 60 s (Ctrl-C: enough)" in text)
        screen.press("\x03")
        screen.wait_for(lambda text: "a rate needs 12" in text)
        assert screen.ended(process) == 130


def test_a_target_that_matches_nobody_is_told_before_anything_is_watched(server: ProcTree) -> None:
    before = time.monotonic()
    ran = ask(server, "check", "--over", "60s", "no-such-name")
    assert (ran.status, ran.stdout, ran.stderr) == (1, "", "oomctl: no-such-name: no process matches\n")
    assert time.monotonic() - before < 30
