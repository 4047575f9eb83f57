"""The role ``oomadm.oomadm.oomadm`` on this machine, with directories of its own where it writes.

Two booted Debians get it in ``tests/vm/test_fleet.py``.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.ansible.playing import PROJECT, Ansible, recaps
from tests.vm import initramfs

pytestmark = [
    pytest.mark.ansible,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounts directories of its own"),
]
ROLE = PROJECT / "ansible/roles/oomadm"
RULES = [{"target": "no-such-name", "adj": 7}]
# What is written there is seen by the play alone, and is kept for the next one in the directory that $0 names.
_PRIVATE = """
[ -e "$0/etc" ] || cp -a /etc "$0/etc"
mkdir -p "$0/usr/local/bin"
for place in etc usr/local/bin; do
    mount --bind "$0/$place" "/$place"
done
mount -t tmpfs tmpfs /run
exec "$@"
"""
_BOOTED = _PRIVATE.replace("exec", "mkdir -p /run/systemd/system\nexec")
# A systemd that has no units of oomctl's.
_SYSTEMCTL = """#!/bin/sh
case $1 in
show) echo LoadState=not-found; echo ActiveState=inactive ;;
is-*|list-unit-files) exit 1 ;;
*) echo "$*" >>{0}/done ;;
esac
"""


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("pyz") / "oomadm.pyz"
    build = [sys.executable, str(PROJECT / "packaging/pyz.py"), "--output", str(file)]
    subprocess.run(build, check=True, capture_output=True)
    return file


class Machine:
    """Plays the role on this machine, whose directories are then ``root``'s."""

    def __init__(self, ansible: Ansible, root: Path) -> None:
        self.ansible, self.root, self.private, self.path = ansible, root, _PRIVATE, os.environ["PATH"]

    def play(self, variables: Mapping[str, Any], *options: str, status: int = 0) -> tuple[str, dict[str, int]]:
        """Return what was said, and the numbers at its end."""
        role = {"role": "oomadm.oomadm.oomadm", "vars": {**variables}}
        playbook = self.root / "play.yml"
        playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "roles": [role]}]))
        words = ("ansible-playbook", "-c", "local", *options, str(playbook))
        before = ("unshare", "-m", "sh", "-ec", self.private, str(self.root))
        done = self.ansible.run(*words, status=status, before=before, PATH=self.path)
        return done.stdout + done.stderr, recaps(done.stdout)["localhost"]

    def boot_without_units(self) -> None:
        """Let systemd seem to run, and know nothing of oomctl."""
        systemctl = self.root / "systemctl"
        systemctl.write_text(_SYSTEMCTL.format(self.root))
        systemctl.chmod(0o755)
        self.private, self.path = _BOOTED, f"{self.root}:{self.path}"


@pytest.fixture
def machine(ansible: Ansible, tmp_path: Path) -> Machine:
    return Machine(ansible, tmp_path)


def test_the_single_file_is_installed_once_and_a_check_before_writes_nothing(machine: Machine, pyz: Path) -> None:
    program = machine.root / "usr/local/bin/oomadm"
    policy = machine.root / "etc/oomctl/policy.toml"
    wanted = {"oomadm_install": "file", "oomadm_source": str(pyz), "oomadm_policy_rules": RULES}
    said, check = machine.play(wanted, "--check", "--diff")
    assert (check["changed"], program.exists(), policy.exists()) == (2, False, False)
    assert "+adj = 7\n" in said
    assert machine.play(wanted)[1]["changed"] == 2
    assert subprocess.run([program, "--version"], check=True, capture_output=True).stdout.startswith(b"oomctl ")
    assert "adj = 7\n" in policy.read_text()
    assert machine.play(wanted)[1]["changed"] == 0


def test_a_wheel_is_installed_once_into_an_environment_of_its_own(machine: Machine) -> None:
    home = machine.root / "home"
    wheel = str(initramfs.wheel())
    wanted = {"oomadm_install": "wheel", "oomadm_source": wheel, "oomadm_venv": str(home), "oomadm_policy_rules": RULES}
    assert machine.play(wanted, "--check")[1]["changed"] == 3
    assert not home.exists()
    assert machine.play(wanted)[1]["changed"] == 4
    assert (machine.root / "usr/local/bin/oomadm").readlink() == home / "bin/oomadm"
    assert machine.play(wanted)[1]["changed"] == 0


