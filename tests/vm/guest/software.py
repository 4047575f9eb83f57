"""Programs as their users run them, each started with so many MiB of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.vm.guest.debian import sh, wait_for
from tests.vm.guest.toys import Recipe, Toy

_BACKENDS = 4
_ROWS = 50_000
_ROWS_OF_A_MIB = 330
"""Of three times a thousand letters each."""
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_PATIENCE = 300
_REDIS = "/tmp/redis.socket"  # noqa: S108 - the guest's own
_LOG = "/tmp/programs"  # noqa: S108 - the guest's own
_RECIPE: Recipe = {"ended_by_others": True}


class Process(Toy):
    """A process of a program; it takes no orders."""

    def __init__(self, pid: int) -> None:
        super().__init__(pid, _RECIPE, socket.socket(socket.AF_UNIX), _threads(pid))


def _threads(pid: int) -> list[int]:
    try:
        return [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return []


class Software:
    name: str

    def __init__(self) -> None:
        self.pids: list[int] = []

    def start(self, mib: int, leads: bool) -> None:
        """Start it and wait until it has its memory."""
        raise NotImplementedError

    def is_whole(self) -> bool:
        return bool(self.pids) and all(_runs(pid) for pid in self.pids)

    def processes(self) -> list[Toy]:
        return [Process(pid) for pid in self.pids if _runs(pid)]

    def stop(self) -> None:
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not any(_runs(pid) for pid in self.pids), f"the end of {self.name}")
        self.pids = []


class Redis(Software):
    name = "redis"

    def start(self, mib: int, leads: bool) -> None:
        options = ("--port", "0", "--unixsocket", _REDIS, "--save", "", "--enable-debug-command", "yes")
        self.pids = [_background("redis", "redis-server", *options)]
        cli = ("redis-cli", "-s", _REDIS)
        wait_for(lambda: sh(*cli, "ping").stdout == "PONG\n", "Redis", _PATIENCE)
        sh(*cli, "debug", "populate", str(mib), "key", str(1 << 20), check=True)


class Jvm(Software):
    """A registry for remote calls, which only waits; its heap is touched when it starts."""

    name = "jvm"

    def start(self, mib: int, leads: bool) -> None:
        heap = (f"-J-Xms{mib}m", f"-J-Xmx{mib}m", "-J-XX:+AlwaysPreTouch", "-J-XX:+UseSerialGC")
        self.pids = [_background("registry", *("nobody", "rmiregistry"), *heap, as_person=True)]
        [pid] = self.pids
        wait_for(lambda: _listens(1099) or not _runs(pid), "the JVM", _PATIENCE)
        if not _runs(pid):
            raise RuntimeError(f"the JVM ended: {Path(f'{_LOG}.registry').read_text()}")


class Browser(Software):
    """A parent and six children that map a common binary and common shared memory, with a browser's values."""

    name = "browser"

    def start(self, mib: int, leads: bool) -> None:
        values = (0, 0, 167, 167, 200, 300, 300) if leads else (0,) * 7
        # The biggest is not always the one with the highest value.
        words = [f"{value}:{mib * (9 - number) // 60}" for number, value in enumerate(values)]
        ready = Path("/tmp/browser.ready")  # noqa: S108 - the guest's own
        ready.unlink(missing_ok=True)
        parent = _background("browser", sys.executable, "-S", "-c", _TREE, str(ready), *words)
        wait_for(lambda: len(_words(ready)) == len(values), "the browser", _PATIENCE)
        self.pids = [parent, *(pid for pid in map(int, _words(ready)) if pid != parent)]


_TREE = """
import ctypes, mmap, os, sys, time
ready, own, *children = sys.argv[1:]
def live(word):
    adj, mib = map(int, word.split(":"))
    library = mmap.mmap(os.open("/var/tmp/binary", os.O_RDONLY), 24 << 20, prot=mmap.PROT_READ)
    common = mmap.mmap(os.open("/dev/shm/common", os.O_RDWR), 16 << 20)
    for offset in range(0, len(library), 4096):
        library[offset]
    for offset in range(0, len(common), 4096):
        common[offset] = 1
    heap = os.urandom(4096) * (mib << 8)
    open("/proc/self/oom_score_adj", "w").write(str(adj))
    open(ready, "a").write(f"{os.getpid()}\\n")
    while True:
        time.sleep(1000)
for path, size in (("/var/tmp/binary", 24 << 20), ("/dev/shm/common", 16 << 20)):
    open(path, "ab").truncate(size)
for word in children:
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(1, 9)  # end with the parent
        live(word)
live(own)
"""


