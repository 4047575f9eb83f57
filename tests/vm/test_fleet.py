"""``examples/fleet/keep.yml`` on two booted Debians: one gets the package, the other the single file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.ansible.playing import PROJECT, Ansible, installed, recaps
from tests.debian_package import package
from tests.vm import debian
from tests.vm.debian import Host
from tests.vm.guest.host import COLLECTED
from tests.vm.kernels import NotHere

pytestmark = [pytest.mark.vm, pytest.mark.lab, pytest.mark.ansible]
PLAYBOOK = PROJECT / "examples/fleet/keep.yml"
PACKAGED, COPIED = "db1", "db2"
POLICY = "/etc/oomctl/policy.toml"
UNTOUCHED = {"postgres": -900, "backup": 0, "keeps": "inactive", "enabled": "not-found"}
AS_WANTED = {"postgres": -950, "keeps": "active", "enabled": "enabled"}
BACKUP_ADJ = {PACKAGED: 0, COPIED: 500}
"""Only the latter is in the group that has backups."""
_PLAY_SECONDS = 300

# What the guests are asked; the answer is JSON.
_ASKED = f"""
import json, os, subprocess, time
def sh(command):
    return subprocess.run(command, shell=True, capture_output=True, text=True)
def main_pid(unit):
    return int(sh("systemctl show -P MainPID " + unit).stdout)
def adj(unit):
    with open("/proc/%d/oom_score_adj" % main_pid(unit)) as file:
        return int(file.read())
def wait(condition, seconds=100):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.2)
    return condition()
POSTGRES, BACKUP, KEEPER = "postgresql@15-main", "restic", "oomctl-policy"
POLICY = {POLICY!r}
"""
# Where a role could write; times of change tell what was written and put back.
_FILES = """
roots = ["/etc", "/opt", "/srv", "/usr/local", "/usr/bin", "/usr/lib/systemd", "/var/cache", "/var/lib/prometheus"]
found = sh("find %s -printf '%%p %%y %%s %%C@\\\\n' | sort" % " ".join(roots)).stdout
print(json.dumps(found.splitlines()))
"""
_STATE = """
print(json.dumps({"postgres": adj(POSTGRES), "backup": adj(BACKUP),
    "keeps": sh("systemctl is-active " + KEEPER).stdout.strip(),
    "enabled": sh("systemctl is-enabled " + KEEPER).stdout.strip() or "not-found"}))
"""
_KILLED = """
before = main_pid(POSTGRES), main_pid(BACKUP)
for pid in before:
    os.kill(pid, 9)
wait(lambda: sh("systemctl is-active %s %s" % (POSTGRES, BACKUP)).stdout.split() == ["failed", "failed"])
sh("systemctl restart %s %s" % (POSTGRES, BACKUP))
wait(lambda: adj(POSTGRES) == -950)
after = main_pid(POSTGRES), main_pid(BACKUP)
print(json.dumps({"new": not set(before) & set(after), "postgres": adj(POSTGRES), "backup": adj(BACKUP)}))
"""
_DRIFT = """
sh("systemctl stop " + KEEPER)
with open(POLICY, "a") as file:
    file.write('[[rule]]\\ntarget = "cron"\\nadj = 1\\n')
with open("/proc/%d/oom_score_adj" % main_pid(POSTGRES), "w") as file:
    file.write("0")
