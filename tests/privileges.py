"""Who a command is run as, and what of root it lacks: commands to put before it, and tests that need root for that."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
WITHOUT_CAPABILITY = ("setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource")
READ_ONLY = ("unshare", "--mount", "sh", "-c", 'mount -o remount,ro,bind /proc && exec "$@"', "sh")
"""Where /proc cannot be written."""


@cache
def why_only_root() -> str | None:
    """Why a process of root's that becomes another user cannot run oomctl here; None where it can."""
    if os.geteuid() != 0:
        return None
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [*NOBODY, sys.executable, "-c", "import oomctl.cli.main"]
    ran = subprocess.run(command, env=env, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return None if ran.returncode == 0 else f"only root can run {sys.executable} with {ROOT}; others need to reach both"


needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="root only: becomes another user, gives files away, mounts, hands out PIDs"
)
