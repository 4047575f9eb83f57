"""The Debian package on a Debian with systemd: its units start, follow an upgrade, and go with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from tests.vm.guest.debian import UNITS, adj, equal, expect, main_pid, run, sh, wait_for

DEB = "/opt/oomctl/oomadm.deb"
"""Where the host put it."""
WATCH = "oomctl-policy.service"
METRICS = ("oomctl-metrics.service", "oomctl-metrics.timer")
POLICY = Path("/etc/oomctl/policy.toml")
TEXTFILE = Path("/var/lib/prometheus/node-exporter/oomctl.prom")
TOY = "toy.service"
_RULES = f'[[rule]]\ntarget = "{TOY}"\nadj = -500\n'


def main() -> None:
    run(_prepare, CHECKS)


def _prepare() -> None:
    (UNITS / TOY).write_text("[Service]\nExecStart=/bin/sleep infinity\n")
    sh("systemctl", "start", TOY, check=True)


def _it_enables_and_starts_nothing() -> Iterator[str]:
    yield from expect(sh("dpkg", "-i", DEB), 0)
    for unit in (WATCH, METRICS[1]):
        yield from equal(unit, (_shown(unit, "UnitFileState"), _shown(unit, "ActiveState")), ("disabled", "inactive"))


def _oomctl_stays_systemd_s() -> Iterator[str]:
    """systemd-oomd is installed here, and not running."""
    yield from equal("whose file", sh("dpkg", "-S", "/usr/bin/oomctl").stdout, "systemd-oomd: /usr/bin/oomctl\n")
    yield from expect(sh("oomadm", "simulate", "--json"), 0)


def _systemd_has_no_complaint_about_its_units() -> Iterator[str]:
    yield from equal("verify", sh("systemd-analyze", "verify", "--man=no", WATCH, *METRICS).stderr, "")


def _systemd_starts_its_policy() -> Iterator[str]:
    POLICY.parent.mkdir(parents=True)
    POLICY.write_text(_RULES)
    yield from expect(sh("systemctl", "enable", "--now", WATCH), 0)
    yield from equal("is it active", _shown(WATCH, "ActiveState"), "active")
    yield from equal("what it tells systemd", _shown(WATCH, "StatusText"), "1 rules, events")
    yield from equal("its own value", adj(main_pid(WATCH)), -900)
    yield from equal("the service it rules", adj(main_pid(TOY)), -500)


def _systemd_writes_its_metrics() -> Iterator[str]:
    TEXTFILE.parent.mkdir(parents=True)
    yield from expect(sh("systemctl", "enable", "--now", METRICS[1]), 0)
    yield from expect(sh("systemctl", "start", METRICS[0]), 0)
    victim = json.loads(sh("oomadm", "simulate", "--json").stdout)["victim"]
    if f'comm="{victim["comm"]}"' not in TEXTFILE.read_text():
        yield f"{victim['comm']} is not in it: {TEXTFILE.read_text()}"


def _an_upgrade_starts_the_service_anew() -> Iterator[str]:
    before = main_pid(WATCH)
    yield from expect(sh("dpkg", "-i", DEB), 0)
    wait_for(lambda: _shown(WATCH, "ActiveState") == "active", "the service")
    yield from equal("another process", main_pid(WATCH) not in (0, before), True)
    sh("systemctl", "restart", TOY, check=True)
    wait_for(lambda: adj(main_pid(TOY)) == -500, "the rule to be followed", 45)


def _what_is_removed_is_stopped() -> Iterator[str]:
    yield from expect(sh("dpkg", "-P", "oomadm"), 0)
    for unit in (WATCH, METRICS[1]):
        yield from equal(unit, sh("systemctl", "is-active", unit).stdout, "inactive\n")
    left = [one for place in (UNITS, Path("/usr/lib/systemd")) for one in place.rglob("oomctl-[pm]*")]
    yield from equal("units that are left", left, [])
    yield from equal("the administrator's file", POLICY.read_text(), _RULES)
    yield from equal("the running process", adj(main_pid(TOY)), -500)


CHECKS = (
    _it_enables_and_starts_nothing,
    _oomctl_stays_systemd_s,
    _systemd_has_no_complaint_about_its_units,
    _systemd_starts_its_policy,
    _systemd_writes_its_metrics,
    _an_upgrade_starts_the_service_anew,
    _what_is_removed_is_stopped,
)


def _shown(unit: str, name: str) -> str:
    return sh("systemctl", "show", "-P", name, unit, check=True).stdout.strip()


if __name__ == "__main__":
    main()
