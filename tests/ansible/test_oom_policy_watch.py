"""``watch`` of ``oom_policy``: what it has systemctl do; a toy answers for it, and /run says that systemd is there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.ansible.playing import Ansible

pytestmark = pytest.mark.ansible

# Remembers one state for both questions, and what it was asked to do.
_SYSTEMCTL = """#!/bin/sh
case $1 in
is-active|is-enabled) [ -e {0}/on ] ;;
enable) touch {0}/on; echo "$*" >>{0}/done ;;
disable) rm {0}/on; echo "$*" >>{0}/done ;;
*) echo "$*" >>{0}/done ;;
esac
"""
_BOOTED = 'mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system && exec "$@"'
_UNIT = "oomctl-policy.service"


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a /run of its own")
def test_the_service_is_started_reloaded_and_stopped_once_each_and_a_check_does_none_of_it(
    ansible: Ansible, oomadm: Path, tmp_path: Path
) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(_SYSTEMCTL.format(tmp_path))
    systemctl.chmod(0o755)
    done = tmp_path / "done"
    done.touch()

    def task(adj: int, **options: object) -> dict[str, object]:
        rules = [{"target": "no-such-name", "adj": adj}]
        module = {"rules": rules, "path": str(tmp_path / "policy.toml"), "executable": str(oomadm), **options}
        return {"name": f"rule {adj}", "oomadm.oomadm.oom_policy": module}

    started, changed, stopped = task(1, watch=True), task(2), task(3, watch=False)
    tasks = [{**started, "check_mode": True}, started, started, changed, changed, stopped, stopped]
    play = tmp_path / "play.yml"
    play.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    path = f"{tmp_path}:{os.environ['PATH']}"
    booted = ("unshare", "-m", "sh", "-c", _BOOTED, "sh")
    played = ansible.run("ansible-playbook", "-c", "local", str(play), before=booted, PATH=path)
    verdicts = [line.split(":")[0] for line in played.stdout.splitlines() if line.startswith(("ok:", "changed:"))]
    assert verdicts == ["changed", "changed", "ok", "changed", "ok", "changed", "ok"]
    assert done.read_text().splitlines() == [f"enable --now {_UNIT}", f"reload {_UNIT}", f"disable --now {_UNIT}"]
