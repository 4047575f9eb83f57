"""A whole Debian 12 for QEMU: its systemd, sshd and PostgreSQL, with oomctl on a disk beside it.

Built once by debootstrap from the mirror that apt is configured with, as root, into the cache; every boot works on
a throw-away copy. The guest runs a script of ``tests.vm.guest`` as a service and reports on its second serial port.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.vm import initramfs, kernels, qemu
from tests.vm.guest.host import ADDRESS, NETWORK
from tests.vm.kernels import NotHere, cache_directory

SUITE = "bookworm"
_PACKAGES = (
    *("systemd-sysv", "dbus", "libpam-systemd", "dbus-user-session"),
    *("openssh-server", "openssh-client", "postgresql", "python3"),
    *("linux-image-cloud-amd64", "initramfs-tools", "zstd"),
    *("earlyoom", "systemd-oomd", "sudo"),
    *("python3-click", "python3-psutil", "python3-rich"),  # what the Debian package depends on
    "python3-apt",  # by which Ansible installs it
)
_NEEDED = {
    "debootstrap": "debootstrap",
    "chroot": "coreutils",
}
_BUILD_SECONDS = 1500
_SSH_SECONDS = 180
_IMAGE_MIB = 2560
PROJECT = "/opt/oomctl"
_START = f"export PYTHONPATH={PROJECT} HOME=/root\nexec python3 -m tests.vm.guest.%s\n"
_UNIT = f"""\
[Unit]
Description=Tries oomctl on this machine
After=ssh.service postgresql.service multi-user.target
RequiresMountsFor={PROJECT}
[Service]
Type=simple
ExecStart=/bin/sh {PROJECT}/start
StandardOutput=journal+console
StandardError=journal+console
"""
# The test must not wait for what it does not need, nor the machine for a network that it does not have.
_MASKED = (
    *("e2scrub_reap.service", "apt-daily.timer", "apt-daily-upgrade.timer", "systemd-timesyncd.service"),
    # A check is to meet them, and the machine out of the box does not have them. Each login would start systemd-oomd.
    *("earlyoom.service", "systemd-oomd.service", "systemd-oomd.socket"),
)


class Boot(NamedTuple):
    """What the guest said."""

    events: list[dict[str, Any]]
    console: Path
    seconds: float

    def of(self, event: str) -> list[dict[str, Any]]:
        return [found for found in self.events if found["event"] == event]

    def console_tail(self, lines: int = 40) -> str:
        return "\n".join(self.console.read_text(errors="replace").splitlines()[-lines:])


def boot(
    script: str = "services",
    memory_mib: int = 1024,
    deadline: int = 1500,
    files: Mapping[str, bytes] | None = None,
) -> Boot:
    """Boot the guest, have it run ``script`` of ``tests.vm.guest``, and return what it said before it ended.

    ``files``, by name, are beside the project. Raises NotHere where it cannot be built or run.
    """
    system = _system()
    logs = cache_directory() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    console, results = logs / f"debian-{script}.console", logs / f"debian-{script}.jsonl"
    for old in (console, results):
        old.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="oomctl-vm-") as directory:
        project = project_disk(Path(directory), {**(files or {}), "start": (_START % script).encode()})
        began = time.monotonic()
        said = _run_until(_emulator(system, project, console, results, f"{memory_mib}M", cpus=2), deadline)
    with console.open("a") as file:
        file.write(said)
    return Boot(qemu.events(results), console, time.monotonic() - began)


def _emulator(system: Path, project: Path, console: Path, results: Path, memory: str, cpus: int) -> list[str]:
    """Return the command that starts the guest; its disks are as they were after it."""
    # fmt: off
    return [
        "setpriv", "--pdeathsig", "KILL",
        "nice", "qemu-system-x86_64", "-machine", "pc", "-accel", "tcg,thread=multi", "-cpu", "max,la57=off",
        "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-smp", str(cpus), "-m", memory,
        "-kernel", str(system / "vmlinuz"), "-initrd", str(system / "initrd"),
        "-append", "root=/dev/vda rw console=ttyS0 panic=-1 mitigations=off random.trust_cpu=on net.ifnames=0",
        "-serial", f"file:{console}", "-serial", f"file:{results}",
        "-drive", f"file={system / 'image'},format=raw,if=virtio,snapshot=on",
        "-drive", f"file={project},format=raw,if=virtio,snapshot=on",
        "-device", "virtio-rng-pci",
    ]
    # fmt: on


class Host(NamedTuple):
    """A guest that runs, and that others reach as they would any other host."""

    name: str
    port: int
    """Of loopback, behind which its sshd is."""
    key: Path
    """With which root may log in."""
    console: Path

    def ssh(self, script: str) -> str:
        """Return what the guest's Python prints for ``script``."""
        known = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR")
        command = ("ssh", *known, "-i", str(self.key), "-p", str(self.port), "root@127.0.0.1", "python3", "-")
        done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=_SSH_SECONDS, check=False)
        assert done.returncode == 0, f"{self.name}: {done.stderr}"
        return done.stdout