class Postgres(Software):
    name = "postgres"

    _OPTIONS = (
        "-c shared_buffers=96MB -c listen_addresses= -c fsync=off -c wal_level=minimal -c max_wal_senders=0"
        " -c autovacuum=off -c max_parallel_workers=0"
    )

    def __init__(self) -> None:
        super().__init__()
        self._filled = False

    def start(self, mib: int, leads: bool) -> None:
        """Start backends that have read a table in shared memory; the first sorts so much beside."""
        if _postmaster() is None:
            command = ("pg_ctlcluster", "--skip-systemctl-redirect", "15", "main", "start", "-o", self._OPTIONS)
            _background("postgres", *command)
        wait_for(lambda: _query("select 1") == "1", "PostgreSQL", _PATIENCE)
        if not self._filled:
            _query("create extension pg_prewarm")
            _query(f"create table t as select i, repeat('x', 1000) s from generate_series(1, {_ROWS}) i")  # noqa: S608 - own
            self._filled = True
        _query("select pg_prewarm('t')")
        for number in range(_BACKENDS):
            rows = mib * _ROWS_OF_A_MIB if number == 0 else 300
            sorting = f"declare c cursor for select i, s || s || s from t where i < {rows} order by 2, 1 desc"  # noqa: S608
            statements = ("set work_mem = '400MB'", "begin", sorting, "fetch 1 from c", "select pg_sleep(100000)")
            scan = "select sum(length(s)) from t"
            words = [word for sql in (scan, *statements) for word in ("-c", sql)]
            _background(f"psql{number}", *("postgres", "psql", "-q", *words), as_person=True)
        wait_for(lambda: len(_sleepers()) == _BACKENDS, "its backends", _PATIENCE)
        postmaster = _postmaster()
        self.pids = [*_sleepers(), *([postmaster] if postmaster else [])]

    def stop(self) -> None:
        """End the backends, or what the postmaster has left of them; it stays."""
        postmaster = _postmaster()
        if postmaster is None:
            return
        wait_for(lambda: _query("select 1") == "1", "PostgreSQL", _PATIENCE)
        for pid in _sleepers():
            _query(f"select pg_terminate_backend({pid})")
        wait_for(lambda: not _sleepers(), "the end of its backends", _PATIENCE)
        self.pids = []


def prepare() -> None:
    """Have what a service manager would have made: the loopback device, shared memory."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))
    Path("/etc/hosts").write_text("127.0.0.1 localhost guest\n")
    socket.sethostname("guest")
    for directory in ("/dev/shm", "/tmp"):  # noqa: S108 - the guest's own
        Path(directory).mkdir(exist_ok=True)
        Path(directory).chmod(0o1777)
    Path("/run/postgresql").mkdir(parents=True, exist_ok=True)


def _background(log: str, *command: str, as_person: bool = False) -> int:
    """Start a command with an oom_score_adj of 0 as nobody's child, and return its PID.

    ``as_person``: the first word is whose it is.
    """
    if as_person:
        person, *rest = command
        command = ("setpriv", f"--reuid={person}", f"--regid={_group(person)}", "--clear-groups", *rest)
    script = 'log=$0; "$@" >"$log" 2>&1 </dev/null & echo $!'
    freed = ("sh", "-c", 'echo 0 >/proc/self/oom_score_adj; exec "$@"', "sh", *command)
    started = subprocess.run(
        ["sh", "-c", script, f"{_LOG}.{log}", *freed], stdout=subprocess.PIPE, text=True, check=True, cwd="/"
    )
    return int(started.stdout)


def _group(person: str) -> str:
    return "nogroup" if person == "nobody" else person


def _query(sql: str) -> str:
    ran = sh("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "psql", "-tAc", sql)
    return ran.stdout.strip()


def _sleepers() -> list[int]:
    """The backends that have done their work, the biggest first."""
    found = _query("select pid from pg_stat_activity where query like 'select pg_sleep%' order by backend_start")
    return [int(word) for word in found.split()]


def _postmaster() -> int | None:
    try:
        pid = int(Path("/var/lib/postgresql/15/main/postmaster.pid").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return pid if _runs(pid) else None


def _listens(port: int) -> bool:
    tables = (Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()).splitlines()
    return any(f":{port:04X} " in line for line in tables)


def _words(path: Path) -> Sequence[str]:
    return path.read_text().split() if path.exists() else ()


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
