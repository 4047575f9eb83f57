"""The other program called oomctl: systemd-oomd's, whose only command is ``dump``."""

from __future__ import annotations

import os
import re
import shutil
import sys

from oomctl.guard import files
from oomctl.guard.walk import only_ours

PLACES = "/usr/bin:/bin"
"""Where distributions install it, beside whatever PATH says."""

_SUDOERS = "/etc/sudoers"
_MOST_SUDOERS = 1 << 20
_SUDO_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # Debian's and Ubuntu's secure_path
_SECURE_PATH = re.compile(r"^\s*Defaults\s+secure_path\s*=\s*\"?([^\"\n]+)", re.MULTILINE)
_ITS_BUS_NAME = b"org.freedesktop.oom1"  # org.freedesktop.oom1(5): what systemd's oomctl asks
_LARGEST = 1 << 22


def find(search_path: str | None = None) -> str | None:
    """Return the path of systemd's oomctl, the first in ``search_path`` (default: PATH, then ``PLACES``).

    It is going to be executed: a file that another user could have put there, or on the way there, is passed over.
    """
    places = f"{os.environ.get('PATH', '')}:{PLACES}" if search_path is None else search_path
    for directory in places.split(":"):
        path = os.path.join(directory, "oomctl")
        if os.path.isabs(path) and is_systemds(path) and only_ours(path):
            return path
    return None


def is_systemds(path: str) -> bool:
    """Whether the file is a program that speaks to systemd-oomd; ours is a script that does not."""
    if not os.access(path, os.X_OK):
        return False
    try:
        descriptor = files.open_regular(path)
    except OSError:
        return False
    try:
        start = files.read_bounded(descriptor, _LARGEST)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return start.startswith(b"\x7fELF") and _ITS_BUS_NAME in start


def found_by_shell() -> str | None:
    """Return the path of what ``oomctl`` starts here when that is systemd's, not this program."""
    return _systemds(None)


def found_by_sudo() -> str | None:
    """Return the path of what ``sudo oomctl`` starts when that is systemd's, not this program."""
    return _systemds(_sudo_path())


def _systemds(search_path: str | None) -> str | None:
    path = shutil.which("oomctl", path=search_path)
    return path if path is not None and is_systemds(path) else None


def sudo_warning() -> str | None:
    """Say that ``sudo`` finds the other one, and what to type instead; None where it does not."""
    other = found_by_sudo()
    if other is None:
        return None
    instead = "oomadm" if shutil.which("oomadm", path=_sudo_path()) else os.path.abspath(sys.argv[0])
    return f"sudo oomctl starts systemd's {other}; use sudo {instead}"


def _sudo_path() -> str:
    """Return sudo's secure_path; the usual one where sudoers is not readable or does not say."""
    try:
        text = files.read_regular(_SUDOERS, _MOST_SUDOERS).decode(errors="replace")
    except OSError:
        return _SUDO_PATH
    match = _SECURE_PATH.search(text)
    return match[1] if match else _SUDO_PATH
