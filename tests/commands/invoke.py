"""Ways to run oomctl: in this process with a fake /proc, or as the program that users start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from oomctl.cli.main import cli
from tests.proc_tree import ProcTree
from tests.runner import runner

ROOT = Path(__file__).parent.parent.parent
OOMCTL = (sys.executable, "-m", "oomctl")


class Ran(NamedTuple):
    status: int | None
    stdout: str
    stderr: str


def ask(proc_tree: ProcTree, *argv: str, stdin: str | bytes | None = None) -> Ran:
    """Run a command on a fake /proc. What is no deliberate end keeps its traceback."""
    env = {"OOMCTL_PROC": str(proc_tree.root), "COLUMNS": "200", "LINES": "40"}
    result = runner().invoke(cli, argv, input=stdin, env=env, prog_name="oomctl")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


def program(*argv: str, before: Sequence[str] = (), env: Mapping[str, str] | None = None, **how: Any) -> Ran:
    """Run the program on this machine; ``before`` is a command that starts it (unshare, setpriv)."""
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL} | how
    whole = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
    ran = subprocess.run([*before, *OOMCTL, *argv], env=whole, text=True, timeout=60, check=False, **how)
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def answered(ran: Ran) -> Any:
    """Return the JSON of a command that must have succeeded."""
    assert ran.status == 0, ran
    return json.loads(ran.stdout)
