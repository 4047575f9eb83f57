"""PostgreSQL, Redis, a JVM, a browser's tree, zswap: whom oomctl names dies. Only with --all-kernels."""

from __future__ import annotations

import pytest

from tests.vm import conftest, programs, qemu
from tests.vm.agreement import misses
from tests.vm.kernels import NotHere

pytestmark = pytest.mark.vm

KINDS = (
    "programs, postgres",
    "programs, redis",
    "programs, jvm",
    "programs, browser",
    "programs, postgres, swap",
    "programs, redis, swap",
    "programs, jvm, swap",
    "programs, browser, swap",
    "programs, postgres, zswap",
    "programs, redis, zswap",
)
_ROUNDS = 3
_KILL_SECONDS = 120


@pytest.fixture(scope="module")
def guest_of_programs(pytestconfig: pytest.Config) -> qemu.Boot:
    seed = int(pytestconfig.getoption("--seed"))
    try:
        found = programs.boot(len(KINDS) * _ROUNDS * _KILL_SECONDS, rounds=_ROUNDS, seed=seed)
    except NotHere as reason:
        pytest.fail(f"no guest with programs: {reason}", pytrace=False)
    conftest.remember(pytestconfig, found)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_whom_oomctl_names_dies(guest_of_programs: qemu.Boot, pytestconfig: pytest.Config, kind: str) -> None:
    kills = conftest.kills_of(pytestconfig, guest_of_programs, kind)
    wrong = misses(kills)
    assert not wrong, wrong
    assert len(kills) == _ROUNDS, f"{len(kills)} kills of the kind {kind!r}, not {_ROUNDS}"


@pytest.mark.parametrize("kind", KINDS)
def test_pages_go_to_zswap_where_it_is_on_and_only_there(guest_of_programs: qemu.Boot, kind: str) -> None:
    found = [event["pages"] for event in guest_of_programs.of("zswapped") if event["kind"] == kind]
    assert found
    assert all((pages > 0) == kind.endswith("zswap") for pages in found), found
