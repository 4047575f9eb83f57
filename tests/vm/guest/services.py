"""On a Debian with systemd, sshd and PostgreSQL: protection that lands where it should, and lasts."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.vm.guest import policies, report
from tests.vm.guest.debian import (
    POSTGRES,
    UNITS,
    adj,
    equal,
    expect,
    live_through_kills,
    main_pid,
    oomctl,
    query,
    rss_mib,
    run,
    sh,
    wait_for,
)
from tests.vm.guest.logins import PERSON, login, prepare, ssh

_EATER = "/home/ann/sshd"
_PYTHON = Path(shutil.which("python3") or "").resolve()


def main() -> None:
    run(_prepare, (*CHECKS, *policies.CHECKS))


def _prepare() -> None:
    """Who logs in, and a service of two processes."""
    prepare()
    (UNITS / "toy.service").write_text(
        "[Service]\nExecStart=/bin/sh -c 'sleep 10000 & exec sleep infinity'\n[Install]\nAlias=plaything.service\n"
    )
    live_through_kills()
    sh("systemctl", "enable", "toy.service", check=True)
    sh("systemctl", "start", "toy.service", POSTGRES, check=True)


def _ssh_listener_protects_itself() -> Iterator[str]:
    listener = main_pid("ssh.service")
    yield from equal("the listener", adj(listener), -1000)
    yield from equal("a login's shell", login("cat /proc/self/oom_score_adj"), "0")
    origin = _explained(str(listener))["origin"]
    yield from equal("the origin", (origin["kind"], origin["confidence"]), ("program", "likely"))


def _protect_sshd_leaves_a_new_login_at_0() -> Iterator[str]:
    """Also where the listener had lost its protection, and while somebody is logged in."""
    listener = main_pid("ssh.service")
    yield from expect(oomctl("reset", "sshd", "--force"), 0)
    yield from equal("the listener after reset", adj(listener), 0)
    with subprocess.Popen([*ssh(), "sleep 600"], stdin=subprocess.DEVNULL) as session:
        wait_for(lambda: len(_pids("sshd")) > 1, "the session")
        yield from expect(oomctl("protect", "sshd"), 0)
        yield from equal("the listener", adj(listener), -1000)
        others = {pid: adj(pid) for pid in _pids("sshd") if pid != listener}
        yield from equal("sessions", set(others.values()), {0})
        session.kill()
    yield from equal("a new login's shell", login("cat /proc/self/oom_score_adj"), "0")


def _an_impostor_s_sshd_is_not_protected() -> Iterator[str]:
    impostor = _impostor("sleep")
    ran = oomctl("protect", "sshd")
    yield from expect(ran, 0)
    if "belongs to ann, and anyone can use that name" not in ran.stdout:
        yield f"it does not say whom it left alone: {ran.stdout}"
    yield from equal("the impostor", adj(impostor.pid), 0)
    impostor.kill()
    impostor.wait()


def _persist_of_ssh_is_refused() -> Iterator[str]:
    for target in ("sshd", "ssh.service", "sshd.service"):
        ran = oomctl("protect", "--persist", target)
        yield from expect(ran, 6)
        if "inherited by every login" not in ran.stderr:
            yield f"no reason: {ran.stderr}"
    if (UNITS / "ssh.service.d").exists():
        yield "a drop-in was written"


def _a_unit_s_main_process_is_systemd_s() -> Iterator[str]:
    yield from expect(oomctl("set", "-300", "toy.service"), 0)
    main = main_pid("toy.service")
    yield from equal("adjs", {pid: adj(pid) for pid in _unit_pids("toy.service")}[main], -300)
    yield from equal("others", {adj(pid) for pid in _unit_pids("toy.service") if pid != main}, {0})
    yield from expect(oomctl("undo"), 0)
    yield from equal("after undo", adj(main), 0)


def _what_persists_is_there_after_a_restart() -> Iterator[str]:
    refused = sh("systemctl", "set-property", "--runtime", "toy.service", "OOMScoreAdjust=-400")
    if refused.returncode == 0:
        yield "systemd itself changes it at run time by now"
    before = main_pid("toy.service")
    dry = oomctl("protect", "--level", "-400", "--persist", "toy.service", "--dry-run")
    yield from expect(dry, 0)
    if "OOMScoreAdjust=-400" not in dry.stdout or (UNITS / "toy.service.d").exists():
        yield f"dry run: {dry.stdout}"
    yield from expect(oomctl("protect", "--level", "-400", "--persist", "toy.service"), 0)
    yield from equal("the running process", (main_pid("toy.service"), adj(before)), (before, -400))
    yield from equal("declared", _declared("toy.service"), "-400")
    sh("systemctl", "restart", "toy.service", check=True)
    after = main_pid("toy.service")
    yield from equal("after a restart", (after != before, adj(after)), (True, -400))
    origin = _explained(str(after))["origin"]
    yield from equal("the origin", (origin["kind"], origin["confidence"]), ("unit", "sure"))


def _reset_persist_takes_it_back() -> Iterator[str]:
    yield from expect(oomctl("reset", "--persist", "toy.service"), 0)
    yield from equal("the running processes", {adj(pid) for pid in _unit_pids("toy.service")}, {0})
    yield from equal("declared", _declared("toy.service"), "0")
    sh("systemctl", "restart", "toy.service", check=True)
    yield from equal("after a restart", adj(main_pid("toy.service")), 0)
    if (UNITS / "toy.service.d").exists():
        yield "the directory of the drop-in is still there"


def _an_alias_is_its_unit() -> Iterator[str]:
    yield from expect(oomctl("set", "200", "--persist", "plaything.service"), 0)
    yield from equal("the real unit", (_declared("toy.service"), adj(main_pid("toy.service"))), ("200", 200))
    yield from expect(oomctl("undo"), 0)
    yield from equal("after undo", (_declared("toy.service"), adj(main_pid("toy.service"))), ("0", 0))
    yield from equal("explain by an alias", _explained("sshd.service")["pid"], main_pid("ssh.service"))


def _postgres_keeps_its_backends_killable() -> Iterator[str]:
    postmaster = main_pid(POSTGRES)
    yield from equal("Debian's value", (adj(postmaster), _backend_adj()), (-900, "0"))
    origin = _explained(str(postmaster))["origin"]
    yield from equal("its origin", (origin["kind"], origin["confidence"]), ("unit", "sure"))
    ran = oomctl("protect", "--level", "-950", "--persist", "postgres")
    yield from expect(ran, 6)
    if "pg_ctlcluster, which starts it, sets the postmaster to -900 every time" not in ran.stderr:
        yield f"no reason: {ran.stderr}"
    yield from expect(oomctl("protect", "--level", "-950", "postgres"), 0)
    yield from equal("now", (adj(postmaster), _backend_adj()), (-950, "0"))
    yield from equal("declared", _declared(POSTGRES), "-900")
    (UNITS / f"{POSTGRES}.d").mkdir()
    (UNITS / f"{POSTGRES}.d" / "test.conf").write_text("[Service]\nOOMScoreAdjust=-950\n")
    sh("systemctl", "daemon-reload", check=True)
    sh("systemctl", "restart", POSTGRES, check=True)
    # The refusal is right: the unit's value does not count.
    yield from equal("after a restart", (_declared(POSTGRES), adj(main_pid(POSTGRES))), ("-950", -900))
    shutil.rmtree(UNITS / f"{POSTGRES}.d")
    sh("systemctl", "daemon-reload", check=True)


def _a_drift_is_explained() -> Iterator[str]:
    postmaster = main_pid(POSTGRES)
    Path(f"/proc/{postmaster}/oom_score_adj").write_text("-100")
    ran = oomctl("explain", str(postmaster))
    if f"{POSTGRES} declares OOMScoreAdjust=-900, not -100: its next start has that" not in ran.stdout:
        yield f"explain says: {ran.stdout}"
    Path(f"/proc/{postmaster}/oom_score_adj").write_text("-900")


def _a_user_s_own_service() -> Iterator[str]:
    uid = int(sh("id", "-u", PERSON, check=True).stdout)
    sh("loginctl", "enable-linger", PERSON, check=True)
    wait_for(Path(f"/run/user/{uid}/bus").exists, "the user's service manager")
    units = Path("/home/ann/.config/systemd/user")
    as_person = ("runuser", "-u", PERSON, "--", "env", f"XDG_RUNTIME_DIR=/run/user/{uid}", "HOME=/home/ann")
    sh(*as_person, "mkdir", "-p", str(units), check=True)
    (units / "sync.service").write_text("[Service]\nExecStart=/bin/sleep infinity\n")
    sh(*as_person, "systemctl", "--user", "daemon-reload", check=True)
    sh(*as_person, "systemctl", "--user", "start", "sync.service", check=True)
    [pid] = _unit_pids("sync.service")
    yield from equal("what its manager gives it", adj(pid), 200)
    own_oomctl = (*as_person, "python3", "-m", "oomctl")
    yield from expect(sh(*own_oomctl, "sacrifice", "--level", "700", "--persist", "--user", "sync.service"), 0)
    yield from equal("now", adj(pid), 700)
    sh(*as_person, "systemctl", "--user", "restart", "sync.service", check=True)
    [pid] = _unit_pids("sync.service")
    yield from equal("after a restart", adj(pid), 700)
    ran = sh(*own_oomctl, "set", "-5", "--persist", "--user", "sync.service")
    yield from expect(ran, 4)
    if "has an oom_score_adj of 100 and cannot give its services less" not in ran.stderr:
        yield f"no reason: {ran.stderr}"
    yield from expect(sh(*own_oomctl, "reset", "--persist", "--user", "sync.service"), 0)
    yield from equal("after reset", adj(pid), 200)


def _a_unit_with_a_bounded_capability_set_is_named() -> Iterator[str]:
    pid = main_pid("toy.service")
    bounded = ("systemd-run", "--quiet", "--wait", "--pipe", "--unit=bounded", "-E", "PYTHONPATH")
    limit = ("-p", "CapabilityBoundingSet=~CAP_SYS_RESOURCE")
    ran = sh(*bounded, *limit, "python3", "-m", "oomctl", "set", "-5", str(pid))
    yield from expect(ran, 4)
    if "needs CAP_SYS_RESOURCE; bounded.service lacks it" not in ran.stderr:
        yield f"it says: {ran.stderr}"


def _a_machine_wide_oom_kills_something_else() -> Iterator[str]:
    """The impostor is the biggest, and the kernel is asked (sysrq-f): it dies, real sshd and PostgreSQL do not."""
    yield from expect(oomctl("protect", "sshd", POSTGRES), 0)
    listener, postmaster = main_pid("ssh.service"), main_pid(POSTGRES)
    impostor = _impostor("eat")
    wait_for(lambda: rss_mib(impostor.pid) > _EATEN_MIB, "it to grow")
    predicted = json.loads(oomctl("simulate", "--json").stdout)
    yield from equal("predicted", predicted["victim"]["pid"], impostor.pid)
    Path("/proc/sysrq-trigger").write_text("f")
    yield from equal("it ended by", impostor.wait(120), -signal.SIGKILL)
    killed = [line for line in sh("dmesg").stdout.splitlines() if "Killed process" in line]
    report.send("killed", lines=killed)
    yield from equal("who was killed", [f"process {impostor.pid} (sshd)" in line for line in killed], [True])
    alive = (main_pid("ssh.service"), main_pid(POSTGRES))
    yield from equal("who lives on", alive, (listener, postmaster))
    yield from equal("a new login", login("cat /proc/self/oom_score_adj"), "0")
    yield from equal("a query", query("select 1"), "1")


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
    uid = int(sh("id", "-u", PERSON, check=True).stdout)
    process = subprocess.Popen([_EATER, "-c", _IMPOSTOR, what], user=uid, group=uid, extra_groups=(), cwd="/")
    wait_for(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "sshd\n", "the impostor's name")
    return process


def _backend_adj() -> str:
    wait_for(lambda: query("select 1") == "1", "PostgreSQL")
    return query("select pg_read_file('/proc/self/oom_score_adj')").strip()


def _explained(target: str) -> dict[str, Any]:
    processes: list[dict[str, Any]] = json.loads(oomctl("explain", target, "--json").stdout)["processes"]
    return processes[0]


def _declared(unit: str) -> str:
    return sh("systemctl", "show", "-P", "OOMScoreAdjust", unit, check=True).stdout.strip()


def _pids(comm: str) -> list[int]:
    return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/comm") if _text(path) == f"{comm}\n"]


def _unit_pids(unit: str) -> list[int]:
    return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cgroup") if _text(path).endswith(f"/{unit}\n")]


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


if __name__ == "__main__":
    main()
