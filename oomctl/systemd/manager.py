"""One service manager, the system's or the user's own: what it says of units, and its drop-ins."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import NamedTuple

from oomctl.errors import ImpossibleHere, NotPermitted
from oomctl.guard import files, places, programs
from oomctl.systemd.units import DROP_IN, drop_in_text, setting_in

SYSTEM_DIRECTORY = "/etc/systemd/system"
_PROPERTIES = ("Id", "LoadState", "MainPID", "OOMScoreAdjust", "ControlGroup", "FragmentPath", "DropInPaths")
_LARGEST_FILE = 1 << 20
_PATIENCE_SECONDS = 90  # a manager on a machine without memory answers late
_SHORT_PATIENCE = 5
"""Seconds for who asks only to look, and is itself waited for: Nagios gives up after ten."""


def is_booted() -> bool:
    """Whether systemd runs this machine (``sd_booted``)."""
    return os.path.isdir("/run/systemd/system")


class NoAnswer(ImpossibleHere):
    """No such service manager runs here, or it refused what it was asked."""


class UnitState(NamedTuple):
    """What the manager says of a unit."""

    id: str
    """Its own name, where another was asked for: ssh.service for sshd.service."""
    loaded: bool
    main_pid: int | None
    adj: int | None
    """``OOMScoreAdjust=`` as it is loaded; None for units that start no process."""
    files: tuple[str, ...] = ()
    """The unit file and its drop-ins, in the order in which they are read."""
    cgroup: str | None = None
    """Where its processes are, as the manager calls it; None while it has none."""


class Manager:
    """The system's service manager, or (``user``) that of the user who runs this."""

    def __init__(self, user: bool = False) -> None:
        self.user = user

    def show(self, units: Sequence[str]) -> dict[str, UnitState]:
        """Ask for several units at once. Raises NoAnswer where no such manager runs."""
        words = [word for name in _PROPERTIES for word in ("-p", name)]
        # Properties come in blocks, one for each unit, in the order of the units.
        blocks = self._systemctl("show", *words, "--", *units).strip("\n").split("\n\n")
        return {unit: _state(unit, block) for unit, block in zip(units, blocks)}

    def running_services(self, *named: str) -> list[UnitState]:
        """Ask for every service that runs now, and for ``named`` ones. Raises NoAnswer where no such manager runs."""
        words = [word for name in _PROPERTIES for word in ("-p", name)]
        shown = self._systemctl("show", "--state=running", *words, "--", "*.service", *named, patience=_SHORT_PATIENCE)
        states = [_state("", block) for block in shown.strip("\n").split("\n\n") if block]
        return list({state.id: state for state in states if state.loaded}.values())

    def drop_in_path(self, unit: str) -> str:
        """Return where oomctl's drop-in for ``unit`` is, or would be."""
        return os.path.join(self._directory(), f"{unit}.d", DROP_IN)

    def drop_in(self, unit: str) -> int | None:
        """Return the value in oomctl's drop-in; None without one."""
        return setting_in(_read(self.drop_in_path(unit)))

    def without_drop_in(self, state: UnitState) -> int:
        """Return the value that the rest of the unit's files give it."""
        own = self.drop_in_path(state.id)
        settings = [setting_in(_read(path)) for path in state.files if path != own]
        given = next((value for value in reversed(settings) if value is not None), None)
        return self._default() if given is None else given

    def _default(self) -> int:
        """Return what a unit without a setting gets; a user's manager gives 100 more than it has itself (v250)."""
        _, _, value = self._systemctl("show", "-p", "DefaultOOMScoreAdjust").strip().partition("=")
        return int(value) if value.lstrip("-").isdigit() else 0

    def write_drop_in(self, unit: str, adj: int | None) -> None:
        """Write oomctl's drop-in, or remove it (None), and let the manager read its units again.

        Raises NotPermitted where the directory cannot be written, NoAnswer when the manager refuses.
        """
        path = self.drop_in_path(unit)
        try:
            if adj is None:
                _remove(path)
            else:
                os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
                files.replace(path, drop_in_text(unit, adj).encode(), 0o644)
        except OSError as error:
            help_ = "; use sudo" if isinstance(error, PermissionError) and not self.user else ""
            raise NotPermitted(f"{path}: {error.strerror}{help_}") from None
        self._systemctl("daemon-reload")

    def _directory(self) -> str:
        if not self.user:
            return SYSTEM_DIRECTORY
        return os.path.join(places.config(), "systemd/user")

    def _systemctl(self, *words: str, patience: int = _PATIENCE_SECONDS) -> str:
        import subprocess

        command = ["systemctl", "--user" if self.user else "--system", "--no-pager", *words]
        try:
            ran = subprocess.run(
                command,
                env=programs.environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=patience,
                check=False,
            )
        except OSError as error:
            raise NoAnswer(f"systemctl: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise NoAnswer(f"systemctl: no answer within {patience} s") from None
        if ran.returncode:
            message = " ".join(ran.stderr.split()) or f"exit status {ran.returncode}"
            raise NoAnswer(f"systemctl {words[0]}: {message}")
        return ran.stdout


def _state(unit: str, block: str) -> UnitState:
    properties = dict(line.partition("=")[::2] for line in block.splitlines())
    pid, adj = properties.get("MainPID", ""), properties.get("OOMScoreAdjust", "")
    files = [properties.get("FragmentPath", ""), *properties.get("DropInPaths", "").split(" ")]
    return UnitState(
        properties.get("Id") or unit,
        properties.get("LoadState") == "loaded",
        int(pid) if pid.isdigit() and int(pid) else None,
        int(adj) if adj.lstrip("-").isdigit() else None,
        tuple(path for path in files if path),
        properties.get("ControlGroup") or None,
    )


def _read(path: str) -> str:
    try:
        return files.read_regular(path, _LARGEST_FILE).decode(errors="replace")
    except OSError:
        return ""


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with contextlib.suppress(OSError):  # not there, or with other drop-ins in it
        os.rmdir(os.path.dirname(path))
