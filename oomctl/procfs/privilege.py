"""Why this very process may not lower an ``oom_score_adj`` below its floor, and what would help."""

from __future__ import annotations

import os
import re

from oomctl.procfs.details import unit_in
from oomctl.procfs.reader import Procfs
from oomctl.procfs.reading import read_at

# include/uapi/linux/capability.h
CAP_DAC_OVERRIDE = 1 << 1
_CAP_SYS_RESOURCE = 1 << 24
_WHOLE_ID_RANGE = 4294967295
_LONGEST = 1 << 20  # a status with 65,536 groups


def has_sys_resource(procfs: Procfs) -> bool:
    """Whether this process has CAP_SYS_RESOURCE; yes where that is not said."""
    return has_capability(procfs, _CAP_SYS_RESOURCE)


def has_capability(procfs: Procfs, capability: int) -> bool:
    """Whether this process has it, in its own user namespace; yes where that is not said."""
    match = re.search(r"^CapEff:\s*([0-9a-f]{1,16})$", _text(procfs, "self/status"), re.MULTILINE)
    return match is None or bool(int(match[1], 16) & capability)


def may_lower(procfs: Procfs) -> bool:
    """Whether this process may write any value: ``capable()`` asks for CAP_SYS_RESOURCE in the first user namespace."""
    return has_sys_resource(procfs) and in_initial_user_namespace(procfs)


def anybody_has_sys_resource(procfs: Procfs) -> bool:
    """Whether a service here could have CAP_SYS_RESOURCE: PID 1 passes on what it may have at most."""
    return in_initial_user_namespace(procfs) and bool(_bounding(_text(procfs, "1/status")) & _CAP_SYS_RESOURCE)


def without_sys_resource(procfs: Procfs) -> tuple[str, str]:
    """Say who lacks CAP_SYS_RESOURCE here, in a few words, and then what would help."""
    if not in_initial_user_namespace(procfs):
        return (
            "this user namespace cannot give it",
            "it counts only in the initial one, which this is not (rootless container, unshare): write from the host",
        )
    status = _text(procfs, "self/status")
    if not _bounding(status) & _CAP_SYS_RESOURCE:
        return _who_bounded_it(procfs)
    if os.geteuid() == 0:
        return "this process lacks it although it is root", "run it without dropping capabilities"
    if re.search(r"^NoNewPrivs:\s*1", status, re.MULTILINE):
        return "sudo cannot give it here", "NoNewPrivs is set for this process: write from another login"
    return "you are not root", "use sudo"


def _who_bounded_it(procfs: Procfs) -> tuple[str, str]:
    """PID 1 passes its bounding set on to everything; what has less than PID 1 lost it on the way."""
    first = _text(procfs, "1/status")
    if (first and not _bounding(first) & _CAP_SYS_RESOURCE) or procfs.numbers_differ:  # PID 1 may be the host's
        return (
            "this container or VM lacks it",
            "write from the host, or start the container with --cap-add SYS_RESOURCE"
            " (Kubernetes: securityContext.capabilities.add)",
        )
    unit = unit_in(_text(procfs, "self/cgroup")) or ""
    if unit.endswith(".service"):
        return (
            f"{unit} lacks it",
            f"its CapabilityBoundingSet= leaves it out: write from a login, or add it with systemctl edit {unit}",
        )
    return "this session lacks it", "it was taken from its bounding set: write from another login"


def _bounding(status: str) -> int:
    """Return the bounding set in the text of a ``status`` file; everything where it is not said."""
    match = re.search(r"^CapBnd:\s*([0-9a-f]+)", status, re.MULTILINE)
    return int(match[1], 16) if match else -1


def in_initial_user_namespace(procfs: Procfs) -> bool:
    """Whether this process has every user of the machine in its namespace; yes where that is not said."""
    uid_map = _text(procfs, "self/uid_map").split()
    return not uid_map or uid_map == ["0", "0", str(_WHOLE_ID_RANGE)]


def _text(procfs: Procfs, name: str) -> str:
    try:
        return read_at(None, f"{procfs.root}/{name}", _LONGEST).decode(errors="replace")
    except OSError:
        return ""
