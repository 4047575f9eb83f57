"""What `oomctl check` is to find on a Debian, each made in earnest and taken back.

Each function makes one situation and yields whom a finding has to be about: a PID, a unit, a cgroup, or None for the
whole machine.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple, Union

from tests.vm.guest import logins
from tests.vm.guest.debian import POSTGRES, UNITS, main_pid, query, rss_mib, sh, wait_for

PRECIOUS = "treasure"
"""What a check has to be asked for."""
CGROUPS = Path("/sys/fs/cgroup")
POLICY = Path("/etc/oomctl/policy.d/guest.toml")
_SSH_DROP_INS = UNITS / "ssh.service.d"
_RUNTIME_DROP_INS = Path("/run/systemd/system/ssh.service.d")
_TOY = "toy.service"
_SLEEP = "exec sleep infinity"
_CONTAINER = f"libpod-{'0a' * 32}.scope"
_LARGE_MIB = 150
"""Less than the 200 points of a user's service are."""
_EATS = """
import sys, time
eaten = b"x" * (int(sys.argv[1]) << 20)
open("/proc/self/comm", "w").write(sys.argv[2])
time.sleep(100000)
"""

Subject = Union[int, str, None]
Made = Iterator[Subject]


class Situation(NamedTuple):
    make: Callable[[], AbstractContextManager[Subject]]
    severity: str
    has_remedy: bool = True
    """False: what mends it is nothing that a command on this machine could do."""
    also: tuple[str, ...] = ()
    """Ids of what else is rightly found then."""


@contextmanager
def _process(adj: int, *command: str, comm: str = "sleep") -> Iterator[int]:
    """Root's child that was started with ``adj``, as soon as it is called ``comm``."""
    with subprocess.Popen(["choom", "-n", str(adj), "--", *command], stdin=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: logins.comm(process.pid) == comm, str(command))
            yield process.pid
        finally:
            process.kill()


def _large(comm: str = "large") -> AbstractContextManager[int]:
    """By far the largest process here."""
    return _process(0, sys.executable, "-c", _EATS, str(_LARGE_MIB), comm, comm=comm)


@contextmanager
def _service(unit: str, *properties: str, command: str = _SLEEP) -> Iterator[str]:
    """A service of the system's; yields its name."""
    options = (word for one in properties for word in ("-p", one))
    sh("systemd-run", "--quiet", f"--unit={unit}", *options, "/bin/sh", "-c", command, check=True)
    try:
        yield unit
    finally:
        sh("systemctl", "stop", unit)
        sh("systemctl", "reset-failed", unit)
        shutil.rmtree(f"/etc/systemd/system.control/{unit}.d", ignore_errors=True)


def cgroup_of(unit: str) -> str:
    return sh("systemctl", "show", "-P", "ControlGroup", unit, check=True).stdout.strip()


@contextmanager
def _ssh_unit(directory: Path, name: str, text: str) -> Iterator[str]:
    """sshd was started with a drop-in."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_text(text)
    _restart_ssh()
    try:
        yield "ssh.service"
    finally:
        for made in (directory, _SSH_DROP_INS):
            shutil.rmtree(made, ignore_errors=True)
        _restart_ssh()


def _restart_ssh() -> None:
    sh("systemctl", "daemon-reload", check=True)
    sh("systemctl", "restart", "ssh.service", check=True)


def _ssh_value_of_oomctl() -> AbstractContextManager[Subject]:
    """As versions wrote it that did not yet refuse to."""
    return _ssh_unit(_SSH_DROP_INS, "90-oomctl.conf", "[Service]\nOOMScoreAdjust=-1000\n")


def _ssh_value_by_hand() -> AbstractContextManager[Subject]:
    return _ssh_unit(_SSH_DROP_INS, "override.conf", "[Service]\nRestartSec=7\n OOMScoreAdjust = -1000\n")


def _ssh_value_elsewhere() -> AbstractContextManager[Subject]:
    """Where an administrator does not write: a distribution's file, or here one of this start only."""
    return _ssh_unit(_RUNTIME_DROP_INS, "protect.conf", "[Service]\nOOMScoreAdjust=-500\n")


