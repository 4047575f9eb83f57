"""PostgreSQL, Redis, a JVM, a browser's tree: whom oomctl names dies. Only with --all-kernels."""

from __future__ import annotations

import pytest

from tests.vm import conftest, programs, qemu
from tests.vm.agreement import misses
from tests.vm.kernels import NotHere

pytestmark = pytest.mark.vm

KINDS = (
    "programs, postgres",
    "programs, browser",
    "programs, postgres, swap",
)
_ROUNDS = 3
_KILL_SECONDS = 120


@pytest.fixture(scope="module")
def guest_of_programs(pytestconfig: pytest.Config) -> qemu.Boot:
    seed = int(pytestconfig.getoption("--seed"))
    try:
        return programs.boot(len(KINDS) * _ROUNDS * _KILL_SECONDS, rounds=_ROUNDS, seed=seed)
    except NotHere as reason:
        pytest.fail(f"no guest with programs: {reason}", pytrace=False)


@pytest.mark.parametrize("kind", KINDS)
def test_whom_oomctl_names_dies(guest_of_programs: qemu.Boot, pytestconfig: pytest.Config, kind: str) -> None:
    kills = conftest.kills_of(pytestconfig, guest_of_programs, kind)
    wrong = misses(kills)
    assert not wrong, wrong
    assert kills, f"no kill of the kind {kind!r} was tried"
