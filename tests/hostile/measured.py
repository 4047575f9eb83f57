"""The program, run with its time and memory taken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.commands.invoke import OOMCTL, ROOT

# A process in between: a child inherits the peak of whoever started it, and pytest's is higher than any of these.
_MEASURE = """
import json, resource, subprocess, sys
ran = subprocess.run(sys.argv[1:], capture_output=True, text=True, stdin=subprocess.DEVNULL)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([ran.returncode, ran.stdout, ran.stderr, peak / 1024]))
"""


class Measured(NamedTuple):
    status: int
    stdout: str
    stderr: str
    peak_mib: float


def measured(*argv: str, proc: Path | None = None) -> Measured:
    """Run the program on this machine (``proc``: on this tree), in at most 1 GiB of address space."""
    env = {**os.environ, **({"OOMCTL_PROC": str(proc)} if proc else {})}
    command = ["prlimit", f"--as={1 << 30}", sys.executable, "-S", "-c", _MEASURE, *OOMCTL, *argv]
    ran = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=True)
    return Measured(*json.loads(ran.stdout))
