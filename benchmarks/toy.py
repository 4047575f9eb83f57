"""A process of one's own, with a name that no other has, for commands that ask about or change one process."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = "oomctl-bench"
ADJ = 50
"""Of the toy: where root lacks CAP_SYS_RESOURCE it can be lowered as far as 0."""


@contextmanager
def toy() -> Iterator[int]:
    """Keep it while the block runs; its PID."""
    with tempfile.TemporaryDirectory() as directory:
        # A program like any other, not one that may be called what it is not.
        program = shutil.copy(shutil.which("cat") or "", f"{directory}/{NAME}")
        with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(b"\n")
            process.stdin.flush()
            process.stdout.readline()  # it runs
            reset_adj(process.pid)
            yield process.pid
            process.stdin.close()  # it ends, as it does with us


def reset_adj(pid: int) -> None:
    Path(f"/proc/{pid}/oom_score_adj").write_text(str(ADJ))
