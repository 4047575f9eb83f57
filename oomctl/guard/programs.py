"""Programs that oomctl asks, such as ``journalctl``: found and started so that a user cannot steer root's."""

from __future__ import annotations

import os

SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
"""Where root looks for a helper, whatever PATH it was started with: ``sudo -E`` and ``su`` may keep a user's."""
_PLAIN = {"LC_ALL": "C", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": "", "SYSTEMD_URLIFY": "0"}


def environment() -> dict[str, str]:
    """Return the environment of a helper: English, no colour, no pager; for root nothing of our own.

    ``sudo -E`` and ``su`` keep that from a user, who could say by it what is loaded or run, and which service
    manager answers.
    """
    if os.geteuid() != 0:
        return {**os.environ, **_PLAIN}
    return {"PATH": SYSTEM_PATH, "XDG_RUNTIME_DIR": "/run/user/0", **_PLAIN}


def find(name: str) -> str | None:
    """Return the path of the helper ``name`` as ``environment`` has it found; None: it is not installed."""
    import shutil

    return shutil.which(name, path=environment().get("PATH"))
