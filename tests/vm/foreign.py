"""Kernels with other pages and another word length: emulated whole, with Debian's Python of that architecture.

Packages are unpacked, not installed: nothing has to run that this machine's processor cannot run. The guest is the
same as elsewhere (``guest.boot``, the judge, the toys) with the script ``guest.foreign``; it reports on its console.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.vm import initramfs, kernels, qemu
from tests.vm.kernels import Apt, NotHere, cache_directory, cache_to_oneself


class Architecture(NamedTuple):
    """One kernel of another architecture, and the emulated machine that it runs on."""

    label: str
    debian: str
    """By Debian's name."""
    suite: str
    kernel: str
    """A package that depends on the kernel, in ``suite``."""
    emulator: str
    package: str
    """Debian's package that has the emulator."""
    machine: tuple[str, ...]
    console: str
    page_size: int
    high_memory: bool = False
    """Part of the memory is beyond what the kernel can address at once."""
    swap_mib: int = 0
    """Needs modules, which the kernel's own package has to hold."""


ARCHITECTURES = (
    Architecture(
        "arm64-16k",
        "arm64",
        "sid",
        "linux-image-arm64-16k",
        "qemu-system-aarch64",
        "qemu-system-arm",
        # A named older CPU has no granule of 16 KiB, and stays silent.
        ("-machine", "virt", "-cpu", "max", "-accel", "tcg", "-m", "768M"),
        "ttyAMA0",
        16384,
    ),
    Architecture(
        "ppc64el-64k",
        "ppc64el",
        "sid",
        "linux-image-powerpc64le-64k",
        "qemu-system-ppc64",
        "qemu-system-ppc",
        # What the emulator cannot do has to be given up by name.
        (
            *("-machine", "pseries,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off"),
            *("-cpu", "power9", "-accel", "tcg", "-m", "1024M"),
        ),
        "hvc0",
        65536,
    ),
    Architecture(
        "i386-pae",
        "i386",
        "bullseye",
        "linux-image-686-pae",
        "qemu-system-i386",
        "qemu-system-x86",
        ("-machine", "pc", "-cpu", "max", "-accel", "tcg,thread=single", "-m", "1536M"),
        "ttyS0",
        4096,
        high_memory=True,
        # The kernel multiplies badness by 1000 in 32 bits for oom_score: with so many pages it overflows.
        swap_mib=9216,
    ),
)

_PYTHON_SUITE = "sid"
_LIBRARIES = ("libc6", "libgcc-s1", "zlib1g", "libexpat1", "libffi8", "liblzma5")
_KERNEL_WORDS = (
    *("rdinit=/init", "quiet", "panic=-1", "oops=panic", "log_buf_len=4M", "printk.devkmsg=on"),
    *("swapaccount=1", "cgroup_no_v1=all", "mitigations=off", "nokaslr", "random.trust_cpu=on"),
)
_GRACE_SECONDS = 60


def chosen(names: str) -> tuple[Architecture, ...]:
    """Return those that ``names`` asks for: labels with commas between them, or all. Raises UsageError for others."""
    if names == "all":
        return ARCHITECTURES
    known = {architecture.label: architecture for architecture in ARCHITECTURES}
    wanted = [name for name in names.split(",") if name]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise pytest.UsageError(f"--architectures: {unknown[0]!r}; expected some of {', '.join(known)}, or all")
    return tuple(known[name] for name in wanted)


def why_not(architecture: Architecture) -> str | None:
    """Why no such guest can be started here; None when it can."""
    found = shutil.which(architecture.emulator)
    return None if found else f"no {architecture.emulator} (Debian's package {architecture.package})"


def boot(architecture: Architecture, deadline: int, **settings: int) -> qemu.Boot:
    """Run ``guest.foreign`` on this architecture. Raises NotHere where it cannot be built or started."""
    reason = why_not(architecture)
    if reason is not None:
        raise NotHere(reason)
    with cache_to_oneself():
        directory = _unpacked(architecture)
        archive = _archive(architecture, directory)
    image = next(directory.glob("kernel/boot/vmlin*"), None) or next(directory.glob("kernel/usr/lib/modules/*/vmlin*"))
    words = {"script": "foreign", "deadline": deadline, "swap": architecture.swap_mib, **settings}
    with tempfile.TemporaryDirectory(prefix="oomctl-vm-") as place:
        console = Path(place) / "console"
        console.touch()
        if architecture.swap_mib:
            qemu.make_swap(Path(place) / "swap", architecture.swap_mib)
        disk = f"if=none,id=swap,format=raw,cache=unsafe,file={place}/swap"
        # fmt: off
        command = [
            "setpriv", "--pdeathsig", "KILL", "nice", architecture.emulator, *architecture.machine,
            "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-smp", "2",
            *(("-drive", disk, "-device", "virtio-blk-pci,drive=swap") if architecture.swap_mib else ()),
            "-kernel", str(image), "-initrd", str(archive), "-serial", f"file:{console}", "-append",
            " ".join((f"console={architecture.console}", *_KERNEL_WORDS,
                      *(f"oomctl.{name}={value}" for name, value in words.items()))),
        ]
        # fmt: on
        complaints, boot_seconds, seconds = qemu.run_to_its_end(command, console, deadline + _GRACE_SECONDS)
        log = cache_directory() / "logs" / f"{architecture.label}-foreign"
        log.parent.mkdir(exist_ok=True)
        shutil.copyfile(console, log)
        said = console.read_text(errors="replace") + complaints
        name = f"{architecture.label} {_version(image)}"
        return qemu.Boot(name, "foreign", qemu.events(console), said, log, boot_seconds, seconds)


