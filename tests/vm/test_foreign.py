"""Pages of 16 and 64 KiB, words of 32 bits, memory beyond the kernel's reach: only with --architectures."""

from __future__ import annotations

import pytest

from tests.vm import conftest, foreign
from tests.vm.agreement import misses
from tests.vm.conftest import ForeignGuests
from tests.vm.foreign import Architecture
from tests.vm.kernels import NotHere

pytestmark = pytest.mark.vm

KINDS = (
    "sysrq, mixed",
    "sysrq, ties",
    "sysrq, close",
    "sysrq, threads",
    "sysrq, page tables",
    "memcg, lowered",
)


@pytest.mark.parametrize("kind", KINDS)
def test_whom_oomctl_names_dies(foreign_guests: ForeignGuests, architecture: Architecture, kind: str) -> None:
    kills = foreign_guests.kills(architecture, kind)
    wrong = misses(kills)
    assert not wrong, wrong
    assert kills, f"no kill of the kind {kind!r} was tried"


def test_every_oom_score_is_computed_as_the_kernel_does(
    foreign_guests: ForeignGuests, architecture: Architecture
) -> None:
    compared = foreign_guests.run(architecture).of("scores")
    assert [check["kind"] for check in compared] == list(KINDS[:-1])
    assert all(check["compared"] > 10 for check in compared)
    assert [line for check in compared for line in check["different"]] == []


def test_the_killers_table_has_the_pages_that_were_read(
    foreign_guests: ForeignGuests, architecture: Architecture
) -> None:
    """At rest, to the page: resident pages by the file that is exact there, page tables, swap."""
    exact = "status_rss" if architecture.suite == "sid" else "stat_rss"
    kills = [kill for kill in foreign_guests.run(architecture).of("kill") if kill["errors"]]
    assert kills
    for kill in kills:
        assert [kill["errors"][name] for name in (exact, "pgtables", "swap")] == [[0, 0]] * 3


def test_the_machine_is_what_it_was_meant_to_be(foreign_guests: ForeignGuests, architecture: Architecture) -> None:
    """Its totalpages include what is beyond the kernel's reach, and swap."""
    (machine,) = foreign_guests.run(architecture).of("machine")
    assert machine["page_size"] == architecture.page_size
    assert machine["said"] == machine["totalpages"]
    assert (machine["high_kb"] > 0) == architecture.high_memory
    assert machine["doubts"] == []


def test_every_kind_has_its_share_of_kills() -> None:
    assert len(KINDS) == conftest.FOREIGN_KINDS


def test_an_emulator_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NotHere, match=r"no qemu-system-aarch64 \(Debian's package qemu-system-arm\)"):
        foreign.boot(foreign.ARCHITECTURES[0], 1)


def test_an_unknown_architecture_is_refused() -> None:
    with pytest.raises(pytest.UsageError, match="expected some of arm64-16k, ppc64el-64k, i386-pae, or all"):
        foreign.chosen("vax")