@contextmanager
def _login_at_a_terminal() -> Made:
    with logins.at_a_terminal(-1000) as login:
        yield login


@contextmanager
def _inherited() -> Made:
    script = f"setpriv --reuid={logins.PERSON} --regid={logins.PERSON} --clear-groups sleep infinity & wait"
    with _process(-500, "sh", "-c", script, comm="sh") as above:
        wait_for(lambda: bool(logins.children(above)), "the child")
        (child,) = logins.children(above)
        wait_for(lambda: logins.comm(child) == "sleep", "the person's process")
        try:
            yield child
        finally:
            subprocess.run(["kill", str(child)], check=True)


@contextmanager
def _drifted() -> Made:
    """A service whose main process was given something else by hand."""
    (UNITS / _TOY).write_text("[Service]\nExecStart=/bin/sleep infinity\nOOMScoreAdjust=-200\n")
    sh("systemctl", "daemon-reload", check=True)
    sh("systemctl", "start", _TOY, check=True)
    Path(f"/proc/{main_pid(_TOY)}/oom_score_adj").write_text("100")
    try:
        yield _TOY
    finally:
        sh("systemctl", "stop", _TOY, check=True)
        (UNITS / _TOY).unlink()
        shutil.rmtree(UNITS / f"{_TOY}.d", ignore_errors=True)


@contextmanager
def _drifted_undeclared() -> Made:
    with _service("plain.service") as unit:
        Path(f"/proc/{main_pid(unit)}/oom_score_adj").write_text("100")
        yield unit


@contextmanager
def _postmaster(adj: int) -> Iterator[int]:
    """PostgreSQL's was given that by hand."""
    pid = main_pid(POSTGRES)
    Path(f"/proc/{pid}/oom_score_adj").write_text(str(adj))
    try:
        yield pid
    finally:
        Path(f"/proc/{pid}/oom_score_adj").write_text("-900")


@contextmanager
def _drifted_postmaster() -> Made:
    with _postmaster(-100):
        yield POSTGRES


@contextmanager
def _protected_backend() -> Made:
    """As where PG_OOM_ADJUST_FILE is missing."""
    backend = int(query("select min(pid) from pg_stat_activity where backend_type = 'checkpointer'"))
    Path(f"/proc/{backend}/oom_score_adj").write_text("-900")
    try:
        yield backend
    finally:
        Path(f"/proc/{backend}/oom_score_adj").write_text("0")


@contextmanager
def _policy() -> Made:
    with _service("ruled.service") as unit:
        POLICY.parent.mkdir(parents=True, exist_ok=True)
        POLICY.write_text(f'[[rule]]\ntarget = "{unit}"\nadj = 300\n')
        try:
            yield main_pid(unit)
        finally:
            POLICY.unlink()


def _sleeping(adj: int) -> Callable[[], AbstractContextManager[Subject]]:
    return lambda: _process(adj, "sleep", "infinity")


@contextmanager
def _nobody_in_a_limit() -> Made:
    with _service("unkillable.service", "MemoryMax=100M", "OOMScoreAdjust=-1000") as unit:
        yield cgroup_of(unit)


_ONE_EXEMPT = "; ".join(
    ("echo -1000 >/proc/self/oom_score_adj", "sleep infinity & echo 0 >/proc/self/oom_score_adj", _SLEEP)
)
"""Not its main process."""


@contextmanager
def _one_exempt_in_a_limit() -> Made:
    with _service("exempt.service", "MemoryMax=100M", command=_ONE_EXEMPT) as unit:
        wait_for(lambda: _adjs(unit) == [-1000, 0], "one exempt")
        yield cgroup_of(unit)


@contextmanager
def _survivor() -> Made:
    with _service("survivor.service", "OOMPolicy=kill", command=_ONE_EXEMPT) as unit:
        wait_for(lambda: _adjs(unit) == [-1000, 0], "one exempt")
        yield cgroup_of(unit)


