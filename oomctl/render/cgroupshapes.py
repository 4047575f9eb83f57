"""What the path of a cgroup names: units, containers, pods. What has no known shape stays a path.

A path is only text here; nothing is looked up. Whose shapes these are, and where they are made:

- systemd: ``system.slice/x.service``, ``user-1000.slice/user@1000.service/app.slice/x.scope``; systemd.slice(5) and
  src/basic/cgroup-util.c
- docker: ``/docker/ID``, ``docker-ID.scope``; moby, daemon/oci_linux.go
- containerd and nerdctl: ``/default/ID``, ``nerdctl-ID.scope``; nerdctl, pkg/cmd/container
- Kubernetes: ``/kubepods/burstable/podUID/ID``, ``kubepods-burstable-podUID.slice``; kubelet,
  pkg/kubelet/cm/cgroup_manager_linux.go and pod_container_manager_linux.go
- containerd for Kubernetes: ``cri-containerd-ID.scope``, ``X.slice:cri-containerd:ID``; containerd, pkg/cri
- CRI-O: ``crio-ID.scope``, ``crio-conmon-ID.scope``; cri-o, internal/config/cgmgr
- podman: ``libpod-ID.scope``, ``libpod-payload-ID``, ``machine-libpod_pod_ID.slice``; podman, libpod/oci_conmon_*
- LXC, LXD, Incus and Proxmox: ``/lxc/NAME``, ``lxc.payload.NAME``, ``lxc.monitor.NAME``, ``ns`` below them; lxc,
  src/lxc/cgroups/cgfsng.c
- nspawn and machined: ``systemd-nspawn@NAME.service``, ``machine-NAME.scope``; systemd, src/nspawn and src/machine
- libvirt: ``machine-qemu\\x2d1\\x2dNAME.scope``, ``qemu-1-NAME.libvirt-qemu``; libvirt, src/util/vircgroup.c
- Proxmox' virtual machines: ``qemu.slice/ID.scope``; qemu-server, PVE/QemuServer
- Nomad: ``nomad.slice/share.slice/ALLOC.TASK.scope``; nomad, client/lib/cgroupslib
- Amazon ECS: ``/ecs/TASK/ID``, ``ecstasks-TASK.slice/docker-ID.scope``; amazon-ecs-agent, agent/api/task
- Slurm: ``/slurm/uid_U/job_J/step_S``, ``slurmstepd.scope/job_J/step_S``; slurm, src/plugins/cgroup
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from oomctl.pods import USER_MANAGER
from oomctl.render.text import visible

_HEX = frozenset("0123456789abcdef")
_UNITS = (".service", ".scope", ".socket", ".mount", ".swap")
_RUNTIMES = {  # what stands before an id of 64 digits
    "docker-": "docker",
    "libpod-": "podman",
    "libpod-payload-": "podman",
    "libpod-conmon-": "conmon of",
    "crio-": "container",
    "crio-conmon-": "conmon of",
    "cri-containerd-": "container",
    "nerdctl-": "nerdctl",
    "": "container",
}
_PARENTS = {"docker": "docker", "moby": "docker", "default": "containerd", "k8s.io": "containerd"}
_INSIDE = {  # cgroups that every such container has in it, without a meaning of their own
    "lxc": ("ns",),
    "nspawn": ("payload",),
    "machine": ("payload",),
    "podman": ("container",),
    "container": ("container",),
}


class Place(NamedTuple):
    """One thing of a path that has a name of its own."""

    kind: str
    """``docker``, ``pod``, ``user``, …; ``unit`` and ``path`` are not said."""
    name: str
    """Whole: all digits of an id."""
    of_a_user: bool = False
    """It is below a user's service manager, and he may have named it."""

    def __str__(self) -> str:
        """Return it as people are told, ids shortened, harmless whatever it is called."""
        name = self.name
        if self.kind in ("unit", "path"):
            return visible(re.sub("[0-9a-f]{32,}", lambda match: f"{match[0][:12]}…", name))
        if is_id(name):
            name = name[:12]  # as docker and crictl show them
        elif self.kind in ("pod", "ecs task"):
            name = name[:8]
        elif self.kind == "nomad":
            name = f"{name[:8]} {name[37:]}"
        elif self.kind == "container":
            name = name[33:]  # of a task that was named before
        return visible(f"{self.kind} {name}")


