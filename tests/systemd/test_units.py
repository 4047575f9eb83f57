"""Names of units that may become part of a path, units that may get a value, and the file that sets it."""

from __future__ import annotations

import pytest

from oomctl.errors import BadInput, ImpossibleHere, OomctlError, Refused
from oomctl.systemd.units import check_name, check_persistable, drop_in_text, setting_in


@pytest.mark.parametrize(
    "name",
    [
        "nginx.service",
        "postgresql@15-main.service",
        "dbus-org.freedesktop.login1.service",
        r"dev-disk-by\x2dlabel-data.swap",
        r"systemd-fsck@dev-disk-by\x2duuid-1\x2d2.service",
        "user@1000.service",
        "a:b_c.socket",
        "-.mount",
    ],
)
def test_a_name_of_a_unit(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "nginx",
        "../../etc/cron.d/x.service",
        "a/b.service",
        "a b.service",
        "a\n.service",
        "nginx.service\n",
        ".service",
        "..service",
        "nginx.timer",
        "ä.service",
        "*.service",
        "$(x).service",
        "a" * 250 + ".service",
    ],
)
def test_what_can_be_no_unit_never_becomes_a_path(name: str) -> None:
    with pytest.raises(BadInput, match="is not the name of a unit"):
        check_name(name)


@pytest.mark.parametrize(
    "unit", ["nginx.service", "getty@tty1.service", "a.socket", "sshguard.service", "postgresql.service"]
)
def test_units_that_may_have_a_value(unit: str) -> None:
    check_persistable(unit, -500)


@pytest.mark.parametrize(
    ("unit", "error", "reason"),
    [
        ("ssh.service", Refused, "sshd protects its own listener"),
        ("sshd.service", Refused, "inherited by every login"),
        ("ssh@0-10.0.0.1:22-10.0.0.2:5000.service", Refused, "sshd protects"),
        ("sshd@7.service", Refused, "sshd protects"),
        ("ssh.socket", Refused, "sshd protects"),
        ("postgresql@15-main.service", Refused, "sets the postmaster to -900 every time"),
        ("session-2.scope", ImpossibleHere, "oomctl run -n -500 -- COMMAND"),
        ("user.slice", ImpossibleHere, "systemd-run -p OOMScoreAdjust=-500"),
        ("postgresql@.service", BadInput, "name its instances, such as postgresql@1.service"),
    ],
)
def test_units_that_must_not(unit: str, error: type[OomctlError], reason: str) -> None:
    with pytest.raises(error) as caught:
        check_persistable(unit, -500)
    assert reason in str(caught.value)


@pytest.mark.parametrize("unit", ["ssh.service", "postgresql@15-main.service"])
def test_what_was_given_can_always_be_taken_back(unit: str) -> None:
    check_persistable(unit, None)


def test_the_file_says_who_wrote_it_and_how_to_be_rid_of_it() -> None:
    assert drop_in_text("nginx.service", -500) == (
        "# Written by oomctl; oomctl reset --persist nginx.service removes it.\n[Service]\nOOMScoreAdjust=-500\n"
    )
    assert "[Swap]\n" in drop_in_text("a.swap", 0)
    assert setting_in(drop_in_text("nginx.service", -500)) == -500


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("[Service]\nOOMScoreAdjust=-900\n", -900),
        ("OOMScoreAdjust = 5\nOOMScoreAdjust=7\n", 7),
        ("#OOMScoreAdjust=5\n", None),
        ("OOMScoreAdjust=\n", None),
        ("OOMScoreAdjust=99999\n", None),
        ("OOMScoreAdjust=1001\n", None),
        ("XOOMScoreAdjust=1\n", None),
    ],
)
def test_the_last_setting_counts(text: str, value: int | None) -> None:
    assert setting_in(text) == value
