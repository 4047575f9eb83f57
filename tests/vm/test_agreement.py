"""On real kernels: whom oomctl names dies, when it is certain, and is among the contenders when it is not."""

from __future__ import annotations

import pytest

from tests.vm.agreement import misses
from tests.vm.conftest import Guests, finished, told
from tests.vm.kernels import Release

pytestmark = pytest.mark.vm

MACHINE = (
    "sysrq, mixed",
    "sysrq, ties",
    "sysrq, close",
    "sysrq, threads",
    "sysrq, page tables",
    "sysrq, swapped",
    "sysrq, swapped in again",
    "exhausted, swap",
    "exhausted, zram",
    "exhausted",
    "exhausted, leak",
    "allocating task",
)
MEMCG = (
    "memcg, lowered",
    "memcg, grown",
    "memcg, swap limit",
    "memcg, nested",
    "memcg, group",
    "memcg, group above",
    "sysrq, group",
    "memcg, ties",
)
LIFE = (
    "life, files",
    "life, files, swap",
    "life, library",
    "life, locked files",
    "life, shared memory",
    "life, shared memory, swap",
    "life, tmpfs, swap",
    "life, lazily freed",
    "life, lazily freed, swap",
    "life, merged",
    "life, merged, swap",
    "life, huge pages",
    "life, huge pages, swap",
    "life, huge pages, unused",
    "life, hugetlb beside",
    "life, fork storm",
    "life, busy threads",
    "life, page cache",
    "life, one grows",
    "limit, files",
    "limit, files, swap",
    "limit, files, lowered",
    "limit, shared memory, swap",
    "limit, tmpfs, swap",
    "limit, lazily freed",
    "limit, lazily freed, lowered",
)
CONTAINER = (
    "container",
    "container, limit",
    "container, user",
    "container, user, limit",
    "container, meminfo",
    "container, meminfo, limit",
    "container, host's proc",
    "container, mounted",
    "container, mounted, limit",
    "container, hidepid",
)
NUMA = ("numa, cpuset", "numa, policy")


@pytest.mark.parametrize("kind", MACHINE)
def test_machine_wide(guests: Guests, release: Release, kind: str) -> None:
    _agrees(guests, release, "machine", kind)


@pytest.mark.parametrize("kind", MEMCG)
def test_memory_cgroup(guests: Guests, release: Release, kind: str) -> None:
    _agrees(guests, release, "memcg", kind)


@pytest.mark.parametrize("kind", LIFE)
def test_life(guests: Guests, release: Release, kind: str) -> None:
    _agrees(guests, release, "life", kind)


@pytest.mark.parametrize("kind", CONTAINER)
def test_seen_from_a_container(guests: Guests, release: Release, kind: str) -> None:
    _agrees(guests, release, "container", kind)


def test_cgroup_v1(guests: Guests, v1_release: Release, v1_kind: str) -> None:
    _agrees(guests, v1_release, "v1", v1_kind)


@pytest.mark.parametrize("kind", NUMA)
def test_two_nodes(guests: Guests, release: Release, kind: str) -> None:
    _agrees(guests, release, "numa", kind, nodes=2)


@pytest.mark.parametrize(("mode", "survives"), [(1, ["cgroup"]), (2, [])], ids=["panic_on_oom=1", "panic_on_oom=2"])
def test_panic_on_oom(guests: Guests, release: Release, mode: int, survives: list[str]) -> None:
    boot = guests.run(release, "panic", mode=mode)
    predicted = boot.of("predicted")[0]
    assert predicted["machine"] == "panic"
    assert predicted["cgroup"] == ("kill" if "cgroup" in survives else "panic")
    assert [event["what"] for event in boot.of("survived")] == survives, told(boot)
    assert "panic_on_oom is enabled" in boot.console, told(boot)


SETTINGS = (
    "protected_is_spared",
    "protected_by_name",
    "lowered_is_spared",
    "raised_is_taken",
    "dry_run_writes_nothing",
    "floor_without_the_capability",
    "floor_with_the_capability",
    "user_namespace",
    "read_only_proc",
    "plain_user",
    "hidepid",
)


@pytest.mark.parametrize("name", SETTINGS)
def test_setting(guests: Guests, release: Release, name: str) -> None:
    boot = guests.run(release, "settings")
    finished(boot)
    (check,) = (check for check in boot.of("check") if check["name"] == name)
    assert check["passed"], f"{check['detail']}\n{told(boot)}"
    wrong = misses(boot.of("kill"))
    assert not wrong, wrong


def test_the_installed_command_answers_as_the_warm_one(guests: Guests, release: Release) -> None:
    (check,) = guests.run(release, "machine").of("check")
    assert check["passed"], check["detail"]


def _agrees(guests: Guests, release: Release, script: str, kind: str, nodes: int = 1) -> None:
    kills = guests.kills(release, script, kind, nodes)
    wrong = misses(kills)
    if wrong:
        pytest.fail(f"{wrong}\n{told(guests.run(release, script, nodes))}", pytrace=False)
    assert kills, f"no kill of the kind {kind!r} was tried"


def test_a_hung_guest_ends_by_itself(guests: Guests, release: Release) -> None:
    boot = guests.run(release, "hang", deadline=1)
    assert [event["text"] for event in boot.of("error")] == ["hang: the guest's watchdog ended it"], told(boot)
    assert "ended by the host" not in boot.console_tail(), told(boot)
