"""A PID that another process has taken over is never written, not even within one tick of the clock."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.commands.invoke import ROOT
from tests.privileges import needs_root

REUSES = int(os.environ.get("OOMCTL_REUSES", "200"))
"""100,000 take some 15 minutes."""


@pytest.mark.live
@needs_root
@pytest.mark.parametrize("how", ["identity", "number", "name"])
def test_a_pid_that_was_taken_over_is_never_written(how: str) -> None:
    inside = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    argv = [*inside, sys.executable, "-m", "tests.hostile.reuse", how, str(REUSES)]
    ran = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120 + REUSES / 20)
    assert ran.stderr == ""
    reuses, same_tick, wrong, vanished = map(int, ran.stdout.split())
    assert (wrong, vanished) == (0, reuses)
    assert reuses >= REUSES
    assert same_tick > REUSES // 4
