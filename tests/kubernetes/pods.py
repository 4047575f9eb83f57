"""A pod that a real OCI runtime runs as the kubelet and containerd would have it run on this node.

What of the node the pod mounts is another directory here where the test says so. The image is this machine's programs
and this checkout; nothing else of the machine is in it.
"""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.kernel_live.memcgs import ToyCgroup
from tests.kubernetes.manifests import ROOT, config_maps, program
from tests.pods.kubelet import ID, UID

_SAFE = ["nosuid", "noexec", "nodev"]
_MIB = 1 << 20

# What containerd gives a container that says nothing else: its packages oci (mounts.go, spec.go) and pkg/cri.
_MOUNTS = (
    {"destination": "/proc", "type": "proc", "source": "proc", "options": _SAFE},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [*_SAFE, "ro"]},
    {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": [*_SAFE, "ro"]},
)
_CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP"),
    *("NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"),
)
_MASKED = (
    *("/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list"),
    *("/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"),
)
_READONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_NUMBERS = {"SYS_RESOURCE": 24, "SYS_PTRACE": 19, "DAC_OVERRIDE": 1}  # include/uapi/linux/capability.h


class Pod:
    """The container of a pod, which runs."""

    def __init__(self, directory: Path, process: subprocess.Popen[bytes]) -> None:
        self._directory = directory
        self._process = process

    def wait_until_it_runs(self) -> None:
        """Or until it has ended."""
        while self._process.poll() is None:
            words = _runtime(self._directory, "state", ID)
            state = subprocess.run(words, capture_output=True, timeout=60, check=False)
            if state.returncode == 0 and json.loads(state.stdout)["status"] == "running":
                return
            time.sleep(0.02)

    def output(self) -> str:
        return (self._directory / "output").read_text()

    def wait_for(self, text: str) -> str:
        """Wait until it has printed that; return all that it printed."""
        deadline = time.monotonic() + 60
        while text not in self.output():
            assert self._process.poll() is None, self.output()
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.05)
        return self.output()

    def ended(self) -> int:
        """Wait until it ends by itself; return its status."""
        return self._process.wait(timeout=60)

    def run(self, *command: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
        """Run a command in it, as `kubectl exec` does."""
        words = _runtime(self._directory, "exec", ID, *command)
        ran = subprocess.run(words, input=stdin, capture_output=True, timeout=60, check=False)
        return subprocess.CompletedProcess(words, ran.returncode, ran.stdout.decode(), ran.stderr.decode())


@contextmanager
def pod(
    spec: dict[str, Any],
    directory: Path,
    cgroup: ToyCgroup,
    node: Mapping[str, Path] | None = None,
    without: frozenset[str] = frozenset(),
    texts: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
    **said: Any,
) -> Iterator[Pod]:
    """Run the one container of a pod, until the end of the block; ``directory`` is an empty one.

    ``node`` has the directories of the node that are others than the pod says, ``without`` capabilities that it does
    not get, ``texts`` the files of its ConfigMap, and ``said`` what replaces that of the container. ``before`` is a
    command that starts the runtime and ends it with itself; nothing can be run in the pod then.
    """
    (container,) = spec["containers"]
    container = container | said
    config = {
        "ociVersion": "1.0.0",
        "process": _process(container, without),
        "root": {"path": "rootfs", "readonly": _security(container).get("readOnlyRootFilesystem", False)},
        "mounts": [*_image(directory / "rootfs"), *_MOUNTS, *_volumes(spec, container, directory, node or {}, texts)],
        "linux": {
            "namespaces": [{"type": kind} for kind in _namespaces(spec, cgroup)],
            **({} if _security(container).get("privileged") else {"maskedPaths": _MASKED, "readonlyPaths": _READONLY}),
            "cgroupsPath": _own_path(cgroup),
            "resources": {"memory": {"limit": _limit_bytes(container)}},
        },
    }
    (directory / "config.json").write_text(json.dumps(config))
    command = [*before, *_runtime(directory, "run", "--bundle", str(directory), ID)]
    with (
        open(directory / "output", "wb") as output,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output) as process,
    ):
        try:
            found = Pod(directory, process)
            if not before:
                found.wait_until_it_runs()
            yield found
        finally:
            if before:  # the runtime's own numbers mean others here
                process.kill()
            else:
                _end(directory)
            process.wait(timeout=60)
            _remove_cgroups(cgroup)


