"""One emulated machine: started, listened to on its second serial port, and ended whatever happens."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from tests.vm import initramfs
from tests.vm.guest import swap
from tests.vm.kernels import Kernel, NotHere, cache_directory, cache_to_oneself

_QEMU = "qemu-system-x86_64"
_MAKE_EXT4 = "mkfs.ext4"
_START_SECONDS = 240
"""Ten seconds are usual; a guest that has not started its script by then is given up."""
_GRACE_SECONDS = 60
"""What a guest may take beyond its own deadline before the host ends it."""


class Machine(NamedTuple):
    memory_mib: int = 640
    cpus: int = 2
    nodes: int = 1
    swap_mib: int = 512
    files_mib: int = 0
    """Of an ext4 on a second disk."""
    cgroup_v1: bool = False
    """Leave the memory controller to cgroup v1."""


class Boot(NamedTuple):
    """What one guest said before it ended."""

    kernel: str
    script: str
    events: list[dict[str, Any]]
    console: str
    log: Path
    """Where the console is kept."""
    boot_seconds: float | None
    """From switching on to the guest script; None for a guest that did not start."""
    seconds: float

    def of(self, event: str) -> list[dict[str, Any]]:
        return [found for found in self.events if found["event"] == event]

    def console_tail(self, lines: int = 60) -> str:
        return "\n".join(self.console.splitlines()[-lines:])


def why_not() -> str | None:
    """Why no guest can be started here; None when it can."""
    if shutil.which(_QEMU) is None:
        return f"no {_QEMU} (Debian's package qemu-system-x86)"
    if shutil.which(_MAKE_EXT4, path=_search_path()) is None:
        return f"no {_MAKE_EXT4} (Debian's package e2fsprogs)"
    return None


def _search_path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def boot(kernel: Kernel, script: str, machine: Machine, deadline: int, **settings: int) -> Boot:
    """Run the guest script ``script`` under ``kernel``; a guest that does not start is tried once more.

    Raises NotHere where no guest can be started at all.
    """
    reason = why_not()
    if reason is not None:
        raise NotHere(reason)
    with tempfile.TemporaryDirectory(prefix="oomctl-vm-") as directory:
        guest = _Guest(kernel, Path(directory), script, machine, deadline, settings)
        with cache_to_oneself():
            shutil.copyfile(initramfs.build(kernel), guest.archive)
        result = guest.run()
        return guest.run() if result.boot_seconds is None else result


class _Guest(NamedTuple):
    kernel: Kernel
    directory: Path
    """Its own, for what it is made of and what it writes."""
    script: str
    machine: Machine
    deadline: int
    settings: dict[str, int]

    @property
    def archive(self) -> Path:
        return self.directory / "initramfs"

    def run(self) -> Boot:
        console, results, disk = (self.directory / name for name in ("console", "results", "swap"))
        for file in (console, results):
            file.write_text("")
        make_swap(disk, self.machine.swap_mib)
        # fmt: off
        complaints, boot_seconds, seconds = run_to_its_end([
            *self._machine(),
            "-kernel", str(self.kernel.image), "-initrd", str(self.archive), "-append", self._command_line(),
            "-serial", f"file:{console}", "-serial", f"file:{results}",
            "-drive", f"if=none,id=swap,format=raw,cache=unsafe,file={disk}",
            "-device", "virtio-blk-pci,drive=swap",
            *self._files(),
        ], results, self.deadline + _GRACE_SECONDS)
        # fmt: on
        said = console.read_text(errors="replace") + complaints
        return Boot(
            self.kernel.version, self.script, events(results), said, self._kept(said, results), boot_seconds, seconds
        )

    def _files(self) -> list[str]:
        if not self.machine.files_mib:
            return []
        disk = self.directory / "files"
        make_ext4(disk, self.machine.files_mib)
        drive = f"if=none,id=files,format=raw,cache=unsafe,file={disk}"
        return ["-drive", drive, "-device", "virtio-blk-pci,drive=files"]

    def _kept(self, console: str, results: Path) -> Path:
        """Put both outputs where they can be read after the tests; return the console's place."""
        logs = cache_directory() / "logs"
        logs.mkdir(exist_ok=True)
        settings = (f"{key}{value}" for key, value in self.settings.items())
        log = logs / "-".join((self.kernel.release.label, self.script, *settings))
        shutil.copyfile(results, log.with_name(f"{log.name}.jsonl"))
        log.write_text(console)
        return log

    def _machine(self) -> list[str]:
        machine = self.machine
        # fmt: off
        command = [
            # An emulator must not outlive the tests, however they end.
            "setpriv", "--pdeathsig", "KILL",
            "nice", _QEMU, "-machine", "pc", "-accel", "tcg,thread=single", "-cpu", "max,la57=off",
            "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
            "-smp", str(machine.cpus), "-m", f"{machine.memory_mib}M",
        ]
        # fmt: on
        for node in range(machine.nodes if machine.nodes > 1 else 0):
            size, cpus = machine.memory_mib // machine.nodes, machine.cpus // machine.nodes
            command += ["-object", f"memory-backend-ram,id=ram{node},size={size}M"]
            its_cpus = f"cpus={node * cpus}-{(node + 1) * cpus - 1}"
            command += ["-numa", f"node,nodeid={node},memdev=ram{node},{its_cpus}"]
        return command

    def _command_line(self) -> str:
        words = {"script": self.script, "deadline": self.deadline, **self.settings}
        unified = [] if self.machine.cgroup_v1 else ["cgroup_no_v1=all"]
        return " ".join((*KERNEL_WORDS, *unified, *(f"oomctl.{name}={value}" for name, value in words.items())))