@contextlib.contextmanager
def running(names: Sequence[str], deadline: int = 400) -> Iterator[list[Host]]:
    """Boot a guest of each name, all at once, without oomctl in them; end them when the context ends.

    They have no way out of their network, and the only way in is a port of loopback each. Raises NotHere where they
    cannot be built or run, or did not come up before ``deadline``, in seconds.
    """
    if shutil.which("ssh-keygen") is None:
        raise NotHere("not installed: openssh-client")
    system = _system()
    logs = cache_directory() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="oomctl-vm-")))
        key = directory / "key"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
        started = [stack.enter_context(_started(system, directory, name, key, logs)) for name in names]
        _wait_for_hosts(started, time.monotonic() + deadline)
        yield [host for host, _ in started]


_Started = tuple[Host, "subprocess.Popen[bytes]"]


@contextlib.contextmanager
def _started(system: Path, directory: Path, name: str, key: Path, logs: Path) -> Iterator[_Started]:
    console, results = logs / f"debian-{name}.console", logs / f"debian-{name}.jsonl"
    site = directory / f"{name}.site"
    files = {
        "start": (_START % "host").encode(),
        "name": name.encode(),
        "authorized_keys": key.with_suffix(".pub").read_bytes(),
    }
    _put_scripts(site, files)
    qemu.make_ext4(directory / name, 16, site)
    host = Host(name, _free_port(), key, console)
    for old in (console, results):
        old.unlink(missing_ok=True)
    forwarded = f"user,id=net,restrict=on,net={NETWORK},hostfwd=tcp:127.0.0.1:{host.port}-{ADDRESS}:22"
    command = _emulator(system, directory / name, console, results, "512M", cpus=1)
    command.remove("nice")  # Ansible waits for the answers
    command += ["-netdev", forwarded, "-device", "virtio-net-pci,netdev=net"]
    with (logs / f"debian-{name}.qemu").open("wb") as complaints:
        emulator = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=complaints, stderr=subprocess.STDOUT)
    try:
        yield host, emulator
    finally:
        emulator.kill()
        emulator.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for_hosts(started: Sequence[_Started], until: float) -> None:
    """Wait until each says that it can be reached. Raises NotHere for the first that ended, or when it is too late."""
    for host, emulator in started:
        results = host.console.with_suffix(".jsonl")
        while not any(event["event"] == "finished" for event in qemu.events(results)):
            if emulator.poll() is not None or time.monotonic() > until:
                said = host.console.read_text(errors="replace").splitlines() if host.console.exists() else []
                raise NotHere(f"{host.name} did not come up: {qemu.events(results)}\n" + "\n".join(said[-20:]))
            time.sleep(0.2)


def booted(script: str = "services", files: Mapping[str, bytes] | None = None) -> Boot:
    """Boot it once more where it said nothing: on a busy host an emulated machine may not come up in time."""
    found = boot(script, files=files)
    return found if found.events else boot(script, files=files)


def booted_or_skipped(script: str) -> Boot:
    """Boot the guest for a test; skip it where that cannot be."""
    try:
        return booted(script)
    except NotHere as reason:
        pytest.skip(f"no guest with Debian's systemd: {reason}")


