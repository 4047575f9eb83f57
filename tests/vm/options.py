"""Command-line options of the tests in virtual machines; a plugin of tests/conftest.py, which pytest reads in time."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("kernels in QEMU")
    group.addoption("--all-kernels", action="store_true", help="boot every kernel, not only one")
    group.addoption("--kills", type=int, default=42, help="about so many kills by each kernel")
    group.addoption("--cpus", type=int, default=2, help="CPUs of each guest")
    group.addoption("--seed", type=int, default=1, help="another seed, other processes")
    group.addoption("--lab", action="store_true", help="also what takes many minutes, or an idle machine")
    group.addoption(
        "--architectures", default="", help="boot kernels of these, too: arm64-16k,ppc64el-64k,i386-pae, or all"
    )
