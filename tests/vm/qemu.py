"""One emulated machine: started, listened to on its second serial port, and ended whatever happens."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from tests.vm import initramfs
from tests.vm.guest import swap
from tests.vm.kernels import Kernel, NotHere, cache_directory

_QEMU = "qemu-system-x86_64"
_GRACE_SECONDS = 60
"""What a guest may take beyond its own deadline before the host ends it."""


class Machine(NamedTuple):
    memory_mib: int = 640
    cpus: int = 2
    nodes: int = 1
    swap_mib: int = 512


class Boot(NamedTuple):
    """What one guest said before it ended."""

    kernel: str
    script: str
    events: list[dict[str, Any]]
    console: Path
    seconds: float

    def of(self, event: str) -> list[dict[str, Any]]:
        return [found for found in self.events if found["event"] == event]

    @property
    def started(self) -> bool:
        return bool(self.of("started"))

    @property
    def boot_seconds(self) -> float | None:
        """From switching on to the guest script, by the guest's clock and the firmware's share."""
        started = self.of("started")
        return float(started[0]["uptime"]) if started else None

    def console_tail(self, lines: int = 60) -> str:
        return "\n".join(self.console.read_text(errors="replace").splitlines()[-lines:])


def why_not() -> str | None:
    """Why no guest can be started here; None when it can."""
    return None if shutil.which(_QEMU) else f"no {_QEMU} (Debian's package qemu-system-x86)"


def boot(kernel: Kernel, script: str, machine: Machine, deadline: int, **settings: int) -> Boot:
    """Run the guest script ``script`` under ``kernel``; a guest that does not start is tried once more.

    Raises NotHere where no guest can be started at all.
    """
    reason = why_not()
    if reason is not None:
        raise NotHere(reason)
    guest = _Guest(kernel, initramfs.build(kernel), script, machine, deadline, settings)
    result = guest.run()
    return result if result.started else guest.run()


class _Guest(NamedTuple):
    kernel: Kernel
    archive: Path
    script: str
    machine: Machine
    deadline: int
    settings: dict[str, int]

    def run(self) -> Boot:
        logs = cache_directory() / "logs"
        logs.mkdir(exist_ok=True)
        settings = (f"{key}{value}" for key, value in self.settings.items())
        name = "-".join((self.kernel.release.label, self.script, *settings))
        console, results = logs / f"{name}.console", logs / f"{name}.jsonl"
        with tempfile.TemporaryDirectory(prefix="oomctl-vm-") as directory:
            disk = Path(directory) / "swap"
            _make_swap(disk, self.machine.swap_mib)
            began = time.monotonic()
            # fmt: off
            said = _end_in_time([
                *self._machine(),
                "-kernel", str(self.kernel.image), "-initrd", str(self.archive), "-append", self._command_line(),
                "-serial", f"file:{console}", "-serial", f"file:{results}",
                "-drive", f"if=none,id=swap,format=raw,cache=unsafe,file={disk}",
                "-device", "virtio-blk-pci,drive=swap",
            ], self.deadline + _GRACE_SECONDS)
            # fmt: on
            seconds = time.monotonic() - began
        with console.open("a") as file:
            file.write(said)
        return Boot(self.kernel.version, self.script, _events(results), console, seconds)

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
            size = machine.memory_mib // machine.nodes
            command += ["-object", f"memory-backend-ram,id=ram{node},size={size}M"]
            command += ["-numa", f"node,nodeid={node},memdev=ram{node},cpus={node}"]
        return command

    def _command_line(self) -> str:
        words = {"script": self.script, "deadline": self.deadline, **self.settings}
        return " ".join((*_KERNEL_WORDS, *(f"oomctl.{name}={value}" for name, value in words.items())))


_KERNEL_WORDS = (
    *("console=ttyS0", "quiet", "panic=-1", "oops=panic", "log_buf_len=8M", "printk.devkmsg=on"),
    *("swapaccount=1", "cgroup_no_v1=all"),
    *("mitigations=off", "nokaslr", "random.trust_cpu=on", "no_timer_check", "tsc=reliable"),
)


def _end_in_time(command: list[str], timeout: int) -> str:
    """Run the emulator and return what it complained about."""
    qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        output, _ = qemu.communicate(timeout=timeout)
        return output.decode(errors="replace")
    except subprocess.TimeoutExpired:
        return f"\nended by the host after {timeout} s\n"
    finally:
        qemu.kill()
        qemu.wait()


def _make_swap(path: Path, size_mib: int) -> None:
    with path.open("wb") as file:
        file.write(swap.empty_area(size_mib << 20))
        file.truncate(size_mib << 20)


def _events(results: Path) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    for line in results.read_text(errors="replace").splitlines() if results.exists() else []:
        try:
            events.append(json.loads(line))
        except ValueError:
            continue  # cut off where the guest ended
    return events