def has(capability: str) -> bool:
    """Whether this very process could hand the capability on."""
    bounding = re.search(r"^CapBnd:\s*([0-9a-f]+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    return bounding is not None and bool(int(bounding[1], 16) >> _NUMBERS[capability] & 1)


def _end(directory: Path) -> None:
    subprocess.run(_runtime(directory, "delete", "--force", ID), capture_output=True, timeout=60, check=False)


def _runtime(directory: Path, *words: str) -> list[str]:
    return [program("runc"), "--root", str(directory / "state"), *words]


def _security(container: dict[str, Any]) -> dict[str, Any]:
    security: dict[str, Any] = container.get("securityContext", {})
    return security


def _process(container: dict[str, Any], without: frozenset[str]) -> dict[str, Any]:
    """Return who it runs as, with which rights. The kubelet gives root what the container adds, and no ambient ones."""
    security = _security(container)
    asked = security.get("capabilities", {})
    names = {name for name in _CAPABILITIES if "ALL" not in asked.get("drop", [])} | set(asked.get("add", []))
    if security.get("privileged"):
        names |= {name for name in _NUMBERS if has(name)} | {"SYS_ADMIN"}
    capabilities = [f"CAP_{name}" for name in sorted(names - without)]
    environment = [f"{one['name']}={one['value']}" for one in container.get("env", [])]
    return {
        "user": {"uid": security.get("runAsUser", 0), "gid": 0},
        "args": container["command"],
        "env": ["PATH=/programs:/usr/sbin:/usr/bin:/sbin:/bin", *environment],
        "cwd": "/",
        "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
        "noNewPrivileges": not security.get("allowPrivilegeEscalation", True),
    }


def _namespaces(spec: dict[str, Any], cgroup: ToyCgroup) -> list[str]:
    kinds = ["mount", "ipc", "uts"]
    kinds += [] if spec.get("hostNetwork") else ["network"]
    kinds += [] if spec.get("hostPID") else ["pid"]
    return kinds + (["cgroup"] if cgroup.version == 2 else [])  # as containerd decides


def _image(rootfs: Path) -> list[dict[str, Any]]:
    """Make the root directory of an image that has oomadm, and return what is mounted to be its files."""
    programs = rootfs / "programs"
    programs.mkdir(parents=True)
    (programs / "oomadm").write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m oomctl "$@"\n')
    (programs / "oomadm").chmod(0o755)
    (rootfs / "etc").mkdir()
    (rootfs / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (rootfs / "tmp").mkdir()
    mounts = []
    for path in dict.fromkeys(("/usr", "/bin", "/sbin", "/lib", "/lib64", sys.base_prefix, sys.prefix, str(ROOT))):
        if os.path.islink(path):
            (rootfs / path[1:]).symlink_to(os.readlink(path))
        elif os.path.exists(path):
            mounts.append({"destination": path, "type": "bind", "source": path, "options": ["rbind", "ro"]})
    return mounts


def _volumes(
    spec: dict[str, Any],
    container: dict[str, Any],
    directory: Path,
    node: Mapping[str, Path],
    texts: Mapping[str, str] | None,
) -> Iterator[dict[str, Any]]:
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    for mount in container["volumeMounts"]:
        volume = volumes[mount["name"]]
        if "configMap" in volume:
            source = _config_map(directory / "volume", texts or config_maps()[volume["configMap"]["name"]])
        else:
            path = volume["hostPath"]["path"]
            source = node.get(path, Path(path))
        options = ["rbind", "rprivate", _access(mount)]
        named = str(source / mount.get("subPath", ""))
        yield {"destination": mount["mountPath"], "type": "bind", "source": named, "options": options}


def _access(mount: dict[str, Any]) -> str:
    if not mount.get("readOnly"):
        return "rw"
    return "rro" if "recursiveReadOnly" in mount else "ro"


def _config_map(volume: Path, texts: Mapping[str, str]) -> Path:
    """Write it as the kubelet does (pkg/volume/util/atomic_writer.go): links, in a directory that all may write."""
    written = volume / "..2026_11_27_12_00_00.1234567890"
    written.mkdir(parents=True)
    volume.chmod(0o777)
    (volume / "..data").symlink_to(written.name)
    for key, text in texts.items():
        (written / key).write_text(text)
        (volume / key).symlink_to(f"..data/{key}")
    return volume


def _limit_bytes(container: dict[str, Any]) -> int:
    limit = container.get("resources", {}).get("limits", {}).get("memory", "1024Mi")
    return int(limit.removesuffix("Mi")) * _MIB


def _own_path(cgroup: ToyCgroup) -> str:
    return f"{cgroup.path}/kubepods/burstable/pod{UID}/{ID}"


def _remove_cgroups(cgroup: ToyCgroup) -> None:
    """Remove what the runtime made beside the memory cgroups, where each controller has a hierarchy of its own."""
    for hierarchy in Path("/sys/fs/cgroup").iterdir():
        top = Path(f"{hierarchy}{cgroup.path}")
        if top == cgroup.directory or not top.is_dir():
            continue
        for path, _, _ in os.walk(top, topdown=False):
            _remove_cgroup(path)


def _remove_cgroup(path: str) -> None:
    """Remove one; waits for who was killed in it and is not gone yet."""
    deadline = time.monotonic() + 60
    while True:
        try:
            os.rmdir(path)
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