def why_not() -> str | None:
    """Why no such guest can be built here; None when it can."""
    if qemu.why_not() is not None:
        return qemu.why_not()
    if os.geteuid() != 0:
        return "building a Debian needs root (chroot)"
    missing = [package for program, package in _NEEDED.items() if shutil.which(program, path=_path()) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def _system() -> Path:
    """Return the directory with image, kernel and initrd, built when this file's recipe changed."""
    reason = why_not()
    if reason is not None:
        raise NotHere(reason)
    recipe = hashlib.sha256(repr((SUITE, _PACKAGES, _UNIT, _MASKED, _IMAGE_MIB)).encode()).hexdigest()[:12]
    directory = cache_directory() / f"debian-{SUITE}-{recipe}"
    if not (directory / "complete").exists():
        for old in cache_directory().glob("debian-*"):
            shutil.rmtree(old)
        directory.mkdir(parents=True)
        _build(directory)
        (directory / "complete").touch()
    return directory


def _build(directory: Path) -> None:
    root = directory / "root"
    packages = f"--include={','.join(_PACKAGES)}"
    run("debootstrap", "--variant=minbase", packages, SUITE, str(root), kernels.mirror(SUITE))
    units = root / "etc/systemd/system"
    (units / "oomctl-test.service").write_text(_UNIT)
    (units / "multi-user.target.wants/oomctl-test.service").symlink_to("/etc/systemd/system/oomctl-test.service")
    for unit in _MASKED:
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    (root / "etc/fstab").write_text(f"/dev/vdb {PROJECT} ext4 defaults 0 0\n")
    (root / PROJECT.strip("/")).mkdir(parents=True, exist_ok=True)
    (root / "etc/hostname").write_text("guest\n")
    shutil.copy(next(root.glob("boot/vmlinuz-*")), directory / "vmlinuz")
    shutil.copy(next(root.glob("boot/initrd.img-*")), directory / "initrd")
    qemu.make_ext4(directory / "image", _IMAGE_MIB, root)
    shutil.rmtree(root)


def project_disk(directory: Path, files: Mapping[str, bytes]) -> Path:
    """Return a disk with the wheel under test, what it needs, the guest's scripts, and ``files``, by name."""
    site = directory / "site"
    # The guest's Python is Debian 12's; what is not pure has to be built for it, or for every Python 3.
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--target", str(site)]
    run(*pip, "--python-version", "3.11", "--only-binary=:all:", str(initramfs.wheel()))
    _put_scripts(site, files)
    _unpack_units(site)
    qemu.make_ext4(directory / "project", 64, site)
    return directory / "project"


def _put_scripts(site: Path, files: Mapping[str, bytes]) -> None:
    """Put the guest's scripts and ``files`` into ``site``."""
    package = site / initramfs.GUEST_PACKAGE
    shutil.copytree(initramfs.GUEST, package, ignore=shutil.ignore_patterns("__pycache__"))
    for parent in (package.parent, package.parent.parent):
        (parent / "__init__.py").touch()
    for name, content in files.items():
        (site / name).write_bytes(content)


def _unpack_units(site: Path) -> None:
    """pip leaves out a wheel's lib/ where it installs into a directory."""
    with zipfile.ZipFile(initramfs.wheel()) as wheel:
        for name in wheel.namelist():
            if "/lib/systemd/system/" in name:
                (site / Path(name).name).write_bytes(wheel.read(name))


def run(*command: str) -> None:
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "PATH": _path(), "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_BUILD_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotHere(f"{command[0]}: {error}") from None
    if done.returncode:
        raise NotHere(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-500:]}")


def _run_until(command: list[str], deadline: int) -> str:
    """Run the emulator and return what it complained about."""
    emulator = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        output, _ = emulator.communicate(timeout=deadline)
        return output.decode(errors="replace")
    except subprocess.TimeoutExpired:
        return f"\nended by the host after {deadline} s\n"
    finally:
        emulator.kill()
        emulator.communicate()
