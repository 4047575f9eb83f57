"""The collection, built and installed once, and every ansible-core that is here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.ansible.playing import Ansible, installed, program_without, wrapper


@pytest.fixture(scope="session", params=installed() or [""], ids=lambda name: name.strip("/").replace("/", "-"))
def ansible(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ansible:
    """Skips where ansible-core is not installed."""
    if not request.param:
        pytest.skip("needs ansible-core: apt-get install ansible-core")
    ansible = Ansible(Path(request.param), tmp_path_factory.mktemp("ansible"))
    ansible.install_collection()
    return ansible


@pytest.fixture(scope="session")
def oomadm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of this checkout as a file that ansible's modules can start."""
    return wrapper(tmp_path_factory.mktemp("bin") / "oomadm", f"{sys.executable} -m oomctl")


@pytest.fixture(scope="session")
def oomadm_without_capability(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without CAP_SYS_RESOURCE, which root has on some machines and not in most containers."""
    return program_without(tmp_path_factory.mktemp("bin") / "oomadm", "sys_resource")
