"""``oomctl check`` as people, cron, Nagios and Checkmk see it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.audit.situations import SITUATIONS, check
from tests.commands.invoke import ask, program
from tests.proc_tree import ProcTree

NAGIOS = re.compile(r"OOM (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]+( \| (\w+=\d+ ?)+)?\n")
"""Of Nagios' guidelines for plug-ins: one line, performance data behind a bar."""
CHECKMK = re.compile(r"[0-3] OOM (-|(\w+=\d+\|?)+) [^\n]+\n")


@pytest.fixture
def machine(proc_tree: ProcTree, monkeypatch: pytest.MonkeyPatch) -> ProcTree:
    monkeypatch.setattr("oomctl.audit.look.has_sys_resource", lambda procfs: True)
    proc_tree.add(1, "systemd", 300, score=0, uid=0, ppid=0)
    proc_tree.add(2000, "worker", 5_000, uid=0)
    return proc_tree


def made(tree: ProcTree, *names: str) -> ProcTree:
    for name in names:
        SITUATIONS[name].make(tree)
    return tree


def test_people_see_the_worst_first_with_the_remedy_under_each(machine: ProcTree) -> None:
    ran = ask(made(machine, "sysrq-oom", "panic-on-oom 2", "other-killer"), "check")
    assert ran.status == 1
    assert ran.stdout == (
        "CRITICAL  panic-on-oom: vm.panic_on_oom is 2: the kernel panics instead of killing anybody, also when only a"
        " cgroup or some nodes run out of memory\n"
        "          sysctl vm.panic_on_oom=0\n"
        "INFO      other-killer: 70 (earlyoom) runs; it kills before the kernel does, and not by the kernel's rule\n"
        "INFO      sysrq-oom: kernel.sysrq is 438: on a machine that hangs, Alt+SysRq+F cannot ask for a kill\n"
        "          sysctl kernel.sysrq=502\n"
    )


def test_json_has_the_process_as_other_commands_have_it(machine: ProcTree) -> None:
    (finding,) = check(made(machine, "old-scale -17"))[1]
    assert (finding["id"], finding["severity"], finding["unit"]) == ("old-scale", "warning", None)
    assert (finding["process"]["pid"], finding["process"]["comm"]) == (35, "cron")
    assert finding["process"]["oom_score_adj"] == -17
    assert finding["process"]["rss_bytes"] == 100 * 4096
    assert finding["message"].startswith("35 (cron) has -17")


@pytest.mark.parametrize(
    ("names", "status", "line"),
    [
        pytest.param((), 0, "OOM OK - nothing found | critical=0 warning=0 info=0\n", id="nothing"),
        pytest.param(
            ("sysrq-oom",), 0, "OOM OK - 1 remark, nothing to worry about | critical=0 warning=0 info=1\n", id="info"
        ),
        pytest.param(
            ("panic-on-oom 1",),
            1,
            "OOM WARNING - panic-on-oom: vm.panic_on_oom is 1: the kernel panics instead of killing anybody, when the"
            " machine runs out | critical=0 warning=1 info=0\n",
            id="warning",
        ),
        pytest.param(
            ("panic-on-oom 2", "old-scale 15"),
            2,
            "OOM CRITICAL - panic-on-oom: vm.panic_on_oom is 2:",
            id="critical",
        ),
    ],
)
def test_nagios_gets_one_line_and_its_status(machine: ProcTree, names: tuple[str, ...], status: int, line: str) -> None:
    ran = ask(made(machine, *names), "check", "--format", "nagios")
    assert (ran.status, ran.stderr) == (status, "")
    assert ran.stdout.startswith(line)
    assert NAGIOS.fullmatch(ran.stdout)


def test_checkmk_gets_the_status_in_the_line(machine: ProcTree) -> None:
    ran = ask(machine, "check", "--format", "checkmk")
    assert (ran.status, ran.stdout) == (0, "0 OOM critical=0|warning=0|info=0 nothing found\n")
    ran = ask(made(machine, "panic-on-oom 2"), "check", "--format", "checkmk")
    assert ran.status == 0
    assert ran.stdout.startswith("2 OOM critical=1|warning=0|info=0 panic-on-oom: vm.panic_on_oom is 2:")
    assert CHECKMK.fullmatch(ran.stdout)


FAILURES = [
    pytest.param(["--nonsense"], id="an option"),
    pytest.param(["--only", "nonsense"], id="a check"),
    pytest.param(["--config", "/nonexistent"], id="a file"),
    pytest.param(["--json"], id="a contradiction"),
    pytest.param(["cmd:("], id="a target"),
    pytest.param(["--min-severity", "bad"], id="a severity"),
    pytest.param(["nobody-here"], id="nobody"),
]


@pytest.mark.parametrize("words", FAILURES)
def test_every_failure_of_the_check_itself_is_unknown_to_nagios(machine: ProcTree, words: list[str]) -> None:
    for order in ([*words, "--format", "nagios"], ["--format=nagios", *words]):
        ran = ask(machine, "check", *order)
        assert (ran.status, ran.stderr) == (3, ""), ran
        assert NAGIOS.fullmatch(ran.stdout)
        assert ran.stdout.startswith("OOM UNKNOWN - ")


@pytest.mark.parametrize("words", FAILURES)
def test_every_failure_of_the_check_itself_is_unknown_to_checkmk(machine: ProcTree, words: list[str]) -> None:
    ran = ask(machine, "check", *words, "--format", "checkmk")
    assert (ran.status, ran.stderr) == (0, "")
    assert CHECKMK.fullmatch(ran.stdout)
    assert ran.stdout.startswith("3 OOM - ")


def test_a_machine_that_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    env = {"OOMCTL_PROC": str(tmp_path)}
    assert program("check", env=env).status == 7
    ran = program("check", "--format", "nagios", env=env)
    assert (ran.status, ran.stdout.startswith("OOM UNKNOWN - "), ran.stderr) == (3, True, "")


def test_an_error_that_nobody_thought_of_is_unknown(machine: ProcTree, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("nobody thought of it | really\n")

    monkeypatch.setattr("oomctl.commands.check.look", broken)
    ran = ask(machine, "check", "--format", "nagios")
    assert (ran.status, ran.stdout) == (3, "OOM UNKNOWN - nobody thought of it / really\n")
    with pytest.raises(ZeroDivisionError):
        ask(machine, "check")


def test_a_name_passes_for_no_performance_data(machine: ProcTree) -> None:
    machine.add(35, "a | x=9\n", adj=-17, uid=0)
    ran = ask(machine, "check", "--format", "nagios")
    assert ran.stdout.count("|") == 1
    assert NAGIOS.fullmatch(ran.stdout)
    assert CHECKMK.fullmatch(ask(machine, "check", "--format", "checkmk").stdout)


def test_a_file_says_what_is_not_to_be_told_and_only_brings_it_back(machine: ProcTree, tmp_path: Path) -> None:
    path = tmp_path / "check.toml"
    path.write_text('ignore = ["panic-on-oom"]\nprecious = ["worker"]\n')
    made(machine, "panic-on-oom 1")
    (machine.root / "sys/vm/panic_on_oom").write_text("0\n")
    found = check(machine, "--config", str(path))[1]
    assert [finding["id"] for finding in found] == ["precious-next"]
    (machine.root / "sys/vm/panic_on_oom").write_text("1\n")
    assert check(machine, "--config", str(path))[1] == []
    found = check(machine, "--config", str(path), "--only", "panic-on-oom")[1]
    assert [finding["id"] for finding in found] == ["panic-on-oom"]
