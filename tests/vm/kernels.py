"""Debian's cloud kernels, downloaded through this machine's apt and unpacked into the cache.

Each release gets an apt state of its own, so nothing is installed and the machine's sources stay as they are.
The mirror is the one that apt is configured with; OOMCTL_VM_MIRROR names another.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_PARTS = re.compile(r"(linux-(?:image|binary|modules)-\d\S*)")


class NotHere(Exception):
    """This machine lacks something that booting a kernel needs; the text says what."""


class Release(NamedTuple):
    """Where one kernel comes from."""

    label: str
    suite: str
    package: str
    counts: str
    """How it counts RSS."""


RELEASES = (
    Release("5.10", "bullseye", "linux-image-cloud-amd64", "per thread"),
    Release("6.1", "bookworm", "linux-image-cloud-amd64", "per thread, nearest to 6.2"),
    Release("6.12", "bookworm-security", "linux-image-6.12-cloud-amd64", "per CPU, exact in status only"),
    Release("sid", "sid", "linux-image-cloud-amd64", "exact in the killer too"),
)
DEFAULT = RELEASES[2]
"""The regime in which userspace sees least: what holds here holds elsewhere."""


class Kernel(NamedTuple):
    release: Release
    image: Path
    modules: Path
    """lib/modules/VERSION of the unpacked package."""

    @property
    def version(self) -> str:
        return self.modules.name


def cache_directory() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "oomctl-vm"


@contextlib.contextmanager
def cache_to_oneself() -> Iterator[None]:
    """Wait for other runs of the tests that are changing the cache."""
    cache_directory().mkdir(parents=True, exist_ok=True)
    with (cache_directory() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def kernel(release: Release) -> Kernel:
    """Return an unpacked kernel, downloading it if it is missing. Raises NotHere."""
    directory = cache_directory() / "kernels" / release.label
    with cache_to_oneself():
        if not (directory / "complete").exists():
            _download(release, directory)
            (directory / "complete").touch()
    return _unpacked(release, directory)


def _unpacked(release: Release, directory: Path) -> Kernel:
    images = [*directory.glob("boot/vmlinuz-*"), *directory.glob("usr/lib/modules/*/vmlinuz")]
    modules = [*directory.glob("lib/modules/*"), *directory.glob("usr/lib/modules/*")]
    if not images or not modules:
        raise NotHere(f"{directory}: no kernel in it; remove the directory to download it again")
    return Kernel(release, images[0], modules[0])


def _download(release: Release, directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    downloads = directory / "download"
    downloads.mkdir(parents=True)
    apt = Apt(release.suite, directory / "apt")
    packages = apt.kernel_packages(release.package)
    apt.run("apt-get", "download", *packages, cwd=downloads)
    for package in downloads.glob("*.deb"):
        run(["dpkg", "-x", str(package), str(directory)])
    shutil.rmtree(downloads)
    shutil.rmtree(directory / "apt")


class Apt:
    """apt with one suite as its only source and a state of its own."""

    def __init__(self, suite: str, state: Path, architecture: str = "amd64") -> None:
        sources = state / "sources.list"
        (state / "lists" / "partial").mkdir(parents=True)
        (state / "cache" / "archives" / "partial").mkdir(parents=True)
        signed = f"[signed-by={_KEYRING}] " if _KEYRING.exists() else ""
        sources.write_text(f"deb {signed}{mirror(suite)} {suite} main\n")
        settings = {
            "Dir::Etc::SourceList": sources,
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::Etc::Preferences": "/dev/null",
            "Dir::Etc::PreferencesParts": "/dev/null",
            "Dir::State::Lists": state / "lists",
            "Dir::State::Status": "/dev/null",
            "Dir::Cache": state / "cache",
            "APT::Sandbox::User": "root",
            "APT::Architecture": architecture,
            "Acquire::Languages": "none",
            # Without a network the answer has to come soon, and be an error.
            "Acquire::Retries": 1,
            "Acquire::http::Timeout": 20,
            "Acquire::https::Timeout": 20,
            "APT::Update::Error-Mode": "any",
        }
        self._options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        self.run("apt-get", "update")

    def run(self, command: str, *arguments: str, cwd: Path | None = None) -> str:
        return run([command, "--quiet", *self._options, *arguments], cwd)

    def kernel_packages(self, package: str) -> list[str]:
        """Follow a meta-package to those that hold the image and its modules."""
        found: list[str] = []
        waiting = [package]
        while waiting:
            depends = self.run("apt-cache", "depends", "--important", waiting.pop())
            new = [name for name in _PARTS.findall(depends) if name not in found]
            found += dict.fromkeys(new)
            waiting += dict.fromkeys(new)
        return found


def mirror(suite: str) -> str:
    """Return the address of this machine's own Debian mirror for ``suite``."""
    configured = os.environ.get("OOMCTL_VM_MIRROR")
    if configured:
        return configured
    if shutil.which("apt-get") is None:
        raise NotHere("no apt-get: kernels are fetched from a Debian mirror")
    listing = run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(SUITE)|$(RELEASE)|$(REPO_URI)", "Created-By: Packages"]
    )
    entries = [line.split("|") for line in listing.splitlines()]
    security = suite.endswith("-security")
    for origin, _, name, address in entries:
        if origin == "Debian" and name.endswith("-security") == security:
            return address
    raise NotHere("apt knows no Debian mirror here (after apt-get update); name one in OOMCTL_VM_MIRROR")


def run(command: list[str], cwd: Path | None = None) -> str:
    """Run a tool and return what it prints. Raises NotHere where it is missing or fails."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotHere(f"{command[0]}: {error}") from None
    if done.returncode:
        raise NotHere(f"{command[0]} failed: {done.stderr.strip()[-500:]}")
    return done.stdout
