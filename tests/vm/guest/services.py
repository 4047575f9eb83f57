"""On a Debian with systemd, sshd and PostgreSQL: protection that lands where it should, and lasts."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.vm.guest import report

PERSON = "ann"
POSTGRES = "postgresql@15-main.service"
OWN_UNIT = "oomctl-test.service"
UNITS = Path("/etc/systemd/system")
KEY = Path("/root/.ssh/id_ed25519")
_EATER = "/home/ann/sshd"
_PYTHON = Path(shutil.which("python3") or "").resolve()


def main() -> None:
    try:
        _prepare()
        for check in CHECKS:
            try:
                wrong = list(check())
            except Exception:
                wrong = [traceback.format_exc()]
            report.send("check", name=check.__name__.strip("_"), passed=not wrong, detail="\n".join(wrong))
    except Exception:
        report.send("error", text=traceback.format_exc())
    report.send("finished")
    report.drain()
    _sh("systemctl", "--force", "--force", "poweroff")


def _prepare() -> None:
    """A person, a key to log in with, and a service of two processes."""
    _sh("useradd", "--create-home", "--shell", "/bin/sh", PERSON, check=True)
    KEY.parent.mkdir(mode=0o700, exist_ok=True)
    _sh("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(KEY), check=True)
    shutil.copy(f"{KEY}.pub", KEY.parent / "authorized_keys")
    (UNITS / "toy.service").write_text(
        "[Service]\nExecStart=/bin/sh -c 'sleep 10000 & exec sleep infinity'\n[Install]\nAlias=plaything.service\n"
    )
    # systemd stops a service in which the kernel killed something; this one has to tell of it.
    (UNITS / f"{OWN_UNIT}.d").mkdir()
    (UNITS / f"{OWN_UNIT}.d" / "continue.conf").write_text("[Service]\nOOMPolicy=continue\n")
    _sh("systemctl", "daemon-reload", check=True)
    _sh("systemctl", "enable", "toy.service", check=True)
    _sh("systemctl", "start", "toy.service", "ssh.service", POSTGRES, check=True)
    _wait_for(lambda: _login("true") == "", "a login by ssh")


def _ssh_listener_protects_itself() -> Iterator[str]:
    listener = _main_pid("ssh.service")
    yield from _equal("the listener", _adj(listener), -1000)
    yield from _equal("a login's shell", _login("cat /proc/self/oom_score_adj"), "0")
    origin = _explained(str(listener))["origin"]
    yield from _equal("the origin", (origin["kind"], origin["confidence"]), ("program", "likely"))


def _protect_sshd_leaves_a_new_login_at_0() -> Iterator[str]:
    """Also where the listener had lost its protection, and while somebody is logged in."""
    listener = _main_pid("ssh.service")
    yield from _expect(_oomctl("reset", "sshd", "--force"), 0)
    yield from _equal("the listener after reset", _adj(listener), 0)
    with subprocess.Popen([*_ssh(), "sleep 600"], stdin=subprocess.DEVNULL) as session:
        _wait_for(lambda: len(_pids("sshd")) > 1, "the session")
        yield from _expect(_oomctl("protect", "sshd"), 0)
        yield from _equal("the listener", _adj(listener), -1000)
        others = {pid: _adj(pid) for pid in _pids("sshd") if pid != listener}
        yield from _equal("sessions", set(others.values()), {0})
        session.kill()
    yield from _equal("a new login's shell", _login("cat /proc/self/oom_score_adj"), "0")


def _an_impostor_s_sshd_is_not_protected() -> Iterator[str]:
    impostor = _impostor("sleep")
    ran = _oomctl("protect", "sshd")
    yield from _expect(ran, 0)
    if "belongs to ann, and anyone can use that name" not in ran.stdout:
        yield f"it does not say whom it left alone: {ran.stdout}"
    yield from _equal("the impostor", _adj(impostor.pid), 0)
    impostor.kill()
    impostor.wait()


def _persist_of_ssh_is_refused() -> Iterator[str]:
    for target in ("sshd", "ssh.service", "sshd.service"):
        ran = _oomctl("protect", "--persist", target)
        yield from _expect(ran, 6)
        if "inherited by every login" not in ran.stderr:
            yield f"no reason: {ran.stderr}"
    if (UNITS / "ssh.service.d").exists():
        yield "a drop-in was written"


def _a_unit_s_main_process_is_systemd_s() -> Iterator[str]:
    yield from _expect(_oomctl("set", "-300", "toy.service"), 0)
    main = _main_pid("toy.service")
    yield from _equal("adjs", {pid: _adj(pid) for pid in _unit_pids("toy.service")}[main], -300)
    yield from _equal("others", {_adj(pid) for pid in _unit_pids("toy.service") if pid != main}, {0})
    yield from _expect(_oomctl("undo"), 0)
    yield from _equal("after undo", _adj(main), 0)


def _what_persists_is_there_after_a_restart() -> Iterator[str]:
    refused = _sh("systemctl", "set-property", "--runtime", "toy.service", "OOMScoreAdjust=-400")
    if refused.returncode == 0:
        yield "systemd itself changes it at run time by now"
    before = _main_pid("toy.service")
    dry = _oomctl("protect", "--level", "-400", "--persist", "toy.service", "--dry-run")
    yield from _expect(dry, 0)
    if "OOMScoreAdjust=-400" not in dry.stdout or (UNITS / "toy.service.d").exists():
        yield f"dry run: {dry.stdout}"
    yield from _expect(_oomctl("protect", "--level", "-400", "--persist", "toy.service"), 0)
    yield from _equal("the running process", (_main_pid("toy.service"), _adj(before)), (before, -400))
    yield from _equal("declared", _declared("toy.service"), "-400")
    _sh("systemctl", "restart", "toy.service", check=True)
    after = _main_pid("toy.service")
    yield from _equal("after a restart", (after != before, _adj(after)), (True, -400))
    origin = _explained(str(after))["origin"]
    yield from _equal("the origin", (origin["kind"], origin["confidence"]), ("unit", "sure"))


def _reset_persist_takes_it_back() -> Iterator[str]:
    yield from _expect(_oomctl("reset", "--persist", "toy.service"), 0)
    yield from _equal("the running processes", {_adj(pid) for pid in _unit_pids("toy.service")}, {0})
    yield from _equal("declared", _declared("toy.service"), "0")
    _sh("systemctl", "restart", "toy.service", check=True)
    yield from _equal("after a restart", _adj(_main_pid("toy.service")), 0)
    if (UNITS / "toy.service.d").exists():
        yield "the directory of the drop-in is still there"


def _an_alias_is_its_unit() -> Iterator[str]:
    yield from _expect(_oomctl("set", "200", "--persist", "plaything.service"), 0)
    yield from _equal("the real unit", (_declared("toy.service"), _adj(_main_pid("toy.service"))), ("200", 200))
    yield from _expect(_oomctl("undo"), 0)
    yield from _equal("after undo", (_declared("toy.service"), _adj(_main_pid("toy.service"))), ("0", 0))
    yield from _equal("explain by an alias", _explained("sshd.service")["pid"], _main_pid("ssh.service"))


def _postgres_keeps_its_backends_killable() -> Iterator[str]:
    postmaster = _main_pid(POSTGRES)
    yield from _equal("Debian's value", (_adj(postmaster), _backend_adj()), (-900, "0"))
    origin = _explained(str(postmaster))["origin"]
    yield from _equal("its origin", (origin["kind"], origin["confidence"]), ("unit", "sure"))
    ran = _oomctl("protect", "--level", "-950", "--persist", "postgres")
    yield from _expect(ran, 6)
    if "pg_ctlcluster, which starts it, sets the postmaster to -900 every time" not in ran.stderr:
        yield f"no reason: {ran.stderr}"
    yield from _expect(_oomctl("protect", "--level", "-950", "postgres"), 0)
    yield from _equal("now", (_adj(postmaster), _backend_adj()), (-950, "0"))
    yield from _equal("declared", _declared(POSTGRES), "-900")
    (UNITS / f"{POSTGRES}.d").mkdir()
    (UNITS / f"{POSTGRES}.d" / "test.conf").write_text("[Service]\nOOMScoreAdjust=-950\n")
    _sh("systemctl", "daemon-reload", check=True)
    _sh("systemctl", "restart", POSTGRES, check=True)
    # The refusal is right: the unit's value does not count.
    yield from _equal("after a restart", (_declared(POSTGRES), _adj(_main_pid(POSTGRES))), ("-950", -900))
    shutil.rmtree(UNITS / f"{POSTGRES}.d")
    _sh("systemctl", "daemon-reload", check=True)


def _a_drift_is_explained() -> Iterator[str]:
    postmaster = _main_pid(POSTGRES)
    Path(f"/proc/{postmaster}/oom_score_adj").write_text("-100")
    ran = _oomctl("explain", str(postmaster))
    if f"{POSTGRES} declares OOMScoreAdjust=-900, not -100: its next start has that" not in ran.stdout:
        yield f"explain says: {ran.stdout}"
    Path(f"/proc/{postmaster}/oom_score_adj").write_text("-900")


def _a_user_s_own_service() -> Iterator[str]:
    uid = int(_sh("id", "-u", PERSON, check=True).stdout)
    _sh("loginctl", "enable-linger", PERSON, check=True)
    _wait_for(Path(f"/run/user/{uid}/bus").exists, "the user's service manager")
    units = Path("/home/ann/.config/systemd/user")
    as_person = ("runuser", "-u", PERSON, "--", "env", f"XDG_RUNTIME_DIR=/run/user/{uid}", "HOME=/home/ann")
    _sh(*as_person, "mkdir", "-p", str(units), check=True)
    (units / "sync.service").write_text("[Service]\nExecStart=/bin/sleep infinity\n")
    _sh(*as_person, "systemctl", "--user", "daemon-reload", check=True)
    _sh(*as_person, "systemctl", "--user", "start", "sync.service", check=True)
    [pid] = _unit_pids("sync.service")
    yield from _equal("what its manager gives it", _adj(pid), 200)
    oomctl = (*as_person, "python3", "-m", "oomctl")
    yield from _expect(_sh(*oomctl, "sacrifice", "--level", "700", "--persist", "--user", "sync.service"), 0)
    yield from _equal("now", _adj(pid), 700)
    _sh(*as_person, "systemctl", "--user", "restart", "sync.service", check=True)
    [pid] = _unit_pids("sync.service")
    yield from _equal("after a restart", _adj(pid), 700)
    ran = _sh(*oomctl, "set", "-5", "--persist", "--user", "sync.service")
    yield from _expect(ran, 4)
    if "has an oom_score_adj of 100 and cannot give its services less" not in ran.stderr:
        yield f"no reason: {ran.stderr}"
    yield from _expect(_sh(*oomctl, "reset", "--persist", "--user", "sync.service"), 0)
    yield from _equal("after reset", _adj(pid), 200)


def _a_unit_with_a_bounded_capability_set_is_named() -> Iterator[str]:
    pid = _main_pid("toy.service")
    bounded = ("systemd-run", "--quiet", "--wait", "--pipe", "--unit=bounded", "-E", "PYTHONPATH")
    limit = ("-p", "CapabilityBoundingSet=~CAP_SYS_RESOURCE")
    ran = _sh(*bounded, *limit, "python3", "-m", "oomctl", "set", "-5", str(pid))
    yield from _expect(ran, 4)
    if "CapabilityBoundingSet= of bounded.service leaves out" not in ran.stderr:
        yield f"it says: {ran.stderr}"


def _a_machine_wide_oom_kills_something_else() -> Iterator[str]:
    """The impostor is the biggest, and the kernel is asked (sysrq-f): it dies, real sshd and PostgreSQL do not."""
    yield from _expect(_oomctl("protect", "sshd", POSTGRES), 0)
    listener, postmaster = _main_pid("ssh.service"), _main_pid(POSTGRES)
    impostor = _impostor("eat")
    _wait_for(lambda: _rss_mib(impostor.pid) > _EATEN_MIB, "it to grow")
    predicted = json.loads(_oomctl("simulate", "--json").stdout)
    yield from _equal("predicted", predicted["victim"]["pid"], impostor.pid)
    Path("/proc/sysrq-trigger").write_text("f")
    yield from _equal("it ended by", impostor.wait(120), -signal.SIGKILL)
    killed = [line for line in _sh("dmesg").stdout.splitlines() if "Killed process" in line]
    report.send("killed", lines=killed)
    yield from _equal("who was killed", [f"process {impostor.pid} (sshd)" in line for line in killed], [True])
    alive = (_main_pid("ssh.service"), _main_pid(POSTGRES))
    yield from _equal("who lives on", alive, (listener, postmaster))
    yield from _equal("a new login", _login("cat /proc/self/oom_score_adj"), "0")
    yield from _equal("a query", _query("select 1"), "1")


CHECKS: tuple[Callable[[], Iterator[str]], ...] = (
    _ssh_listener_protects_itself,
    _protect_sshd_leaves_a_new_login_at_0,
    _an_impostor_s_sshd_is_not_protected,
    _persist_of_ssh_is_refused,
    _a_unit_s_main_process_is_systemd_s,
    _what_persists_is_there_after_a_restart,
    _reset_persist_takes_it_back,
    _an_alias_is_its_unit,
    _postgres_keeps_its_backends_killable,
    _a_drift_is_explained,
    _a_user_s_own_service,
    _a_unit_with_a_bounded_capability_set_is_named,
    _a_machine_wide_oom_kills_something_else,
)

_EATEN_MIB = 300
_IMPOSTOR = f"""
import sys, time
open('/proc/self/comm', 'w').write('sshd')
eaten = b"x" * (({_EATEN_MIB} + 1 << 20) if sys.argv[1] == "eat" else 0)
time.sleep(600)
"""


def _impostor(what: str) -> subprocess.Popen[bytes]:
    """A program of the person's that calls itself sshd, with that as the name of its executable, too."""
    shutil.copy(_PYTHON, _EATER)
    uid = int(_sh("id", "-u", PERSON, check=True).stdout)
    process = subprocess.Popen([_EATER, "-c", _IMPOSTOR, what], user=uid, group=uid, extra_groups=(), cwd="/")
    _wait_for(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "sshd\n", "the impostor's name")
    return process


