"""With Debian's systemd, sshd and PostgreSQL: what `oomctl check` finds is there, and its remedy mends it."""

from __future__ import annotations

import pytest

from oomctl.audit.catalogue import IDS
from tests.vm import debian
from tests.vm.guest import findings, situations

pytestmark = pytest.mark.vm

CHECKS = tuple(check.__name__.strip("_") for check in findings.CHECKS)
_OF_THEIR_OWN = {"hidden", "no-capability", "other-oomctl"}
"""Ids that a check of the guest is about which is no situation for a remedy."""
_ELSEWHERE = {
    "v1-oom-disabled",  # this machine has cgroup v2
    "java-heap",  # and no Java
    *("foreign-proc", "runs-out-soon"),  # tests/kernel_live
}


@pytest.fixture(scope="module")
def boot() -> debian.Boot:
    return debian.booted_or_skipped("findings")


@pytest.mark.lab
@pytest.mark.parametrize("name", CHECKS)
def test_finding(boot: debian.Boot, name: str) -> None:
    found = [check for check in boot.of("check") if check["name"] == name]
    assert found, f"the guest did not come so far: {boot.of('error')}\n{boot.console_tail()}"
    assert found[0]["passed"], f"{found[0]['detail']}\n{[one for one in boot.of('tried') if one['name'] == name]}"


@pytest.mark.lab
def test_what_a_fresh_debian_is_told(boot: debian.Boot) -> None:
    """One line, and no false alarm: sysrq-oom.

    Debian's kernel starts with kernel.sysrq = 438 (0x1b6), which lacks bit 64: signalling of processes, so also
    Alt+SysRq+F. That is true of this machine, it costs something on the day the machine hangs, and one command mends
    it; since it endangers nobody it is only information, and leaves Nagios at 0.

    What is not told, and rightly not: sshd's listener and systemd-udevd have -1000, which they give themselves or
    their unit declares, and are in no cgroup with a limit; dbus has -900 and systemd-journald -250 from their units;
    the postmaster has -900 from pg_ctlcluster, and its backends 0. The machine has no swap, but nothing that watches
    it. No kill has been seen, for none has happened.
    """
    (fresh,) = boot.of("fresh")
    (finding,) = fresh["findings"]
    assert (finding["id"], finding["severity"], finding["remedy"]) == ("sysrq-oom", "info", "sysctl kernel.sysrq=502")
    assert finding["message"].startswith("kernel.sysrq is 438")
    assert fresh["protected"] == {
        "sshd": -1000,
        "systemd-udevd": -1000,
        "dbus-daemon": -900,
        "systemd-journal": -250,
        "postgres": -900,
    }


@pytest.mark.lab
def test_every_check_of_the_guest_is_a_test(boot: debian.Boot) -> None:
    assert boot.of("finished"), boot.console_tail()
    assert tuple(check["name"] for check in boot.of("check")) == CHECKS


def test_no_check_of_the_catalogue_is_left_out() -> None:
    tried = {name.partition(" ")[0] for name in situations.SITUATIONS}
    assert sorted(tried | _OF_THEIR_OWN | _ELSEWHERE) == sorted(IDS)
