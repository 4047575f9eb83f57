"""Kernels known by their releases: what they took from later versions, and what nobody has verified."""

from __future__ import annotations

import pytest

from oomctl.kernel.distributions import LABELS, Unsure
from oomctl.kernel.rules import Counters, Pgtables, Walk, known, rules_for
from oomctl.kernel.scenario_rules import guessed_rules, rules_of, rules_of_reading
from oomctl.model.kernel import Doubt, Doubtful, Probed
from tests.tasks import scenario, task


@pytest.mark.parametrize(
    ("release", "signed"),
    [
        ("5.4.0-26-generic", False),
        ("5.4.0-89-generic", False),
        ("5.4.0-90-generic", True),
        ("5.4.0-208-lowlatency", True),
        ("5.4.200-0504200-generic", True),
        ("5.4.17-2011.7.4.el8uek.x86_64", False),
        ("5.4.17-2136.302.7.2.1.el8uek.aarch64", True),
        ("5.4.276-1.el7.elrepo.x86_64", True),
        ("5.4.228-131.415.amzn2.x86_64", True),
        ("4.18.0-553.16.1.el8_10.x86_64", False),
        ("5.14.0-70.13.1.el9_0.x86_64", True),
    ],
)
def test_negative_badness_keeps_its_order_since_the_build_that_took_it(release: str, signed: bool) -> None:
    assert rules_for(release).signed is signed


@pytest.mark.parametrize(
    ("release", "counters"),
    [
        ("5.15.0-101-generic", Counters.PER_THREAD),
        ("6.1.0-30-amd64", Counters.PER_THREAD),
        ("6.1.112+", Counters.PER_THREAD),
        ("6.1.134-150.224.amzn2023.x86_64", Counters.PER_THREAD),
        ("6.1.20-1.el8.elrepo.x86_64", Counters.PER_THREAD),
        ("5.15.0-100.96.32.el9uek.x86_64", Counters.PER_THREAD),
        ("6.2.1", Counters.PER_CPU),
        ("6.6.57.1-2.azl3", Counters.PER_CPU),
        ("5.14.0-427.13.1.el9_4.x86_64", Counters.PER_CPU_EXACT_STATUS),
        ("6.12.0-55.9.1.el10_0.x86_64", Counters.PER_CPU_EXACT_STATUS),
        ("6.8.0-50-generic", Counters.PER_CPU_EXACT_STATUS),
        ("6.8.0-1021-aws", Counters.PER_CPU_EXACT_STATUS),
        ("6.8.12-9-pve", Counters.PER_CPU_EXACT_STATUS),
        ("6.4.0-150600.23.33-default", Counters.PER_CPU_EXACT_STATUS),
        ("6.6.0-28.0.0.34.oe2403.x86_64", Counters.PER_CPU_EXACT_STATUS),
        ("6.12.38+deb13-amd64", Counters.PER_CPU_EXACT_STATUS),
        ("7.0.0-10-generic", Counters.EXACT),
    ],
)
def test_where_status_may_sum_exactly_the_bounds_that_hold_for_both_are_taken(release: str, counters: Counters) -> None:
    assert rules_for(release).counters is counters


@pytest.mark.parametrize(
    "release",
    [
        *LABELS,
        "6.1.20",
        "4.19.0-rc1+",
        "7.2.0-rc3",
        "6.18.44-fc-v657",
        "5.10.0-46-cloud-amd64",
        "6.12.117+deb12-cloud-amd64",
        "7.2.13+deb14-arm64-16k",
        "6.10.3-arch1-1",
        "6.14.0-63.fc42.x86_64",
        "6.6.31+rpt-rpi-v8",
        "5.15.167.4-microsoft-standard-WSL2",
        "3.10.0-1160.90.1.el7.x86_64",
        "4.18.0-305.el8.x86_64",
        "5.4.0-150-generic",
        "5.4.0-1126-aws",
        "6.5.0-1014-oem",
    ],
)
def test_who_was_read_and_what_bears_its_own_number_is_not_guessed(release: str) -> None:
    assert not known(release).guessed