def _version(image: Path) -> str:
    return image.parent.name if image.name in ("vmlinuz", "vmlinux") else image.name.partition("-")[2]


def _unpacked(architecture: Architecture) -> Path:
    """Return the directory with ``kernel`` and ``root``, downloaded if it is missing."""
    directory = cache_directory() / "kernels" / architecture.label
    if not (directory / "complete").exists():
        shutil.rmtree(directory, ignore_errors=True)
        _download_kernel(architecture, directory)
        _download_python(architecture, directory)
        (directory / "complete").touch()
    return directory


def _download_kernel(architecture: Architecture, directory: Path) -> None:
    apt = Apt(architecture.suite, directory / "apt-kernel", architecture.debian)
    packages = [name for name in apt.kernel_packages(architecture.kernel) if not name.startswith("linux-modules")]
    _unpack(apt, packages, directory / "kernel")


def _download_python(architecture: Architecture, directory: Path) -> None:
    apt = Apt(_PYTHON_SUITE, directory / "apt-python", architecture.debian)
    depends = apt.run("apt-cache", "depends", "--important", "python3-minimal")
    match = re.search(r"python(3\.\d+)-minimal", depends)
    if match is None:
        raise NotHere(f"python3-minimal of {architecture.debian} depends on no Python: {depends.strip()}")
    python = f"python{match[1]}"
    packages = (*_LIBRARIES, f"{python}-minimal", f"lib{python}-minimal", f"lib{python}-stdlib", "python3-psutil")
    root = directory / "root"
    _unpack(apt, packages, root)
    for name in ("bin", "lib", "lib64", "sbin"):
        if not (root / name).exists() and (root / "usr" / name).is_dir():
            (root / name).symlink_to(f"usr/{name}")


def _unpack(apt: Apt, packages: list[str] | tuple[str, ...], where: Path) -> None:
    downloads = where.with_name(f"{where.name}-download")
    downloads.mkdir(parents=True)
    apt.run("apt-get", "download", *packages, cwd=downloads)
    for package in downloads.glob("*.deb"):
        kernels.run(["dpkg", "-x", str(package), str(where)])
    shutil.rmtree(downloads)


def _archive(architecture: Architecture, directory: Path) -> Path:
    """The guest's file system: that Python as source, for nobody here can compile for it, and the project."""
    package = initramfs.wheel()
    inputs = [package, Path(__file__), Path(initramfs.__file__), *sorted(initramfs.GUEST.glob("*.py"))]
    archive = cache_directory() / f"foreign-{architecture.label}-{initramfs.digest(inputs)}.cpio"
    if archive.exists():
        return archive
    for old in cache_directory().glob(f"foreign-{architecture.label}-*"):
        old.unlink()
    root = initramfs.fresh("foreign")
    source = directory / "root"
    shutil.copytree(source, root, ignore=_unneeded, symlinks=True, dirs_exist_ok=True)
    interpreter = next((root / "usr/bin").glob("python3.*"))
    # psutil is not pure: Debian's own, for that architecture.
    pure = (found for found in initramfs.dependencies_of(package) if found.name.lower() != "psutil")
    site = root / initramfs.SITE.strip("/")
    initramfs.put_project(root, package, pure, f"/usr/bin/{interpreter.name}", f"/dev/{architecture.console}")
    shutil.copytree(source / "usr/lib/python3/dist-packages/psutil", site / "psutil")
    if architecture.swap_mib:
        modules = next(directory.glob("kernel/lib/modules/*"))
        initramfs.put_modules(root, modules)
    else:
        (root / "modules").touch()  # none: what the guest needs is built in
    return initramfs.pack(root, archive)


def _unneeded(directory: str, names: list[str]) -> set[str]:
    return initramfs.unneeded(directory, names) | ({"share", "games"} & {*names})
