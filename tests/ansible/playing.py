"""Runs real ansible-core against this machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

PROJECT = Path(__file__).parents[2]


class Played(NamedTuple):
    """What became of a playbook."""

    text: str
    results: dict[str, dict[str, Any]]
    """What each task registered."""
    recap: dict[str, int]
    """``changed``, ``failed`` and the like, of the one host."""


class Ansible:
    """One installed ansible-core, with a home of its own."""

    def __init__(self, programs: Path, home: Path) -> None:
        self.programs, self.home = programs, home

    def run(
        self,
        program: str,
        *words: str,
        status: int = 0,
        before: tuple[str, ...] = (),
        seconds: int = 120,
        **environment: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run one of its programs, ``before`` which other words may stand. Fails unless it ends with ``status``."""
        own = {
            "HOME": str(self.home),
            "ANSIBLE_COLLECTIONS_PATH": str(self.home / "collections"),
            "ANSIBLE_LOCALHOST_WARNING": "0",
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
            "ANSIBLE_DEPRECATION_WARNINGS": "0",
            "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
            "PATH": os.environ["PATH"],
            "XDG_STATE_HOME": str(self.home),
        }
        argv = [*before, str(self.programs / program), *words]
        told = {**own, **environment}
        done = subprocess.run(
            argv, capture_output=True, text=True, env=told, cwd=self.home, timeout=seconds, check=False
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def install_collection(self) -> None:
        """Build the collection of this checkout and install it."""
        home = str(self.home)
        built = self.run("ansible-galaxy", "collection", "build", str(PROJECT / "ansible"), "--output-path", home)
        [archive] = re.findall(r"\S+/oomadm-oomadm-\S+\.tar\.gz", built.stdout)
        self.run("ansible-galaxy", "collection", "install", archive, "-p", str(self.home / "collections"))

    def play(self, tasks: list[dict[str, Any]], *options: str, status: int = 0) -> Played:
        """Run ``tasks`` on this machine; each registers under its name."""
        results = self.home / "results.json"
        results.unlink(missing_ok=True)
        named = [{**task, "register": task["name"]} for task in tasks]
        told = {
            "name": "results",
            "ansible.builtin.copy": {
                "dest": str(results),
                "content": "{{ {" + ", ".join(f"'{task['name']}': {task['name']}" for task in tasks) + "} | to_json }}",
            },
            "check_mode": False,
            "diff": False,
            "changed_when": False,
        }
        play = [{"hosts": "localhost", "gather_facts": False, "tasks": [*named, told]}]
        path = self.home / "play.yml"
        path.write_text(json.dumps(play))  # JSON is YAML
        done = self.run("ansible-playbook", "-c", "local", str(path), *options, status=status)
        counts = recaps(done.stdout)["localhost"]
        return Played(done.stdout + done.stderr, json.loads(results.read_text()), counts)


def installed() -> list[str]:
    """Return the directories with an ``ansible-playbook``: that of PATH, and those of OOMCTL_ANSIBLE (``DIR:DIR``)."""
    found = shutil.which("ansible-playbook")
    others = [name for name in os.environ.get("OOMCTL_ANSIBLE", "").split(os.pathsep) if name]
    return [*([os.path.dirname(found)] if found else []), *others]


def recaps(output: str) -> dict[str, dict[str, int]]:
    """Return ``changed``, ``failed`` and the like by host, from what a playbook says at its end."""
    lines = re.findall(r"^(\S+) +: (ok=.*)$", output, re.MULTILINE)
    return {host: {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", line)} for host, line in lines}


def wrapper(path: Path, command: str) -> Path:
    """Write a file that runs ``command`` in this checkout."""
    path.write_text(f'#!/bin/sh\nPYTHONPATH={PROJECT} exec {command} "$@"\n')
    path.chmod(0o755)
    return path


def program_without(path: Path, capability: str) -> Path:
    """Write a file that runs oomctl without ``capability``; who is not root has none anyway."""
    drop = f"setpriv --bounding-set=-{capability} " if os.geteuid() == 0 else ""
    return wrapper(path, f"{drop}{sys.executable} -m oomctl")
