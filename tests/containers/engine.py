"""Podman with a store of its own, as the ``docker`` that the documentation names, and the image of the package."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.commands.invoke import ROOT, Ran
from tests.debian_package import package

PAGE = ROOT / "packaging" / "container" / "README.md"
BASE = "docker.io/library/debian:bookworm-slim"
_PATIENCE_S = 120
_BUILD_S = 300


class Engine:
    """What runs the lines of the documentation: ``docker`` in PATH is podman, with its store in ``home``."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._bin = home / "bin"
        self._bin.mkdir()
        # runc: crun refuses cgroups of both versions side by side.
        words = f"--root {home}/store --runroot {home}/run --storage-driver overlay --runtime runc"
        (self._bin / "docker").write_text(f'#!/bin/sh\nexec podman {words} "$@"\n')
        (self._bin / "docker").chmod(0o755)
        (home / "containers.conf").write_text(f"[containers]\ndefault_ulimits = {_ulimits()}\n")
        self.env = {
            **os.environ,
            "PATH": f"{self._bin}:{os.environ['PATH']}",
            "CONTAINERS_CONF": str(home / "containers.conf"),
            "BUILDAH_ISOLATION": "chroot",
        }

    def shell(self, line: str, patience_s: int = _PATIENCE_S) -> Ran:
        """Run a line as a shell has it."""
        ran = subprocess.run(
            ["sh", "-c", line],
            env=self.env,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=patience_s,
            check=False,
        )
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def done(self, line: str, patience_s: int = _PATIENCE_S) -> str:
        """Run a line that must succeed; what it printed."""
        ran = self.shell(line, patience_s)
        assert ran.status == 0, (line, ran.stdout[-2000:], ran.stderr[-2000:])
        return ran.stdout

    def build(self) -> None:
        """Make the image by ``make container``, from a Debian that debootstrap made under the name of Docker's."""
        root = self.home / "debian"
        make = f". packaging/roots.sh; make_root {root} bookworm"
        subprocess.run(["bash", "-ec", make], cwd=ROOT, env=self.env, check=True, timeout=_BUILD_S, capture_output=True)
        self.done(f"tar -C {root} -cf - . | docker import - {BASE}", _BUILD_S)
        shutil.rmtree(root)
        self.done("make container ENGINE=docker", _BUILD_S)

    def end(self) -> None:
        """End what was started; the store goes with its directory."""
        self.done("docker rm --all --force --time 0")


def _ulimits() -> str:
    """Return limits that also root without CAP_SYS_RESOURCE may set; podman would raise them."""
    limits = {"nofile": (resource.RLIMIT_NOFILE, 1024), "nproc": (resource.RLIMIT_NPROC, 4096)}
    return str([f"{name}={_least(*limit)}:{_least(*limit)}" for name, limit in limits.items()]).replace("'", '"')


def _least(kind: int, wanted: int) -> int:
    hard = resource.getrlimit(kind)[1]
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


def documented(heading: str) -> list[str]:
    """Return the ``docker`` lines of the page below a heading, each as one line."""
    _, found, rest = PAGE.read_text().partition(f"## {heading}\n")
    assert found, f"{PAGE} has no heading {heading}"
    text = "".join(re.findall(r"^```sh\n(.*?)^```$", re.split(r"^## ", rest, flags=re.M)[0], re.M | re.S))
    return [line for line in text.replace("\\\n", " ").splitlines() if "docker " in line]


def asking(line: str, *argv: str) -> str:
    """Return the line with another command for oomadm at its end; what stands before the command stays."""
    start, found, _ = line.rpartition(" simulate")
    assert found, line
    return f"{start} {' '.join(argv)}"


def replaced(line: str, words: Mapping[str, str]) -> str:
    """Return the line with what its reader fills in."""
    for old, new in words.items():
        assert line.count(old) == 1, (line, old)
        line = line.replace(old, new)
    return line


def why_impossible() -> str | None:
    """Say what keeps the image from being built and run here; None where nothing does."""
    if os.geteuid() != 0:
        return "needs root"
    missing = [name for name in ("podman", "runc", "debootstrap", "make", "dpkg-deb") if shutil.which(name) is None]
    if missing:
        return f"needs apt-get install podman runc debootstrap make dpkg: no {', '.join(missing)}"
    return None if package() else "needs the package of this tree, and no other, in dist: packaging/build_deb.sh"