def _adjs(unit: str) -> list[int]:
    pids = (CGROUPS / cgroup_of(unit)[1:] / "cgroup.procs").read_text().split()
    return sorted(int(Path(f"/proc/{pid}/oom_score_adj").read_text()) for pid in pids)


@contextmanager
def _login_that_dies_as_one() -> Made:
    control = CGROUPS / "user.slice/user-0.slice/memory.oom.group"
    with logins.logged_in():
        control.write_text("1")
        yield "/user.slice/user-0.slice"


@contextmanager
def _full() -> Made:
    eats = f'exec {sys.executable} -c "import time; eaten = bytearray(range(256)) * (60 << 12); time.sleep(100000)"'
    with _service("full.service", "MemoryMax=200M", "MemorySwapMax=0", command=eats) as unit:
        wait_for(lambda: rss_mib(main_pid(unit)) > 60, "it to grow")
        directory = CGROUPS / cgroup_of(unit)[1:]
        stat = dict(line.split() for line in (directory / "memory.stat").read_text().splitlines())
        # It cannot be dropped, and the limit is hardly above it.
        held = int(stat["anon"]) + int(stat["kernel"]) - int(stat["slab_reclaimable"])
        sh("systemctl", "set-property", "--runtime", unit, f"MemoryMax={held + (1 << 20)}", check=True)
        yield cgroup_of(unit)


@contextmanager
def _container() -> Made:
    """Its cgroup is called as podman would call it."""
    scope = ("systemd-run", "--quiet", "--scope", "--slice=machine.slice", f"--unit={_CONTAINER}")
    with _process(-1000, *scope, "sleep", "infinity"):
        wait_for(lambda: _adjs(_CONTAINER) == [-1000] if cgroup_of(_CONTAINER) else False, "the container")
        try:
            yield f"/machine.slice/{_CONTAINER}"
        finally:
            sh("systemctl", "stop", _CONTAINER, check=True)


@contextmanager
def _futile() -> Made:
    with _large(), _process(900, "sleep", "infinity") as small:
        yield small


@contextmanager
def _user_service() -> Made:
    with _large(), logins.own_services() as as_person:
        sh(*as_person, "systemd-run", "--user", "--quiet", "--unit=sync", "sleep", "infinity", check=True)
        (pid,) = map(int, sh("pgrep", "--exact", "--uid", logins.PERSON, "sleep", check=True).stdout.split())
        yield pid


def _sysctl(name: str, value: int) -> Callable[[], AbstractContextManager[Subject]]:
    @contextmanager
    def set_to() -> Made:
        path = Path("/proc/sys") / name
        before = path.read_text()
        path.write_text(str(value))
        try:
            yield None
        finally:
            path.write_text(before)

    return set_to


@contextmanager
def _strict() -> Made:
    """Without refusing anything to this very test."""
    with _sysctl("vm/overcommit_ratio", 1000)(), _sysctl("vm/overcommit_memory", 2)():
        yield None


@contextmanager
def killers(*units: str) -> Made:
    """They run, and the last one would at the next start."""
    sh("systemctl", "unmask", *units, "systemd-oomd.socket", check=True)
    sh("systemctl", "start", *units, check=True)
    try:
        yield main_pid(units[0])
    finally:
        sh("systemctl", "mask", "--now", *units, "systemd-oomd.socket", check=True)


@contextmanager
def _without_swap_file() -> Iterator[None]:
    """Afterwards there is none."""
    before = Path("/etc/fstab").read_text()
    try:
        yield
    finally:
        sh("swapoff", "/swapfile")
        Path("/swapfile").unlink(missing_ok=True)
        Path("/etc/fstab").write_text(before)


@contextmanager
def _oomd_without_swap() -> Made:
    with _without_swap_file(), killers("systemd-oomd.service"):
        yield None


