"""The shipped service on a Debian: systemd starts it, the policy stays true, and the kernel's choice follows it."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.vm.guest import report
from tests.vm.guest.debian import UNITS, adj, equal, expect, main_pid, oomctl, rss_mib, sh, wait_for

SHIPPED = Path("/opt/oomctl")
"""Where the host put what the wheel holds."""
WATCH = "oomctl-policy.service"
METRICS = ("oomctl-metrics.service", "oomctl-metrics.timer")
TEXTFILE = Path("/var/lib/prometheus/node-exporter/oomctl.prom")
POLICY = Path("/etc/oomctl/policy.d/guest.toml")
USER = "ci"
GUARDED = "guarded.service"
_BATCH = "/usr/local/bin/batch"
_SOON = 45
"""Seconds, with an emulator on a busy host; less than the minute after which all processes are looked at anyway."""
_GUARDED_MIB = 300
_EATS = f"""\
[Service]
ExecStart=/usr/bin/python3 -c "import time; eaten = b'x' * ({_GUARDED_MIB} << 20); time.sleep(100000)"
"""
_RULES = f"""\
[[rule]]
target = "batch"
adj = 700

[[rule]]
target = "user:{USER}"
adj = 300

[[rule]]
target = "{GUARDED}"
adj = %s
"""
_CAPABILITIES = sum(1 << number for number in (1, 12, 19, 24))
"""CAP_DAC_OVERRIDE, CAP_NET_ADMIN, CAP_SYS_PTRACE and CAP_SYS_RESOURCE of include/uapi/linux/capability.h."""


def _systemd_starts_the_shipped_unit() -> Iterator[str]:
    """By what README says; oomctl itself is on a disk of its own."""
    _prepare()
    _install(SHIPPED / "share/oomctl/policy/server.toml", Path("/etc/oomctl/policy.toml"))
    _install(SHIPPED / WATCH, UNITS / WATCH)
    yield from expect(sh("systemctl", "enable", "--now", WATCH), 0)
    yield from equal("is it active", _shown("ActiveState"), "active")
    yield from equal("is it enabled", _shown("UnitFileState"), "enabled")
    yield from equal("what it tells systemd", _shown("StatusText"), "6 rules, events")
    yield from equal("its own value", adj(main_pid(WATCH)), -900)
    yield from equal("its capabilities", int(_own_status("CapEff"), 16), _CAPABILITIES)
    yield from equal("its restrictions", (_own_status("NoNewPrivs"), _own_status("Seccomp")), ("1", "2"))
    yield from _said("event=started mode=events rules=6")
    yield from equal("a process that was there before", adj(main_pid(GUARDED)), -500)


def _a_restarted_service_gets_its_value() -> Iterator[str]:
    before, after = _restart()
    yield from equal("the new process", (after != before, _awaited_adj(after, -500)), (True, -500))
    yield from _said(f"event=set pid={after} ", f"before=0 after=-500 rule={POLICY}:9")


def _so_does_what_another_user_starts() -> Iterator[str]:
    shutil.copy("/bin/sleep", _BATCH)
    with subprocess.Popen([_BATCH, "1000"], user=USER) as batch:
        yield from equal("by its name", _awaited_adj(batch.pid, 700), 700)
        batch.kill()
    becomes = f"import os, pwd, time; os.setuid(pwd.getpwnam('{USER}').pw_uid); time.sleep(1000)"
    with subprocess.Popen([sys.executable, "-c", becomes]) as process:
        yield from equal("by the user that it became", _awaited_adj(process.pid, 300), 300)
        process.kill()


def _a_broken_file_keeps_the_old_rules() -> Iterator[str]:
    POLICY.write_text(_RULES % "")
    yield from expect(sh("systemctl", "reload", WATCH), 0)
    yield from _said("event=reload-refused", str(POLICY), "rules=6", priority="err")
    yield from equal("is it active", _shown("ActiveState"), "active")
    _, after = _restart()
    yield from equal("a process that starts then", _awaited_adj(after, -500), -500)


def _a_repaired_file_is_followed() -> Iterator[str]:
    POLICY.write_text(_RULES % -600)
    yield from expect(oomctl("policy", "diff"), 1)
    yield from expect(sh("systemctl", "reload", WATCH), 0)
    yield from _said("event=reloaded rules=6")
    yield from equal("the running process", _awaited_adj(main_pid(GUARDED), -600), -600)
    yield from expect(oomctl("policy", "diff"), 0)


def _a_machine_wide_oom_follows_the_policy() -> Iterator[str]:
    """The guarded service is by far the biggest, and a small batch job dies in its stead."""
    guarded, watch = main_pid(GUARDED), main_pid(WATCH)
    wait_for(lambda: rss_mib(guarded) > _GUARDED_MIB, "it to grow")
    with subprocess.Popen([_BATCH, "1000"], user=USER) as batch:
        yield from equal("the batch job", _awaited_adj(batch.pid, 700), 700)
        without = ("--set", f"{guarded}=0", "--set", f"{batch.pid}=0")
        yield from equal("predicted without the policy", _predicted(*without), guarded)
        yield from equal("predicted", _predicted(), batch.pid)
        Path("/proc/sysrq-trigger").write_text("f")
        yield from equal("the batch job ended by", batch.wait(120), -signal.SIGKILL)
    killed = [line for line in sh("dmesg").stdout.splitlines() if "Killed process" in line]
    report.send("killed", lines=killed)
    yield from equal("the last one killed", f"process {batch.pid} (batch)" in killed[-1], True)
    yield from equal("who lives on", (main_pid(GUARDED), main_pid(WATCH)), (guarded, watch))


def _what_a_process_gave_itself_it_cannot_take_back() -> Iterator[str]:
    """What it set itself was no floor before the service wrote the same."""
    sh("systemctl", "stop", WATCH, check=True)
    job = ["sh", "-c", "echo 300 > /proc/self/oom_score_adj; exec sleep 1000"]
    with subprocess.Popen(job, user=USER) as process:
        yield from equal("its own value", _awaited_adj(process.pid, 300), 300)
        for value, service, expected in ((200, "stop", 200), (300, "stop", 300), (200, "start", 300)):
            sh("systemctl", service, WATCH, check=True)
            taken = ["sh", "-c", f"echo {value} > /proc/{process.pid}/oom_score_adj"]
            subprocess.run(taken, user=USER, stderr=subprocess.DEVNULL, check=False)
            yield from equal(f"after {value} from its user ({service})", adj(process.pid), expected)
        process.kill()


def _stopping_it_ends_it_cleanly() -> Iterator[str]:
    guarded = main_pid(GUARDED)
    yield from expect(sh("systemctl", "stop", WATCH), 0)
    ended = tuple(_shown(name) for name in ("ActiveState", "Result", "ExecMainStatus", "NRestarts"))
    yield from equal("its end", ended, ("inactive", "success", "0", "0"))
    yield from _said("event=stopped", "denied=0")
    yield from equal("what it has set stays", adj(guarded), -600)


def _systemd_writes_the_metrics() -> Iterator[str]:
    """By the timer that is shipped, into a directory of somebody else's, out of a service that may do little."""
    TEXTFILE.parent.mkdir(parents=True)
    shutil.chown(TEXTFILE.parent, USER)
    for unit in METRICS:
        _install(SHIPPED / unit, UNITS / unit)
    yield from equal("what systemd says of them", sh("systemd-analyze", "verify", "--man=no", *METRICS).stderr, "")
    yield from expect(sh("systemctl", "enable", "--now", METRICS[1]), 0)
    yield from expect(sh("systemctl", "start", METRICS[0]), 0)
    yield from equal("the file", (oct(TEXTFILE.stat().st_mode)[-3:], TEXTFILE.stat().st_uid), ("644", 0))
    text = TEXTFILE.read_text()
    victim = json.loads(oomctl("simulate", "--json").stdout)["victim"]
    for line in (
        f'oomctl_next_victim_info{{scope="machine",comm="{victim["comm"]}",unit="{victim["unit"]}"}} 1',
        'oomctl_processes{state="hidden"} 0',
        'oomctl_check_finding{id="no-capability"} 0',
        "# EOF",
    ):
        if line not in text.splitlines():
            yield f"no {line} in it: {text}"
    said = sh("journalctl", "--unit", METRICS[0], "--output", "cat", "--identifier", "python").stdout
    yield from equal("what it complained of", said, "")
    yield from equal("the timer", sh("systemctl", "is-active", METRICS[1]).stdout, "active\n")