KERNEL_WORDS = (
    *("console=ttyS0", "quiet", "panic=-1", "oops=panic", "log_buf_len=8M", "printk.devkmsg=on"),
    "swapaccount=1",
    *("mitigations=off", "nokaslr", "random.trust_cpu=on", "no_timer_check"),
    # The TSC is measured while booting: in an emulator that has to wait for a CPU meanwhile, the clock went ten times
    # too fast, and every deadline passed too soon. The HPET's frequency is known.
    *("tsc=unstable", "clocksource=hpet"),
)


def run_to_its_end(command: list[str], results: Path, seconds: int) -> tuple[str, float | None, float]:
    """Run the emulator, for ``seconds`` after the guest's start at most.

    Return what it complained about, after how many seconds the guest had started (None: never), and ended.
    """
    began = time.monotonic()
    started: float | None = None
    ended_by_host = ""
    with tempfile.TemporaryFile() as output:
        qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            running = True
            while running and not ended_by_host:
                time.sleep(0.1)
                running = qemu.poll() is None
                passed = time.monotonic() - began
                if started is None and any(event["event"] == "started" for event in events(results)):
                    started = passed
                if running and passed > (_START_SECONDS if started is None else started + seconds):
                    ended_by_host = f"\nended by the host after {passed:.0f} s\n"
        finally:
            qemu.kill()
            qemu.wait()
        output.seek(0)
        return output.read().decode(errors="replace") + ended_by_host, started, time.monotonic() - began


def make_swap(path: Path, size_mib: int) -> None:
    with path.open("wb") as file:
        file.write(swap.empty_area(size_mib << 20))
        file.truncate(size_mib << 20)


def make_ext4(image: Path, size_mib: int, tree: Path | None = None) -> None:
    """Make an ext4 without a journal, holding ``tree``. Raises NotHere where that fails."""
    command = [_MAKE_EXT4, "-q", "-F", "-O", "^has_journal", *(["-d", str(tree)] if tree else []), str(image)]
    environment = {**os.environ, "PATH": _search_path(), "LC_ALL": "C"}
    done = subprocess.run(
        [*command, f"{size_mib}M"], env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        raise NotHere(f"{_MAKE_EXT4} failed: {done.stderr.strip()[-500:]}")


def events(results: Path) -> list[dict[str, Any]]:
    """Return what a guest has said so far, one event a line."""
    found: list[dict[str, Any]] = []
    for line in results.read_text(errors="replace").splitlines() if results.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue  # cut off where the guest ended
    return found
