"""Loads that never reach the limit of their memory cgroup: what a forecast has to leave in peace."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from tests.kernel_live.memcgs import ToyCgroup

MIB = 1 << 20
USER = "nobody"
_JAVA = Path(__file__).with_name("Churn.java")
_SOURCES = 24
_BUFFERS_MIB = 256
_PORT = "5999"
_CACHE = """
import os, random, sys, time
luck = random.Random(1)
while True:
    name = os.path.join(sys.argv[1], str(luck.randrange(8)))
    if luck.random() < 0.3 and os.path.exists(name):
        os.unlink(name)
    with open(name, "ab") as file:
        file.write(bytes(luck.randrange(1 << 24)))
    with open(name, "rb") as file:
        while file.read(1 << 20):
            pass
    time.sleep(luck.random() / 5)
"""
"""Page cache that comes and goes, dirty and clean."""


class Load(NamedTuple):
    """A program with a limit that it does not reach."""

    limit_bytes: int
    start: Callable[[ToyCgroup, Path], subprocess.Popen[bytes]]
    """Lets it run in that cgroup, with a directory of its own, as ``USER``."""
    needs: Sequence[str]
    """Programs without which it cannot run."""


def _postgres(cgroup: ToyCgroup, directory: Path) -> subprocess.Popen[bytes]:
    """Pgbench for ever, among buffers that fill: the data are three times as large."""
    here = shlex.quote(str(directory))
    at = f"-h {here} -p {_PORT}"
    settings = f"-D {here}/data -k {here} -c listen_addresses= -c port={_PORT} -c shared_buffers={_BUFFERS_MIB}MB"
    script = f"""
        set -e
        initdb -D {here}/data
        postgres {settings} &
        until pg_isready -q {at}; do sleep 0.2; done
        createdb {at} "$(id -un)"
        pgbench {at} -q -i -s 50
        while pgbench {at} -c 8 -T 45; do sleep 5; done
    """
    return _run(["sh", "-c", script], cgroup, directory)


def _jvm(collector: str) -> Callable[[ToyCgroup, Path], subprocess.Popen[bytes]]:
    def start(cgroup: ToyCgroup, directory: Path) -> subprocess.Popen[bytes]:
        subprocess.run(["javac", "-d", str(directory), str(_JAVA)], check=True)
        options = [f"-XX:+Use{collector}GC", "-Xmx256m", "-cp", str(directory)]
        return _run(["java", *options, "Churn", "100000", "90"], cgroup, directory)

    return start


def _build(cgroup: ToyCgroup, directory: Path) -> subprocess.Popen[bytes]:
    """A clean build again and again; every source takes the compiler another amount of memory."""
    for number in range(_SOURCES):
        functions = range(100 * (1 + number % 7))
        bodies = (
            f"int f{number}_{one}(int a) {{ int s=0; for(int i=0;i<a;i++) s+=i*{one}; return s; }}" for one in functions
        )
        (directory / f"s{number}.c").write_text("#include <stdio.h>\n#include <math.h>\n" + "\n".join(bodies))
    objects = " ".join(f"s{number}.o" for number in range(_SOURCES))
    (directory / "Makefile").write_text(f"CFLAGS=-O2 -g\nall: {objects}\n\tld -r -o all.o {objects}\n")
    return _run(["sh", "-c", "while make -s -B -j 4 all; do sleep 2; done; exit 1"], cgroup, directory)


def _cache(cgroup: ToyCgroup, directory: Path) -> subprocess.Popen[bytes]:
    return _run([sys.executable, "-I", "-S", "-c", _CACHE, str(directory)], cgroup, directory)


LOADS = {
    "postgres": Load(1024 * MIB, _postgres, ("postgres", "pgbench")),
    "g1": Load(512 * MIB, _jvm("G1"), ("java", "javac")),
    "serial": Load(512 * MIB, _jvm("Serial"), ("java", "javac")),
    "make": Load(512 * MIB, _build, ("make", "cc")),
    "cache": Load(256 * MIB, _cache, ()),
}


@contextmanager
def running(name: str, cgroup: ToyCgroup) -> Iterator[subprocess.Popen[bytes]]:
    """Run that one of ``LOADS`` in ``cgroup``, and end it; its files go with it. Prints why it ended too early."""
    load = LOADS[name]
    cgroup.limit_bytes = load.limit_bytes
    with tempfile.TemporaryDirectory(prefix="oomctl-innocent-") as place:
        directory = Path(place)
        user = pwd.getpwnam(USER)
        os.chown(directory, user.pw_uid, user.pw_gid)
        process = load.start(cgroup, directory)
        try:
            yield process
            if process.poll() is not None:
                words = said(directory).read_text(errors="replace")[-500:]
                print(f"{name} ended with status {process.returncode}: {words}", file=sys.stderr)
        finally:
            _end(process, cgroup)


def why_impossible(load: Load) -> str | None:
    """Which program is missing; None: none."""
    missing = [name for name in load.needs if shutil.which(name, path=_path()) is None]
    return f"needs {', '.join(missing)}" if missing else None


def _run(command: Sequence[str], cgroup: ToyCgroup, directory: Path) -> subprocess.Popen[bytes]:
    user = pwd.getpwnam(USER)
    for path in (directory, *directory.iterdir()):
        os.chown(path, user.pw_uid, user.pw_gid)
    drop = f"setpriv --reuid={user.pw_uid} --regid={user.pw_gid} --clear-groups"
    script = f"echo $$ >{shlex.quote(str(cgroup.procs))} && exec {drop} {shlex.join(command)}"
    environment = {"PATH": _path(), "LC_ALL": "C.UTF-8", "HOME": str(directory)}
    with said(directory).open("wb") as out:
        return subprocess.Popen(
            ["sh", "-c", script],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def said(directory: Path) -> Path:
    """Return the file with what a load printed."""
    return directory / "said"


def _path() -> str:
    """Return where programs are; Debian keeps those of PostgreSQL to itself."""
    servers = sorted(str(path) for path in Path("/usr/lib/postgresql").glob("*/bin"))
    return ":".join((*servers, "/usr/local/bin", "/usr/bin", "/bin"))


def _end(process: subprocess.Popen[bytes], cgroup: ToyCgroup) -> None:
    """Kill all that is in the cgroup, which nobody leaves."""
    while pids := cgroup.procs.read_text().split():
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.01)
    process.wait()