@contextmanager
def _zram() -> Made:
    sh("modprobe", "zram", check=True)
    Path("/sys/block/zram0/disksize").write_text("64M")
    sh("mkswap", "/dev/zram0", check=True)
    sh("swapon", "/dev/zram0", check=True)
    with _without_swap_file():
        yield None
    sh("swapoff", "/dev/zram0", check=True)
    sh("modprobe", "-r", "zram", check=True)


@contextmanager
def _kill() -> Made:
    """Of which the check before did not know."""
    eats = f"exec {sys.executable} -c 'eaten = bytearray(range(256)) * (100 << 12)'"
    with _service("eater.service", "MemoryMax=30M", "MemorySwapMax=0", command=eats) as unit:
        result = ("systemctl", "show", "-P", "Result", unit)
        wait_for(lambda: sh(*result).stdout == "oom-kill\n", "the kill")
        yield None


SITUATIONS = {
    "ssh-unit-value by hand": Situation(_ssh_value_by_hand, "critical"),
    "session-protected by ssh": Situation(logins.logged_in, "critical"),
    "session-protected by login": Situation(_login_at_a_terminal, "critical"),
    "inherited-protection": Situation(_inherited, "warning"),
    "unit-drift": Situation(_drifted, "warning"),
    "unit-drift undeclared": Situation(_drifted_undeclared, "info"),
    "unit-drift postgres": Situation(_drifted_postmaster, "warning"),
    "postgres-unguarded backend": Situation(_protected_backend, "warning"),
    "policy-drift": Situation(_policy, "warning"),
    "old-scale -17": Situation(_sleeping(-17), "warning"),
    # Its remedy makes this sleep the next victim.
    "old-scale 15": Situation(_sleeping(15), "warning", also=("futile-victim",)),
    "memcg-unkillable": Situation(_nobody_in_a_limit, "critical"),
    "memcg-exempt": Situation(_one_exempt_in_a_limit, "warning"),
    "group-survivor": Situation(_survivor, "warning"),
    "container-unkillable": Situation(_container, "critical"),
    "limit-near": Situation(_full, "warning"),
    "precious-next": Situation(lambda: _large(PRECIOUS), "critical"),
    "kills-seen": Situation(_kill, "warning"),
    "sysrq-oom": Situation(_sysctl("kernel/sysrq", 0), "info"),
    "other-killer": Situation(lambda: killers("earlyoom.service"), "info", has_remedy=False),
    "zram-only": Situation(_zram, "info"),
    "ssh-unit-value of oomctl": Situation(_ssh_value_of_oomctl, "critical"),
    "futile-victim": Situation(_futile, "warning"),
    "postgres-unguarded": Situation(lambda: _postmaster(0), "warning", also=("unit-drift",)),
    "overcommit-strict": Situation(_strict, "info"),
    "no-task-dump": Situation(_sysctl("vm/oom_dump_tasks", 0), "info"),
    "ssh-unit-value elsewhere": Situation(_ssh_value_elsewhere, "critical"),
    "user-service-first": Situation(_user_service, "info", also=("futile-victim",)),
    "panic-on-oom 1": Situation(_sysctl("vm/panic_on_oom", 1), "warning"),
    "kill-allocating": Situation(_sysctl("vm/oom_kill_allocating_task", 1), "warning"),
    "no-swap": Situation(_oomd_without_swap, "info", also=("other-killer",)),
    "group-blast": Situation(_login_that_dies_as_one, "warning"),  # systemd's next daemon-reload takes it back
    "panic-on-oom 2": Situation(_sysctl("vm/panic_on_oom", 2), "critical"),
}
"""By the id of the check, and a word where there are several."""
_NEXT = ("ssh-unit-value of oomctl", "ssh-unit-value elsewhere", "panic-on-oom 1", "panic-on-oom 2")
"""With whom the next of them begin that can be there at once: a machine is asked only once about many."""


def batches() -> list[tuple[str, ...]]:
    """Return the names of SITUATIONS, those together that are made together."""
    found: list[list[str]] = [[]]
    for name in SITUATIONS:
        if name in _NEXT:
            found.append([])
        found[-1].append(name)
    return [tuple(names) for names in found]