@lru_cache(maxsize=1024)
def places(path: str) -> tuple[Place, ...]:
    """Return what the path names, from the outside to the inside.

    A slice is named only where nothing in it is. A ``path`` is what has no known shape, at the end or before a unit.
    """
    walk = _Walk()
    for part in path.replace("\\x5c", "\\").split("/"):  # the kernel's own buffer escapes a backslash
        if part:
            walk.take(part)
    return walk.ended()


class _Walk:
    """A path while its parts are read, from the root."""

    def __init__(self) -> None:
        self._places: list[Place] = []
        self._slices: list[str] = []
        """Slices and managers since the last place, which may lead to a unit."""
        self._unknown: list[str] = []
        """Parts since then that have no known shape."""
        self._slurm = False
        self._of_a_user = False

    def take(self, part: str) -> None:
        """Read the next part."""
        self._of_a_user = self._of_a_user or bool(USER_MANAGER.fullmatch(part))
        above = self._unknown[-1] if self._unknown else ""
        found = _by_shape(part, above) or self._by_place(part)
        last = self._places[-1].kind if self._places else ""
        self._slurm = self._slurm or part.startswith("slurm") or part.endswith("slurmstepd.scope")
        if found:
            self._enter(found, unit_stays=part.startswith("libpod-payload-"))
        elif part in _INSIDE.get(last, ()) and not self._unknown and not self._slices:
            return
        elif last != "unit" and not self._unknown and (part.endswith(".slice") or part.startswith("user@")):
            self._slices.append(part)
        elif last != "unit" and part.endswith(_UNITS):
            self._unit(part)
        else:
            self._unknown.append(part)

    def _by_place(self, part: str) -> tuple[Place, ...]:
        """What is known only because of where it is."""
        around = self._unknown or self._slices[-1:]
        last = self._places[-1] if self._places else Place("", "")
        stem = part[: -len(".scope")] if part.endswith(".scope") else ""
        if around in (["lxc"], ["lxc.payload"]):
            return (Place("lxc", part),)
        if around == ["lxc.monitor"]:
            return (Place("lxc monitor of", part),)
        if around == ["ecs"] and (_is_uid(part) or _is_task(part)):
            return (Place("ecs task", part),)
        if last.kind == "ecs task" and not around and part.startswith(f"{last.name}-"):
            return (Place("container", part),)
        if around == ["qemu.slice"] and stem.isdigit():
            return (Place("qemu", stem),)
        if around == ["machine.slice"] and stem.startswith("machine-"):
            return (Place("machine", _unescaped(stem[len("machine-") :])),)
        if "nomad.slice" in self._slices and _is_uid(stem[:36]) and stem[36:37] == ".":
            return (Place("nomad", stem),)
        kind, _, name = part.partition("_")
        if self._slurm and name and kind == "job":
            return (Place("slurm job", name),)
        return (Place("step", name),) if name and kind == "step" and last.kind == "slurm job" else ()

    def _enter(self, found: tuple[Place, ...], unit_stays: bool) -> None:
        """Go into a container. Its id is known everywhere: of what is around it, only outer containers are named."""
        if not unit_stays:
            self._places = [place for place in self._places if place.kind not in ("unit", "path")]
        self._user()
        self._slices, self._unknown = [], []
        self._places += [place._replace(of_a_user=self._of_a_user) for place in found]

    def _unit(self, part: str) -> None:
        if self._unknown:
            self._places.append(Place("path", "/" + "/".join([*self._slices, *self._unknown])))
        self._user()
        self._slices, self._unknown = [], []
        self._places.append(Place("unit", part))

    def _user(self) -> None:
        """Name the user whose slice leads here."""
        uids = [part.partition(".")[0][len("user-") :] for part in self._slices if part.startswith(("user-", "user@"))]
        if uids and uids[0].isdigit():
            self._places.append(Place("user", uids[0]))

    def ended(self) -> tuple[Place, ...]:
        """Return the places, with the rest of the path."""
        if self._slices and not self._unknown:
            last = self._slices.pop()
            if not last.startswith(("user-", "user@")):
                self._user()
            self._places.append(Place("unit", last))
        elif self._unknown:
            self._places.append(Place("path", "/" + "/".join([*self._slices, *self._unknown])))
        return tuple(self._places)


