"""With Debian's systemd, sshd and PostgreSQL: protection and a policy that last, and kills that heed them."""

from __future__ import annotations

import pytest

from tests.vm import debian

pytestmark = pytest.mark.vm

CHECKS = (
    "ssh_listener_protects_itself",
    "protect_sshd_leaves_a_new_login_at_0",
    "an_impostor_s_sshd_is_not_protected",
    "persist_of_ssh_is_refused",
    "a_unit_s_main_process_is_systemd_s",
    "what_persists_is_there_after_a_restart",
    "reset_persist_takes_it_back",
    "an_alias_is_its_unit",
    "postgres_keeps_its_backends_killable",
    "a_drift_is_explained",
    "a_user_s_own_service",
    "a_unit_with_a_bounded_capability_set_is_named",
    "a_machine_wide_oom_kills_something_else",
    "systemd_starts_the_shipped_unit",
    "a_restarted_service_gets_its_value",
    "so_does_what_another_user_starts",
    "a_broken_file_keeps_the_old_rules",
    "a_repaired_file_is_followed",
    "a_machine_wide_oom_follows_the_policy",
    "what_a_process_gave_itself_it_cannot_take_back",
    "stopping_it_ends_it_cleanly",
    "systemd_writes_the_metrics",
)


@pytest.fixture(scope="module")
def boot() -> debian.Boot:
    return debian.booted_or_skipped("services")


@pytest.mark.parametrize("name", CHECKS)
def test_protection(boot: debian.Boot, name: str) -> None:
    found = [check for check in boot.of("check") if check["name"] == name]
    assert found, f"the guest did not come so far: {boot.of('error')}\n{boot.console_tail()}"
    assert found[0]["passed"], f"{found[0]['detail']}\n{boot.of('killed')}"


def test_every_check_of_the_guest_is_a_test(boot: debian.Boot) -> None:
    assert boot.of("finished"), boot.console_tail()
    assert tuple(check["name"] for check in boot.of("check")) == CHECKS
