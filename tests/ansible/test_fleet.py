"""``examples/fleet``: one table of all hosts, and their snapshots, to be asked offline."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.ansible.playing import PROJECT, Ansible, recaps, wrapper

pytestmark = pytest.mark.ansible
FLEET = PROJECT / "examples/fleet"


def test_all_hosts_stand_in_one_table_and_a_name_cannot_move_the_cursor(
    ansible: Ansible, oomadm: Path, tmp_path: Path
) -> None:
    victim = {"pid": 7, "comm": "a\x1b[2J", "oom_score_adj": 5, "rss_bytes": 3 << 20}
    answer: dict[str, object] = {
        "schema": "oomctl.simulate/1",
        "outcome": "kill",
        "victim": victim,
        "certainty": "close",
        "settled": True,
    }
    answer["findings"] = [{"id": "victim-precious", "severity": "critical"}] * 2
    (tmp_path / "answer").write_text(json.dumps(answer))
    toy = wrapper(tmp_path / "toy", f"cat {tmp_path}/answer #")
    hosts = {"a-toy": toy, "local": oomadm, "without": "/nonexistent/oomadm"}
    inventory = "".join(f"{host} ansible_connection=local program={path}\n" for host, path in hosts.items())
    (tmp_path / "hosts").write_text(inventory)
    words = ("all", "-i", str(tmp_path / "hosts"), "-m", "oomadm.oomadm.oom_facts", "-a", "executable={{program}}")
    done = ansible.run("ansible", *words, status=2, ANSIBLE_CONFIG=str(FLEET / "table.cfg"))
    titles, *rows = (line.split("  ") for line in done.stdout.splitlines())
    cells = [[cell.strip() for cell in row if cell] for row in rows]
    assert titles[0].strip() == "HOST"
    assert cells[0] == ["a-toy", "a?[2J", "7", "5", "3.0", "close, settled", "victim-precious"]
    assert cells[1][0] == "local"
    assert cells[2][0] == "without"
    assert cells[2][1].startswith("failed: /nonexistent/oomadm is not installed on this host")


def test_a_playbook_that_is_run_where_it_lies_says_what_it_does(ansible: Ansible, oomadm: Path, tmp_path: Path) -> None:
    words = ("-i", "one,", "-c", "local", "-e", f"oomadm={oomadm}", "-e", f"snapshots={tmp_path}/", "snapshots.yml")
    done = ansible.run("ansible-playbook", *words, before=("env", "-C", str(FLEET)))
    assert recaps(done.stdout)["one"]["changed"] == 1, done.stdout


def test_the_snapshots_of_all_hosts_are_kept_and_can_be_asked(ansible: Ansible, oomadm: Path, tmp_path: Path) -> None:
    words = ("-i", "one,", "-c", "local", "-e", f"oomadm={oomadm}", "-e", f"snapshots={tmp_path}/new")
    play = ("ansible-playbook", *words, str(FLEET / "snapshots.yml"))
    ansible.run(*play, "--check")
    assert not (tmp_path / "new").exists()
    ansible.run(*play)
    asked = [str(oomadm), "simulate", "--json", "--from", str(tmp_path / "new/one.json")]
    done = subprocess.run(asked, capture_output=True, check=True)
    assert json.loads(done.stdout)["outcome"] == "kill"
