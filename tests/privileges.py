"""Who a command is run as, and what of root it lacks: commands to put before it, and tests that need root for that."""

from __future__ import annotations

import os

import pytest

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
WITHOUT_CAPABILITY = ("setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource")
READ_ONLY = ("unshare", "--mount", "sh", "-c", 'mount -o remount,ro,bind /proc && exec "$@"', "sh")
"""Where /proc cannot be written."""
needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="root only: becomes another user, gives files away, mounts, hands out PIDs"
)
