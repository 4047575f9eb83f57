"""What people will copy: the policies in examples/policy, and the unit."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import click
import pytest

from oomctl.cli.main import cli
from oomctl.policy.decision import decide
from oomctl.policy.loading import load
from tests.privileges import needs_root
from tests.proc_tree import LISTENER, ProcTree

PROJECT = Path(__file__).parents[2]
EXAMPLES = sorted((PROJECT / "examples" / "policy").glob("*.toml"))
UNIT = PROJECT / "systemd" / "oomctl-policy.service"
INTERPRETER = "/opt/oomctl/bin/python"
"""Of the installation for root."""


def installed(path: Path, directory: Path) -> str:
    """Copy an example to where only its owner can change it, whoever owns the checkout."""
    copy = directory / path.name
    copy.write_text(path.read_text())
    return str(copy)


def values(proc_tree: ProcTree, name: str) -> Mapping[str, int]:
    """What the example gives to whom, by comm."""
    procfs = proc_tree.procfs()
    policy = load([installed(PROJECT / "examples" / "policy" / name, proc_tree.root)])
    decided = decide(policy.rules, procfs.tasks().read, procfs).values()
    return {decision.task.comm: decision.rule.adj for decision in decided if decision.left_alone is None}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_has_no_mistakes_and_reasons_for_all_it_does(path: Path, tmp_path: Path) -> None:
    policy = load([installed(path, tmp_path)])
    assert policy.mistakes == ()
    assert all(rule.reason for rule in policy.rules)


def test_the_manual_names_every_example() -> None:
    page = (PROJECT / "man" / "oomctl-policy.5").read_text()
    assert [path.name for path in EXAMPLES if f".Pa {path.name}\n" not in page] == []


@needs_root
def test_on_a_server_sshd_and_the_database_are_protected(proc_tree: ProcTree) -> None:
    proc_tree.add(10, "sshd", uid=0)
    proc_tree.write("10/cmdline", LISTENER)
    proc_tree.add(11, "sshd-session", uid=0, ppid=10)
    proc_tree.add(12, "bash", ppid=11)
    postgres = proc_tree.program("postgres")
    proc_tree.add(20, "postgres", uid=112, exe=postgres)
    proc_tree.add(21, "postgres", uid=112, ppid=20, exe=postgres)
    proc_tree.add(30, "restic", uid=0)
    assert values(proc_tree, "server.toml") == {"sshd": -1000, "postgres": -900, "restic": 500}


def test_on_a_server_nobody_gets_protection_by_a_name(proc_tree: ProcTree) -> None:
    proc_tree.add(10, "postgres", uid=54321)
    proc_tree.add(11, "sshd", uid=0)
    proc_tree.write("11/cmdline", "sshd: alice@pts/0")
    assert values(proc_tree, "server.toml") == {}


def test_on_a_desktop_browsers_and_compilers_go_first(proc_tree: ProcTree) -> None:
    proc_tree.add(10, "gnome-shell")
    proc_tree.add(11, "firefox-esr", ppid=10)
    proc_tree.add(12, "Isolated Web Co", ppid=11)
    proc_tree.add(13, "chromium", ppid=10)
    proc_tree.add(20, "make", ppid=10)
    proc_tree.add(21, "cc1plus", ppid=20)
    proc_tree.add(22, "ld.gold", ppid=20)
    assert values(proc_tree, "desktop.toml") == {
        "firefox-esr": 400,
        "Isolated Web Co": 700,
        "chromium": 400,
        "cc1plus": 800,
        "ld.gold": 800,
    }


def test_on_a_ci_runner_jobs_go_and_the_runner_stays(proc_tree: ProcTree) -> None:
    proc_tree.mount_v2()
    proc_tree.cgroup("/ci")
    proc_tree.add(10, "Runner.Listener")
    proc_tree.add(11, "Runner.Worker", ppid=10)
    proc_tree.add(12, "bash", ppid=11)
    proc_tree.add(13, "cargo", ppid=12)
    proc_tree.add(20, "pytest", cgroup="0::/ci/job-1\n")
    proc_tree.add(21, "sleep")
    assert values(proc_tree, "ci-runner.toml") == {
        "Runner.Listener": 0,
        "Runner.Worker": 500,
        "bash": 500,
        "cargo": 500,
        "pytest": 500,
    }


def settings() -> dict[str, str]:
    lines = [line.partition("=") for line in UNIT.read_text().splitlines()]
    return {name: value for name, _, value in lines}


def test_the_unit_starts_a_command_that_exists() -> None:
    program, isolated, module, package, *words = settings()["ExecStart"].split()
    assert (program, isolated, module, package) == (INTERPRETER, "-I", "-m", "oomctl")
    command: click.Command = cli
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words.pop(0))
        assert found is not None
        command = found
    assert (command.name, words) == ("watch", [])


def test_the_unit_is_watched_and_always_tried_again() -> None:
    unit = settings()
    assert (unit["Restart"], unit["StartLimitIntervalSec"]) == ("on-failure", "0")
    assert int(unit["RestartSec"]) > 0
    assert unit["WatchdogSec"] == "3min"


def test_the_unit_hides_homes() -> None:
    assert settings()["ProtectHome"] == "yes"


@pytest.mark.parametrize("path", sorted(UNIT.parent.iterdir()), ids=lambda path: path.name)
def test_every_unit_names_its_manual_page_and_no_service_speaks_ip(path: Path) -> None:
    lines = path.read_text().splitlines()
    pages = [word for line in lines if line.startswith("Documentation=") for word in line.partition("=")[2].split()]
    assert pages
    manual = UNIT.parent.parent / "man"
    for page in pages:
        name, section = page.removeprefix("man:").rstrip(")").split("(")
        assert (manual / f"{name}.{section}").is_file(), page
    assert ("IPAddressDeny=any" in lines) is (path.suffix == ".service")


def test_the_unit_keeps_what_process_events_need() -> None:
    unit = settings()
    assert {"CAP_SYS_RESOURCE", "CAP_DAC_OVERRIDE", "CAP_NET_ADMIN"} <= set(unit["CapabilityBoundingSet"].split())
    assert {"AF_NETLINK", "AF_UNIX"} == set(unit["RestrictAddressFamilies"].split())
    assert (
        unit.keys() & {"PrivateNetwork", "PrivateUsers", "PrivatePIDs", "ProtectProc", "User", "DynamicUser"} == set()
    )


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(INTERPRETER, shutil.which("true") or ""))
    # Where oomctl is not installed its manual pages are not there either.
    verify = ["systemd-analyze", "verify", "--man=no", str(unit)]
    ran = subprocess.run(verify, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
