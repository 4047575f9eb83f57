"""The collection, built and installed once, and every ansible-core that is here."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.ansible.playing import PROJECT, Ansible, program_without, wrapper


def _installed() -> list[str]:
    """Return the directories with an ``ansible-playbook``: that of PATH, and those of OOMCTL_ANSIBLE (``DIR:DIR``)."""
    found = shutil.which("ansible-playbook")
    others = [name for name in os.environ.get("OOMCTL_ANSIBLE", "").split(os.pathsep) if name]
    return [*([os.path.dirname(found)] if found else []), *others]


@pytest.fixture(scope="session", params=_installed() or [""], ids=lambda name: name.strip("/").replace("/", "-"))
def ansible(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ansible:
    """Skips where ansible-core is not installed."""
    if not request.param:
        pytest.skip("needs ansible-core: apt-get install ansible-core")
    home = tmp_path_factory.mktemp("ansible")
    ansible = Ansible(Path(request.param), home)
    built = ansible.run("ansible-galaxy", "collection", "build", str(PROJECT / "ansible"), "--output-path", str(home))
    [archive] = re.findall(r"\S+/oomadm-oomadm-\S+\.tar\.gz", built.stdout)
    ansible.run("ansible-galaxy", "collection", "install", archive, "-p", str(home / "collections"))
    return ansible


@pytest.fixture(scope="session")
def oomadm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of this checkout as a file that ansible's modules can start."""
    return wrapper(tmp_path_factory.mktemp("bin") / "oomadm", f"{sys.executable} -m oomctl")


@pytest.fixture(scope="session")
def oomadm_without_capability(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without CAP_SYS_RESOURCE, which root has on some machines and not in most containers."""
    return program_without(tmp_path_factory.mktemp("bin") / "oomadm", "sys_resource")
