"""Who logs in to a Debian: a person, root by ssh, and the person's own service manager."""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.vm.guest.debian import sh, wait_for

PERSON = "ann"
_KEY = Path("/root/.ssh/id_ed25519")
_FOREVER = "exec sleep infinity"


def prepare() -> None:
    """A person, and a key to log in with."""
    sh("useradd", "--create-home", "--shell", "/bin/sh", PERSON, check=True)
    _KEY.parent.mkdir(mode=0o700, exist_ok=True)
    sh("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(_KEY), check=True)
    shutil.copy(f"{_KEY}.pub", _KEY.parent / "authorized_keys")
    sh("systemctl", "start", "ssh.service", check=True)
    wait_for(lambda: login("true") == "", "a login by ssh")


def ssh() -> list[str]:
    options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ConnectTimeout=60")
    return ["ssh", "-i", str(_KEY), *(word for option in options for word in ("-o", option)), "root@127.0.0.1"]


def login(command: str) -> str:
    """Return what a command says in a new login; its complaints where it fails."""
    ran = sh(*ssh(), command)
    return (ran.stdout if ran.returncode == 0 else f"{ran.stdout}{ran.stderr} ({ran.returncode})").strip()


@contextlib.contextmanager
def logged_in() -> Iterator[int]:
    """Root is, by ssh, and does nothing; yields the PID of the shell."""
    with subprocess.Popen(
        [*ssh(), f"echo $$; {_FOREVER}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdout is not None
        shell = int(client.stdout.readline())
        try:
            yield shell
        finally:
            os.kill(shell, signal.SIGKILL)


@contextlib.contextmanager
def at_a_terminal(adj: int) -> Iterator[int]:
    """The person is logged in by login(1), which was started with ``adj``; yields the PID of login."""
    pid, terminal = pty.fork()
    if not pid:
        Path("/proc/self/oom_score_adj").write_text(str(adj))
        os.execv("/bin/login", ["login", "-f", PERSON])  # noqa: S606 - it is what is tried
    try:
        wait_for(lambda: any(_is_login_shell(child) for child in children(pid)), "the person's shell")
        yield pid
    finally:
        os.close(terminal)  # hangs up
        os.waitpid(pid, 0)


def _is_login_shell(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"-sh\0")
    except (FileNotFoundError, ProcessLookupError):  # a program of PAM's or of login's that has ended
        return False


def comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextlib.contextmanager
def own_services() -> Iterator[tuple[str, ...]]:
    """The person's service manager runs; yields the words before a command of the person's that speaks to it."""
    uid = int(sh("id", "-u", PERSON, check=True).stdout)
    sh("loginctl", "enable-linger", PERSON, check=True)
    wait_for(Path(f"/run/user/{uid}/bus").exists, "the user's service manager")
    yield "runuser", "-u", PERSON, "--", "env", f"XDG_RUNTIME_DIR=/run/user/{uid}", f"HOME=/home/{PERSON}"
    sh("loginctl", "disable-linger", PERSON, check=True)
    sh("systemctl", "stop", f"user@{uid}.service", check=True)
