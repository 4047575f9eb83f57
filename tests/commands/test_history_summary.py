"""``oomctl history --summary``, and the filters that every form of ``history`` has."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.commands.invoke import Ran, ask
from tests.oomlog.messages import syslog_kill
from tests.oomlog.real_logs import LOGS
from tests.proc_tree import ProcTree

LONG = (
    "/kubepods.slice/kubepods-burstable.slice/" + "kubepods-burstable-pod12345678_1234.slice/" * 3 + "cri-containerd-1"
)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "kern.log"
    kills = [syslog_kill(pid, cgroup="/system.slice/nginx.service") for pid in (1, 2, 3)]
    other = syslog_kill(64, cgroup=LONG).replace("(java)", "(postgres)").replace("Aug 10", "Aug 11")
    path.write_text("".join([*kills, other]))
    return path


def history(proc_tree: ProcTree, log: Path, *argv: str) -> Ran:
    return ask(proc_tree, "history", "-f", str(log), *argv)


def pids(proc_tree: ProcTree, log: Path, *argv: str) -> list[int]:
    ran = history(proc_tree, log, "--json", *argv)
    return [event["victim"]["pid"] for event in json.loads(ran.stdout)["events"]]


def summary(proc_tree: ProcTree, log: Path, *argv: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(history(proc_tree, log, "--summary", "--json", *argv).stdout)
    return found


def test_kills_are_counted_by_victim_cgroup_and_day(proc_tree: ProcTree, log: Path) -> None:
    found = summary(proc_tree, log)
    assert (found["schema"], found["events"], found["kills"]) == ("oomctl.history-summary/1", 4, 4)
    assert (found["first"], found["last"]) == ("Aug 10 08:01:00", "Aug 11 09:04:00")
    assert [(one["comm"], one["kills"]) for one in found["by_victim"]] == [("java", 3), ("postgres", 1)]
    assert [(one["cgroup"], one["kills"]) for one in found["by_cgroup"]] == [
        ("/system.slice/nginx.service", 3),
        (LONG, 1),
    ]
    assert found["by_day"] == [{"day": "Aug 10", "kills": 3}, {"day": "Aug 11", "kills": 1}]


def test_for_people_it_fits_80_columns(proc_tree: ProcTree, log: Path) -> None:
    ran = history(proc_tree, log, "--summary")
    assert ran.stdout.startswith("4 OOM kills\nfirst Aug 10 08:01:00, last Aug 11 09:04:00\n")
    assert "      3  java" in ran.stdout
    assert max(map(len, ran.stdout.splitlines())) <= 80


def test_every_real_log_fits_80_columns(proc_tree: ProcTree, tmp_path: Path) -> None:
    everything = tmp_path / "all.log"
    everything.write_bytes(b"".join(path.read_bytes() for path in sorted(LOGS.glob("*.log"))))
    ran = history(proc_tree, everything, "--summary")
    assert max(map(len, ran.stdout.splitlines())) <= 80
    assert summary(proc_tree, everything)["events"] == len(list(LOGS.glob("*.log")))


def test_a_log_of_ever_new_names_is_counted_in_bounded_memory(proc_tree: ProcTree, tmp_path: Path) -> None:
    log = tmp_path / "names.log"
    with log.open("w") as file:
        for number in range(5000):
            file.write(f"[{100 * number}.0] Out of memory: Killed process {number} (n{number}) total-vm:1kB\n")
    found = summary(proc_tree, log)
    assert (found["kills"], len(found["by_victim"]), found["not_listed"]["by_victim"]) == (5000, 4096, 904)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        pytest.param(["--victim", "java"], [1, 2, 3], id="a name"),
        pytest.param(["--victim", "post*"], [64], id="a pattern"),
        pytest.param(["--victim", "jav"], [], id="not the beginning of a name"),
        pytest.param(["--cgroup", "/system.slice"], [1, 2, 3], id="a cgroup above"),
        pytest.param(["--cgroup", "kubepods.slice/"], [64], id="a path as it is typed"),
        pytest.param(["--cgroup", "/system"], [], id="not the beginning of a path"),
        pytest.param(["--unit", "nginx"], [1, 2, 3], id="a service by its name"),
        pytest.param(["--unit", "kubepods.slice"], [64], id="a slice"),
        pytest.param(["--unit", "ng*.service", "--victim", "java"], [1, 2, 3], id="two at once"),
        pytest.param(["--unit", "nginx", "--victim", "postgres"], [], id="two that exclude each other"),
        pytest.param(["--victim", "java", "-n", "1"], [3], id="the last of these"),
    ],
)
def test_a_filter_narrows_the_list_and_the_summary(
    proc_tree: ProcTree, log: Path, argv: list[str], expected: list[int]
) -> None:
    assert pids(proc_tree, log, *argv) == expected
    assert summary(proc_tree, log, *argv)["kills"] == len(expected)
    assert history(proc_tree, log, *argv).status == (0 if expected else 1)


def test_the_kernel_keeps_15_characters_of_a_name_and_so_does_the_filter(proc_tree: ProcTree, tmp_path: Path) -> None:
    log = tmp_path / "kern.log"
    log.write_text("[1.0] Out of memory: Killed process 7 (systemd-journal) total-vm:1kB\n")
    assert pids(proc_tree, log, "--victim", "systemd-journald") == [7]


def test_numbers_stay_those_of_the_whole_list(proc_tree: ProcTree, log: Path) -> None:
    (line,) = history(proc_tree, log, "--victim", "postgres").stdout.splitlines()[1:]
    assert line.split()[0] == "1"
    assert "Event 1 " in history(proc_tree, log, "1").stdout
    (line,) = history(proc_tree, log, "--victim", "java", "-n", "1").stdout.splitlines()[1:]
    assert line.split()[0] != "1"
    told = history(proc_tree, log, line.split()[0]).stdout.splitlines()
    assert told[0] == "3 (java), 0.05MiB of RSS, was killed (Aug 10 08:03:00): the machine ran out of memory"
    assert told[1].startswith(f"Event {line.split()[0]} ")


def test_the_newest_is_1_and_the_last(proc_tree: ProcTree, log: Path) -> None:
    lines = history(proc_tree, log).stdout.splitlines()[1:]
    assert [line.split()[0] for line in lines] == ["4", "3", "2", "1"]
    document = json.loads(history(proc_tree, log, "--json").stdout)
    assert [(event["index"], event["victim"]["pid"]) for event in document["events"]] == [
        (4, 1),
        (3, 2),
        (2, 3),
        (1, 64),
    ]
    assert history(proc_tree, log, "last") == history(proc_tree, log, "1")
    assert history(proc_tree, log, "4").stdout.startswith("1 (java)")
    assert history(proc_tree, log, "5").status == 1
    for word in ("0", "-1", "lst", "²", "9" * 30):
        ran = history(proc_tree, log, word)
        assert ran.status == 2
    assert "'lst' is not the number of an event: 1 or last is the newest" in history(proc_tree, log, "lst").stderr


def test_many_large_reports_are_numbered_without_memory_for_all(
    proc_tree: ProcTree, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oomctl.oomlog.newest.KEPT_BYTES", 1)
    monkeypatch.setattr("oomctl.oomlog.newest._SPOOLED_BYTES", 1)
    assert [history(proc_tree, log, str(number)).stdout.split()[0] for number in (1, 2, 3, 4)] == ["64", "3", "2", "1"]
    assert pids(proc_tree, log) == [1, 2, 3, 64]


def test_a_quiet_day_is_no_failure_with_quiet(proc_tree: ProcTree, log: Path, tmp_path: Path) -> None:
    nothing = tmp_path / "quiet.log"
    nothing.write_text("Aug 10 08:01:00 host kernel: usb 1-1: new device\n")
    assert history(proc_tree, nothing).status == 1
    for options in ((), ("--summary",), ("--json",), ("--since", "2h")):
        ran = history(proc_tree, nothing, "--quiet", *options)
        assert (ran.status, ran.stderr) == (0, "")
    assert history(proc_tree, log, "-q") == history(proc_tree, log)


def test_a_file_that_is_called_like_a_source_is_not_advised(
    proc_tree: ProcTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stdin").touch()
    text = (LOGS / "3.10-rhel7-machine-mysqld.log").read_text()
    assert "--from" not in ask(proc_tree, "history", "1", "--file", "-", stdin=text).stdout


def test_the_advice_is_a_command_that_works(proc_tree: ProcTree, tmp_path: Path) -> None:
    """It is split as a shell would; the name of the file has what a shell takes for itself."""
    path = tmp_path / "kern log $(x)'.1"
    path.write_text((LOGS / "3.10-rhel7-machine-mysqld.log").read_text() * 2)
    told = history(proc_tree, path, "1").stdout
    (advice,) = re.findall(r"oomctl (simulate .*) shows who would be next", told)
    assert shlex.split(advice)[2] == f"{path}#2"
    ran = ask(proc_tree, *shlex.split(advice))
    assert (ran.status, ran.stdout.split()[0]) == (0, "23992")


def test_that_nothing_is_such_is_said(proc_tree: ProcTree, log: Path) -> None:
    ran = history(proc_tree, log, "--victim", "nginx")
    assert (ran.status, ran.stdout, ran.stderr) == (1, "", f"oomctl: history: no such OOM kill in {log}\n")
    ran = history(proc_tree, log, "--victim", "nginx", "--summary")
    assert (ran.status, ran.stdout) == (1, "")


def test_a_summary_of_one_event_is_refused(proc_tree: ProcTree, log: Path) -> None:
    ran = history(proc_tree, log, "3", "--summary")
    assert (ran.status, ran.stderr.count("\n")) == (2, 1)
    assert "3 is one event, --summary is about all of them" in ran.stderr