CHECKS: tuple[Callable[[], Iterator[str]], ...] = (
    _systemd_starts_the_shipped_unit,
    _a_restarted_service_gets_its_value,
    _so_does_what_another_user_starts,
    _a_broken_file_keeps_the_old_rules,
    _a_repaired_file_is_followed,
    _a_machine_wide_oom_follows_the_policy,
    _what_a_process_gave_itself_it_cannot_take_back,
    _stopping_it_ends_it_cleanly,
    _systemd_writes_the_metrics,
)


def _prepare() -> None:
    """A user, a service with much memory, rules about both, and oomctl where the unit looks for it."""
    sh("useradd", USER, check=True)
    (UNITS / GUARDED).write_text(_EATS)
    sh("systemctl", "start", GUARDED, check=True)
    POLICY.parent.mkdir(parents=True)
    POLICY.write_text(_RULES % -500)
    sh("/usr/bin/python3", "-m", "venv", "--without-pip", "--symlinks", str(SHIPPED), check=True)
    site = next(SHIPPED.glob("lib/python3*/site-packages"))
    (site / "oomctl.pth").write_text(f"{SHIPPED}\n")


def _install(source: Path, target: Path) -> None:
    sh("install", "-D", "-m", "644", str(source), str(target), check=True)


def _restart() -> tuple[int, int]:
    """Return the PIDs of the guarded service before and after."""
    before = main_pid(GUARDED)
    sh("systemctl", "restart", GUARDED, check=True)
    return before, main_pid(GUARDED)


def _awaited_adj(pid: int, wanted: int) -> int:
    """Return its value as soon as it is ``wanted``, or what it is after a while."""
    with contextlib.suppress(TimeoutError):
        wait_for(lambda: adj(pid) == wanted, str(wanted), _SOON)
    return adj(pid)


def _shown(name: str) -> str:
    return sh("systemctl", "show", "-P", name, WATCH, check=True).stdout.strip()


def _own_status(key: str) -> str:
    lines = Path(f"/proc/{main_pid(WATCH)}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{key}:"))


def _said(*words: str, priority: str = "debug") -> Iterator[str]:
    """Wait for a line of the journal, of that priority or above, that has all the words."""
    command = ("journalctl", "--unit", WATCH, "--output", "cat", "--priority", priority)
    try:
        wait_for(
            lambda: any(all(word in line for word in words) for line in sh(*command).stdout.splitlines()), "", _SOON
        )
    except TimeoutError:
        yield f"the journal does not have {words}: {sh(*command).stdout}"


def _predicted(*options: str) -> object:
    return json.loads(oomctl("simulate", *options, "--json").stdout)["victim"]["pid"]