print(json.dumps(adj(POSTGRES)))
"""
_METRICS = f"""
file = {str(COLLECTED / "oomctl.prom")!r}
wait(lambda: os.path.exists(file))
print(json.dumps(open(file).read() if os.path.exists(file) else sh("systemctl status oomctl-metrics.*").stdout))
"""


class Runs(NamedTuple):
    """What each run of the playbook said, by host, and what was so on the hosts around it."""

    played: dict[str, dict[str, dict[str, int]]]
    told: dict[str, str]
    files: list[dict[str, Any]]
    """Before and after the check."""
    states: dict[str, dict[str, Any]]
    killed: dict[str, Any]
    metrics: str


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """A check, two runs, a kill; then one host is changed by hand, and two more runs."""
    found = installed()
    if not found:
        pytest.skip("needs ansible-core: apt-get install ansible-core")
    home = tmp_path_factory.mktemp("fleet")
    try:
        with debian.running((PACKAGED, COPIED)) as hosts:
            fleet = Fleet(Ansible(Path(found[0]), home), hosts)
            return fleet.live()
    except NotHere as reason:
        pytest.skip(f"no guests with Debian's systemd: {reason}")


class Fleet:
    def __init__(self, ansible: Ansible, hosts: list[Host]) -> None:
        self.ansible, self.hosts = ansible, hosts
        ansible.install_collection()
        self.inventory = ansible.home / "hosts"
        pyz = ansible.home / "oomadm.pyz"
        _run("packaging/pyz.py", "--output", str(pyz))
        sources = {
            PACKAGED: f"oomadm_install=package oomadm_source={_deb()}"
            f" oomadm_metrics=true oomadm_metrics_directory={COLLECTED}",
            COPIED: f"oomadm_install=file oomadm_source={pyz}",
        }
        lines = [
            f"{host.name} ansible_host=127.0.0.1 ansible_port={host.port} ansible_ssh_private_key_file={host.key}"
            f" {sources[host.name]}\n"
            for host in hosts
        ]
        self.inventory.write_text("".join([*lines, f"[backup]\n{COPIED}\n"]))

    def live(self) -> Runs:
        played, told, states = {}, {}, {}

        def play(name: str, *options: str) -> None:
            told[name] = self.play(*options)
            played[name] = recaps(told[name])

        files = [self.ask(_FILES)]
        play("check", "--check", "--diff")
        files.append(self.ask(_FILES))
        states["check"] = self.ask(_STATE)
        play("first", "--diff")
        states["first"] = self.ask(_STATE)
        play("second")
        killed = self.ask(_KILLED)
        packaged, copied = self.hosts
        metrics = json.loads(packaged.ssh(_ASKED + _METRICS))
        copied.ssh(_ASKED + _DRIFT)
        states["drifted"] = self.ask(_STATE)
        play("third", "--diff")
        states["third"] = self.ask(_STATE)
        play("fourth")
        return Runs(played, told, files, states, killed, metrics)

    def play(self, *options: str) -> str:
        known = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
        done = self.ansible.run(
            *("ansible-playbook", "-i", str(self.inventory), "-u", "root", *options, str(PLAYBOOK)),
            seconds=_PLAY_SECONDS,
            ANSIBLE_SSH_ARGS=f"{known} -o ControlMaster=auto -o ControlPersist=600",
            ANSIBLE_STRATEGY="free",  # no host waits for the other, and both are slow
            ANSIBLE_SSH_CONTROL_PATH_DIR=str(self.hosts[0].key.parent),
        )
        return done.stdout

    def ask(self, script: str) -> dict[str, Any]:
        with ThreadPoolExecutor() as pool:
            said = pool.map(lambda host: host.ssh(_ASKED + script), self.hosts)
            return {host.name: json.loads(answer) for host, answer in zip(self.hosts, said)}


def _deb() -> Path:
    """The package of this tree; built where it is not in dist."""
    if package() is None:
        subprocess.run([PROJECT / "packaging/build_deb.sh"], env={**os.environ, "PYTHON": sys.executable}, check=True)
    deb = package()
    assert deb is not None, "dist has another package as well"
    return deb


def _run(*words: str) -> None:
    subprocess.run([sys.executable, *words], cwd=PROJECT, check=True, capture_output=True)


def changed(runs: Runs, run: str) -> list[str]:
    return [host for host, counts in runs.played[run].items() if counts["changed"]]


def on_both(state: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {host: {**state, "backup": adj} for host, adj in BACKUP_ADJ.items()}


def test_no_run_fails_or_loses_a_host(runs: Runs) -> None:
    ended = [(run, host, one) for run, hosts in runs.played.items() for host, one in hosts.items()]
    assert len(ended) == 2 * len(runs.played)
    assert [run for run in ended if run[2]["failed"] or run[2]["unreachable"]] == []


def test_a_check_where_nothing_is_installed_tells_what_would_change_and_writes_nothing(runs: Runs) -> None:
    assert changed(runs, "check") == [PACKAGED, COPIED]
    assert '+target = ["postgres"]\n' in runs.told["check"]
    assert runs.files[0] == runs.files[1]
    assert runs.states["check"] == {PACKAGED: UNTOUCHED, COPIED: UNTOUCHED}


def test_a_run_makes_it_so(runs: Runs) -> None:
    assert changed(runs, "first") == [PACKAGED, COPIED]
    assert runs.states["first"] == on_both(AS_WANTED)


def test_a_second_run_changes_nothing(runs: Runs) -> None:
    assert changed(runs, "second") == []


def test_who_is_killed_and_started_again_has_the_value_of_the_policy_or_of_its_unit(runs: Runs) -> None:
    assert runs.killed == on_both({"new": True, "postgres": -950})


def test_the_timer_writes_the_metrics_into_the_directory_of_the_collector(runs: Runs) -> None:
    assert "\n# TYPE oomctl_next_victim_info gauge\n" in runs.metrics


def test_a_run_mends_the_host_that_was_changed_by_hand_and_leaves_the_other_alone(runs: Runs) -> None:
    assert runs.states["drifted"][COPIED]["postgres"] == 0
    assert runs.states["drifted"][COPIED]["keeps"] == "inactive"
    assert changed(runs, "third") == [COPIED]
    assert '-target = "cron"\n' in runs.told["third"]
    assert runs.states["third"] == on_both(AS_WANTED)


def test_then_a_run_changes_nothing(runs: Runs) -> None:
    assert changed(runs, "fourth") == []