@pytest.mark.parametrize(
    ("release", "unsure"),
    [
        ("3.10.0-1160.90.1.vz7.200.7", Unsure.CHOICE),
        ("5.14.0-427.22.1.vz9.62.4", Unsure.CHOICE),
        ("4.18.0-513.18.1.lve.el8.x86_64", Unsure.CHOICE),
        ("5.10.134-16.3.al8.x86_64", Unsure.CHOICE),
        ("4.19.91-26.an8.x86_64", Unsure.CHOICE),
        ("5.4.119-19.0009.28.tl3.x86_64", Unsure.CHOICE),
        ("4.19.90-2112.8.0.0131.oe1.x86_64", Unsure.CHOICE),
        ("5.10.0-60.18.0.50.oe2203.x86_64", Unsure.CHOICE),
        ("6.6.0-oe", Unsure.CHOICE),
        ("5.10.198-android13-4-00050-g12f3388846c3", Unsure.CHOICE),
        ("4.4.0-19041-Microsoft", Unsure.CHOICE),
        ("4.14.35-2047.505.4.3.el7uek.x86_64", Unsure.CHOICE),
        ("4.18.0-193.28.1.el8_2.x86_64", Unsure.CHOICE),
        ("rhel8.2", Unsure.CHOICE),
        ("5.10.0-1.somebody.x86_64", Unsure.CHOICE),
        ("5.4.17-2136.302.7.2.1.el8uek.aarch64", Unsure.SIGN),
        ("5.4.0-1060-aws", Unsure.SIGN),
        ("5.3.18-150300.59.93-default", Unsure.SIGN),
    ],
)
def test_rules_that_nobody_has_verified_are_guessed(release: str, unsure: Unsure) -> None:
    assert known(release).unsure == {unsure}


@pytest.mark.parametrize("sign", [Probed.SIGNED, Probed.UNSIGNED])
def test_a_kernel_that_was_asked_for_its_sign_is_not_guessed(sign: Probed) -> None:
    verdict = known("5.4.17-2136.302.7.2.1.el8uek.aarch64", {sign})
    assert not verdict.guessed
    assert verdict.rules.signed is (sign is Probed.SIGNED)


def test_how_a_vendor_chooses_cannot_be_probed() -> None:
    assert known("3.10.0-1160.90.1.vz7.200.7", set(Probed)).guessed


@pytest.mark.parametrize(
    ("probed", "fact", "value"),
    [
        (Probed.EXACT_STATUS, "counters", Counters.PER_CPU_EXACT_STATUS),
        (Probed.PMD_TABLES, "pgtables", Pgtables.PTE_PMD),
        (Probed.UNSIGNED, "signed", False),
    ],
)
def test_what_was_probed_goes_before_the_name(probed: Probed, fact: str, value: object) -> None:
    assert getattr(rules_for("6.1.20", {probed}), fact) == value


def test_who_sums_exactly_in_status_by_name_and_kills_by_exact_sums_is_left_so() -> None:
    assert rules_for("7.1", {Probed.EXACT_STATUS}).counters is Counters.EXACT


def test_openeuler_takes_the_last_of_equals_on_4_19() -> None:
    rules = rules_for("4.19.90-2112.8.0.0131.oe1.x86_64")
    assert (rules.last_wins, rules.signed, rules.walk) == (True, False, Walk.PROCESSES)


def test_a_scenario_of_guessed_rules_has_a_doubt_that_names_the_kernel() -> None:
    machine = scenario(task(10))._replace(kernel="3.10.0-1160.90.1.vz7.200.7")
    assert guessed_rules(machine) == (Doubt(Doubtful.GUESSED_RULES, detail="3.10.0-1160.90.1.vz7.200.7"),)


def test_what_was_probed_is_of_the_kernel_that_the_numbers_were_read_on() -> None:
    machine = scenario(task(10))._replace(
        kernel="4.14", read_from="5.4.17-2136.302.7.2.1.el8uek.aarch64", probed=frozenset({Probed.SIGNED})
    )
    assert not rules_of(machine).signed
    assert rules_of_reading(machine).signed
    assert guessed_rules(machine) == ()