def test_what_was_interrupted_while_a_wheel_was_installed_is_done_again(machine: Machine, tmp_path: Path) -> None:
    broken = tmp_path / "oomctl-9-py3-none-any.whl"
    broken.write_text("no archive")
    wanted = {"oomadm_install": "wheel", "oomadm_source": str(broken), "oomadm_venv": str(tmp_path / "home")}
    for _ in range(2):
        said, _ = machine.play(wanted, status=2)
        assert "ERROR: Wheel 'oomctl'" in said


def test_rules_with_a_mistake_fail_and_leave_the_policy_as_it_was(machine: Machine, pyz: Path) -> None:
    wanted = {"oomadm_install": "file", "oomadm_source": str(pyz)}
    machine.play({**wanted, "oomadm_policy_rules": RULES})
    policy = machine.root / "etc/oomctl/policy.toml"
    before = policy.read_text()
    bad = machine.root / "bad.toml"
    bad.write_text('[[rule]]\ntarget = "x"\nadj = 7000\n')
    for options in ((), ("--check",)):
        said, _ = machine.play({**wanted, "oomadm_policy_file": str(bad)}, *options, status=2)
        assert "the policy is wrong, nothing was changed: line 3: " in said
    assert policy.read_text() == before


def test_a_policy_of_the_controller_is_written_as_it_is(machine: Machine, pyz: Path) -> None:
    file = machine.root / "rules.toml"
    file.write_text('# mine\n[[rule]]\ntarget = "no-such-name"\nadj = 7\n\n')
    wanted = {"oomadm_install": "file", "oomadm_source": str(pyz), "oomadm_policy_file": str(file)}
    machine.play(wanted)
    assert (machine.root / "etc/oomctl/policy.toml").read_text() == file.read_text()


def test_units_that_are_still_to_come_are_no_failure_of_a_check(machine: Machine, pyz: Path) -> None:
    machine.boot_without_units()
    services = {"oomadm_metrics": True, "oomadm_policy_watch": True, "oomadm_policy_rules": RULES}
    wanted = {"oomadm_install": "file", "oomadm_source": str(pyz), **services}
    said, counts = machine.play(wanted, "--check", "--diff")
    assert counts["changed"] == 4  # file, units, policy, timer
    started = re.findall(r"^\+ExecStart=(.*)$", said, re.MULTILINE)
    metrics = "/usr/local/bin/oomadm metrics --output /var/lib/prometheus/node-exporter/oomctl.prom"
    assert started == ["/usr/local/bin/oomadm policy watch", metrics]
    assert not (machine.root / "done").exists()


def test_a_timer_that_is_not_there_does_not_have_to_be_stopped(machine: Machine) -> None:
    for _ in range(2):
        assert machine.play({"oomadm_metrics": False})[1]["changed"] == 0
        machine.boot_without_units()


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        pytest.param({"oomadm_install": "deb"}, "oomadm_install must be one of", id="kind"),
        pytest.param({"oomadm_install": "file"}, "oomadm_install needs oomadm_source", id="source"),
        pytest.param({"oomadm_policy_rules": [{"target": "x"}]}, "required arguments: adj", id="rule"),
        pytest.param({"oomadm_policy_watch": True}, "oomadm_policy_watch needs one", id="watch"),
        pytest.param({"oomadm_metrics": True, "oomadm_metrics_directory": "x"}, "absolute", id="directory"),
    ],
)
def test_variables_that_make_no_sense_are_refused_before_anything_is_done(
    machine: Machine, variables: dict[str, Any], complaint: str
) -> None:
    said, counts = machine.play(variables, status=2)
    assert complaint in said
    assert counts["changed"] == 0


def test_ansible_doc_shows_every_variable_with_its_default(ansible: Ansible) -> None:
    done = ansible.run("ansible-doc", "-t", "role", "--json", "oomadm.oomadm.oomadm")
    options = json.loads(done.stdout)["oomadm.oomadm.oomadm"]["entry_points"]["main"]["options"]
    defaults = dict(re.findall(r"^(oomadm_\w+): (.*)$", (ROLE / "defaults/main.yml").read_text(), re.MULTILINE))
    documented = {name: option["default"] for name, option in options.items() if "default" in option}
    assert {name: str(default) for name, default in documented.items()} == {
        name: default.strip('"') for name, default in defaults.items()
    }
    tasks = "".join(path.read_text() for path in (ROLE / "tasks").iterdir())
    assert [name for name in options if name not in tasks + (ROLE / "vars/main.yml").read_text()] == []


def test_the_units_of_the_role_are_the_program_s() -> None:
    shipped = {path.name: path.read_text() for path in (PROJECT / "systemd").iterdir()}
    assert {path.name: path.read_text() for path in (ROLE / "files").iterdir()} == shipped
