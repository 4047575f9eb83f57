"""Programs and libraries that nobody else has in memory, so that whoever runs them is charged for every page.

They are copies on disk, put over the originals by bind mounts in a mount namespace of their own (needs root). What
stays cached are the kernel's inodes and directory entries.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PACKAGES = ("oomctl", "click", "rich", "psutil", "pygments", "markdown_it", "mdurl", "tomli")
LEFT_OUT = shutil.ignore_patterns("site-packages", "dist-packages", "test", "tests", "idlelib", "ensurepip", "config-*")


class FreshCopies:
    """The copies below ``scratch``, and the namespace of the process ``pid`` in which they stand for the originals."""

    def __init__(self, scratch: Path, pid: int) -> None:
        self._scratch = scratch
        self.enter = ("nsenter", f"--mount=/proc/{pid}/ns/mnt", "--")
        """What comes before a command that shall find the copies. It starts in the root directory."""

    def put(self, original: Path) -> None:
        """Copy a file or a directory and put the copy over it."""
        copy = self._scratch / str(original).lstrip("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        if original.is_dir():
            shutil.copytree(original, copy, ignore=LEFT_OUT, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy2(original, copy)
        subprocess.run([*self.enter, "mount", "--bind", str(copy), str(original)], check=True)

    def forget(self) -> None:
        """Let the kernel drop their pages. Nobody may be running them."""
        for directory, _, names in os.walk(self._scratch):
            for name in names:
                file = os.open(f"{directory}/{name}", os.O_RDONLY | os.O_NOFOLLOW)
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(file)


@contextmanager
def fresh_copies(programs: Sequence[str]) -> Iterator[FreshCopies]:
    """Copy ``programs``, Python and oomctl, with all that they load, to a disk while the block runs."""
    holder = ("unshare", "--mount", "sh", "-c", "echo; read x")
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp") as scratch,  # a disk, where /tmp may be memory
        subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdout.readline()  # now it is in the namespace
            copies = FreshCopies(Path(scratch), process.pid)
            for original in originals(programs):
                copies.put(original)
            os.sync()  # only clean pages are dropped
            yield copies
        finally:
            process.stdin.close()
            process.wait()


def originals(programs: Sequence[str]) -> list[Path]:
    """Return what a run of Python, of oomctl or of ``programs`` loads: directories before what may be in them."""
    found = [Path(sysconfig.get_path("stdlib"))]
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        found += map(Path, (spec and spec.submodule_search_locations) or ())
    files = {os.path.realpath(shutil.which(program) or program) for program in (*programs, sys.executable)}
    for program in tuple(files):
        needed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
        files |= set(map(os.path.realpath, re.findall(r"(/\S+) \(0x", needed)))
    return found + [Path(file) for file in sorted(files)]
