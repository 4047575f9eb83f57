"""A Debian 12 with PostgreSQL, Redis and a JVM, whose whole kernel has zswap; its PID 1 is the guest scripts' own.

Built like the one in ``debian``, and kept beside it.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from tests.vm import debian, kernels, qemu
from tests.vm.kernels import NotHere, cache_directory

_PACKAGES = (
    *("postgresql", "redis-server", "openjdk-17-jre-headless", "python3"),
    *("linux-image-amd64", "initramfs-tools", "zstd"),
)
_IMAGE_MIB = 3072
_MEMORY_MIB = 896
_SWAP_MIB = 256
_GRACE_SECONDS = 60
_INIT = f"""\
#!/bin/sh
mount /dev/vdb {debian.PROJECT}
umount -l /run /dev /sys /proc
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
exec python3 {debian.PROJECT}/init.py
"""
_START = "from tests.vm.guest import boot\n\nboot.main()\n"


def boot(deadline: int, **settings: int | str) -> qemu.Boot:
    """Boot the guest and return what it said before it ended. Raises NotHere where it cannot be built or run."""
    system = _system()
    logs = cache_directory() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    console, results = logs / "programs", logs / "programs.jsonl"
    for old in (console, results):
        old.write_text("")
    with tempfile.TemporaryDirectory(prefix="oomctl-vm-") as directory:
        project, swap = debian.project_disk(Path(directory), {"init.py": _START.encode()}), Path(directory) / "swap"
        qemu.make_swap(swap, _SWAP_MIB)
        words = {"script": "programs", "deadline": deadline, **settings}
        # fmt: off
        command = [
            "setpriv", "--pdeathsig", "KILL",
            "nice", "qemu-system-x86_64", "-machine", "pc", "-accel", "tcg,thread=multi", "-cpu", "max,la57=off",
            "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-smp", "2", "-m", f"{_MEMORY_MIB}M",
            "-kernel", str(system / "vmlinuz"), "-initrd", str(system / "initrd"),
            "-append", " ".join((
                *qemu.KERNEL_WORDS, "root=/dev/vda", "rw", "init=/sbin/oomctl-init",
                *(f"oomctl.{name}={value}" for name, value in words.items()),
            )),
            "-serial", f"file:{console}", "-serial", f"file:{results}",
            *(word for disk, extra in ((system / "image", ",snapshot=on"), (project, ""), (swap, ""))
              for word in ("-drive", f"file={disk},format=raw,if=virtio,cache=unsafe{extra}")),
            "-device", "virtio-rng-pci",
        ]
        # fmt: on
        complaints, started, seconds = qemu.run_to_its_end(command, results, deadline + _GRACE_SECONDS)
    said = console.read_text(errors="replace") + complaints
    return qemu.Boot("6.1 with zswap", "programs", qemu.events(results), said, console, started, seconds)


def _system() -> Path:
    """Return the directory with image, kernel and initrd, built when this file's recipe changed."""
    reason = debian.why_not()
    if reason is not None:
        raise NotHere(reason)
    recipe = hashlib.sha256(repr((debian.SUITE, _PACKAGES, _INIT, _IMAGE_MIB)).encode()).hexdigest()[:12]
    directory = cache_directory() / f"programs-{debian.SUITE}-{recipe}"
    if not (directory / "complete").exists():
        for old in cache_directory().glob("programs-*"):
            shutil.rmtree(old)
        directory.mkdir(parents=True)
        _build(directory)
        (directory / "complete").touch()
    return directory


def _build(directory: Path) -> None:
    root = directory / "root"
    packages = f"--include={','.join(_PACKAGES)}"
    debian.run("debootstrap", "--variant=minbase", packages, debian.SUITE, str(root), kernels.mirror(debian.SUITE))
    _finish(directory, root)


def _finish(directory: Path, root: Path) -> None:
    init = root / "sbin/oomctl-init"
    init.write_text(_INIT)
    init.chmod(0o755)
    (root / debian.PROJECT.strip("/")).mkdir(parents=True, exist_ok=True)
    (root / "modules").touch()  # which the scripts' PID 1 would load; the initrd has done so
    shutil.copy(next(root.glob("boot/vmlinuz-*")), directory / "vmlinuz")
    shutil.copy(next(root.glob("boot/initrd.img-*")), directory / "initrd")
    qemu.make_ext4(directory / "image", _IMAGE_MIB, root)
    shutil.rmtree(root)