def _sh(*command: str, check: bool = False) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=120, check=False
    )
    if check and ran.returncode:
        raise RuntimeError(f"{command}: {ran.stderr}")
    return ran


def _oomctl(*argv: str) -> subprocess.CompletedProcess[str]:
    return _sh("python3", "-m", "oomctl", *argv)


def _ssh() -> list[str]:
    options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ConnectTimeout=60")
    return ["ssh", "-i", str(KEY), *(word for option in options for word in ("-o", option)), "root@127.0.0.1"]


def _login(command: str) -> str:
    """Return what a command says in a new login; its complaints where it fails."""
    ran = _sh(*_ssh(), command)
    return (ran.stdout if ran.returncode == 0 else f"{ran.stdout}{ran.stderr} ({ran.returncode})").strip()


def _query(sql: str) -> str:
    ran = _sh("runuser", "-u", "postgres", "--", "psql", "-tAc", sql)
    return (ran.stdout or ran.stderr).strip()


def _backend_adj() -> str:
    _wait_for(lambda: _query("select 1") == "1", "PostgreSQL")
    return _query("select pg_read_file('/proc/self/oom_score_adj')").strip()


def _explained(target: str) -> dict[str, Any]:
    processes: list[dict[str, Any]] = json.loads(_oomctl("explain", target, "--json").stdout)["processes"]
    return processes[0]


def _main_pid(unit: str) -> int:
    return int(_sh("systemctl", "show", "-P", "MainPID", unit, check=True).stdout)


def _declared(unit: str) -> str:
    return _sh("systemctl", "show", "-P", "OOMScoreAdjust", unit, check=True).stdout.strip()


def _adj(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


def _rss_mib(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) >> 8


def _pids(comm: str) -> list[int]:
    return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/comm") if _text(path) == f"{comm}\n"]


def _unit_pids(unit: str) -> list[int]:
    return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cgroup") if _text(path).endswith(f"/{unit}\n")]


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _wait_for(condition: Callable[[], bool], what: str, seconds: int = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.1)


def _equal(what: str, found: object, expected: object) -> Iterator[str]:
    if found != expected:
        yield f"{what}: {found!r}, not {expected!r}"


def _expect(ran: subprocess.CompletedProcess[str], status: int) -> Iterator[str]:
    if ran.returncode != status:
        yield f"{' '.join(ran.args)}: status {ran.returncode}, not {status}: {ran.stdout}{ran.stderr}"


if __name__ == "__main__":
    main()