def _by_shape(part: str, above: str) -> tuple[Place, ...]:
    """What is known by its own name, or that of its parent, wherever it is."""
    if part.endswith(".slice"):
        return _pod_slice(part)
    if part.count(":") == 2:
        parent, _, name = part.split(":")
        return (*_pod_slice(parent), Place("container", name)) if is_id(name) else ()
    stem = part[: -len(".scope")] if part.endswith(".scope") else part
    if is_id(stem[-64:]):
        prefix = stem[:-64]
        kind = _PARENTS.get(above, "container") if not prefix else _RUNTIMES.get(prefix)
        return (Place(kind, stem[-64:]),) if kind else ()
    if part.startswith("pod") and (_is_uid(part[3:]) or _is_task(part[3:])):
        return (Place("pod", part[3:]),)
    for prefix, kind in (("lxc.payload.", "lxc"), ("lxc.monitor.", "lxc monitor of")):
        if part.startswith(prefix) and not part.startswith(prefix + "."):  # "...": somebody left it out
            return (Place(kind, part[len(prefix) :]),)
    if part.startswith("systemd-nspawn@") and part.endswith(".service"):
        return (Place("nspawn", _unescaped(part[len("systemd-nspawn@") : -len(".service")])),)
    name, dot, driver = part.rpartition(".libvirt-")
    return (Place("machine", _unescaped(name)),) if dot and driver in ("qemu", "lxc") else ()


def _pod_slice(part: str) -> tuple[Place, ...]:
    """The pod or task that a slice is for."""
    stem = part[: -len(".slice")]
    uid = stem.rpartition("-pod")[2].replace("_", "-")
    if "kubepods" in stem and (_is_uid(uid) or _is_task(uid)):
        return (Place("pod", uid),)
    if "libpod_pod_" in stem and is_id(stem[-64:]):
        return (Place("pod", stem[-64:]),)
    task = stem[len("ecstasks-") :]
    return (Place("ecs task", task),) if stem.startswith("ecstasks-") and (_is_uid(task) or _is_task(task)) else ()


def is_hex(text: str) -> bool:
    """Whether there is nothing but hexadecimal digits in it."""
    return _HEX.issuperset(text)


def is_id(text: str) -> bool:
    """Whether it is the id of a container."""
    return len(text) == 64 and is_hex(text)


def _is_task(text: str) -> bool:
    """Whether it is an id of 32 digits: a task of ECS, a static pod."""
    return len(text) == 32 and is_hex(text)


def _is_uid(text: str) -> bool:
    """Whether it is a UUID."""
    return [len(word) for word in text.split("-")] == [8, 4, 4, 4, 12] and is_hex(text.replace("-", ""))


def _unescaped(name: str) -> str:
    r"""Undo ``\x2d``, as systemd-escape --unescape does; a name that was not escaped stays as it is."""
    raw = re.sub(rb"\\x([0-9a-f]{2})", lambda match: bytes([int(match[1], 16)]), name.encode(errors="surrogateescape"))
    return raw.decode(errors="replace")
