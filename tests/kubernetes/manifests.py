"""What `kubectl apply -k examples/kubernetes` sends, as kubectl makes it of the files there."""

from __future__ import annotations

import functools
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.vm import kernels

ROOT = Path(__file__).parent.parent.parent
DIRECTORY = ROOT / "examples" / "kubernetes"
_SUITE = "bookworm"
_PACKAGES = ("kubernetes-client", "runc")


@functools.cache
def program(name: str) -> str:
    """Return the path of Debian's kubectl or runc: downloaded through this machine's apt, unpacked, not installed.

    Skips the test where they are not to be had.
    """
    directory = kernels.cache_directory() / "kubernetes"
    try:
        with kernels.cache_to_oneself():
            if not (directory / "complete").exists():
                _download(directory)
                (directory / "complete").touch()
    except kernels.NotHere as error:
        pytest.skip(str(error))
    return str(directory / "usr" / "bin" / name)


def _download(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    kernels.Apt(_SUITE, directory / "apt").run("apt-get", "download", *_PACKAGES, cwd=directory)
    for package in directory.glob("*.deb"):
        kernels.run(["dpkg", "-x", str(package), str(directory)])
        package.unlink()
    shutil.rmtree(directory / "apt")


@functools.cache
def rendered() -> tuple[dict[str, Any], ...]:
    """Return every resource."""
    command = [program("kubectl"), "kustomize", str(DIRECTORY)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return tuple(yaml.safe_load_all(ran.stdout))


def pod_spec(name: str) -> dict[str, Any]:
    """Return what the DaemonSet of that name says of its pods."""
    (found,) = [one for one in rendered() if (one["kind"], one["metadata"]["name"]) == ("DaemonSet", name)]
    spec: dict[str, Any] = found["spec"]["template"]["spec"]
    return spec


def config_maps() -> dict[str, dict[str, str]]:
    """Return the texts of every ConfigMap by its name, which has a hash at its end, and their keys."""
    return {one["metadata"]["name"]: one["data"] for one in rendered() if one["kind"] == "ConfigMap"}
