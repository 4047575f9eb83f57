"""The commands that are measured, and those they are measured against."""

from __future__ import annotations

import sys

PS = ("ps", "-eo", "pid,oom,oomadj,rss,comm", "--sort=-oom")
PS_EF = ("ps", "-ef")
IMPORT_CLICK = (sys.executable, "-c", "import click")
BARE_PYTHON = (sys.executable, "-S", "-c", "pass")

MAIN = "import sys; sys.argv[0] = 'oomctl'; from oomctl.__main__ import main; sys.exit(main())"
OOMCTL = (sys.executable, "-c", MAIN)
"""As an installed ``oomctl`` begins."""
TOP = (*OOMCTL, "top", "--once", "-n", "20", "--format", "plain")
SIMULATE = (*OOMCTL, "simulate", "--json")


def tab(line: str) -> tuple[str, ...]:
    """Return the command that completes ``line``, as the scripts for shells call it."""
    return ("env", "_OOMCTL_COMPLETE=bash_complete", f"OOMCTL_LINE={line}", *OOMCTL)
