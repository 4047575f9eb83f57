"""What was short although memory was free, in real reports; and nothing is said that a report does not hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from oomctl.model.shortage import Shortage, Verdict
from oomctl.oomlog.parser import parse
from oomctl.oomlog.short import shortage_of
from tests.oomlog.real_logs import INDEX, LOGS, PASTED, reports_in

PAGE, KIB = 4096, 1 << 10


def short_in(path: Path, number: int = 0) -> Shortage | None:
    report = reports_in(path)[number]
    return shortage_of(report, report.page_size or PAGE)


def found_in(path: Path, number: int = 0) -> Shortage:
    found = short_in(path, number)
    assert found is not None
    return found


def verdicts(found: Shortage) -> dict[tuple[int, str], Verdict]:
    return {(zone.node, zone.name): zone.verdict for zone in found.zones}


def test_an_order_of_3_needs_32_kib_in_one_piece_and_on_32_bit_low_memory() -> None:
    found = found_in(PASTED / "35-squid-32bit-order3.log")
    assert (found.order, found.needed_bytes, found.lowmem_only) == (3, 32 * KIB, True)
    # 2332 KiB free; 36 KiB and 573 pages of lowmem_reserve are kept, and 28 KiB more than a page are asked for
    (dma,) = found.zones
    assert not found.all_zones, "the others were cut out"
    assert (dma.verdict, dma.free_bytes, dma.kept_bytes) == (Verdict.TOO_LITTLE, 2332 * KIB, 573 * PAGE)


def test_addresses_of_8_digits_tell_32_bit() -> None:
    assert found_in(PASTED / "36-oomkilladj-2.6.23-wrapped.log").lowmem_only


def test_a_cpuset_of_one_node_is_full_while_the_log_does_not_tell_of_others() -> None:
    found = found_in(PASTED / "23-openstack-numa-shortened.log")
    assert (found.nodes, found.cpuset, found.by_policy) == (frozenset({0}), "emulator", False)
    assert (found.zones, found.elsewhere_bytes) == ((), None)


def test_a_memory_policy_of_one_node_is_told_from_its_cpuset() -> None:
    found = found_in(PASTED / "23-openstack-numa-shortened.log", 1)
    assert (found.nodes, found.cpuset, found.by_policy) == (frozenset({0}), None, True)


def test_what_is_free_on_other_nodes_is_the_whole_less_what_the_report_shows() -> None:
    found = found_in(LOGS / "4.17-mempolicy-one-node-1.log")
    assert found.elsewhere_bytes == 17595812 * PAGE - (15800 + 308640 + 43844) * KIB
    assert verdicts(found) == dict.fromkeys([(0, "DMA"), (0, "DMA32"), (0, "Normal")], Verdict.TOO_LITTLE)


def test_a_node_of_movable_memory_has_nothing_for_what_cannot_be_moved() -> None:
    """124 GiB were free on node 4, all in its zone Movable; GFP_HIGHUSER is not for it."""
    found = found_in(LOGS / "5.8-opensuse-cpuset-without-table.log")
    assert verdicts(found) == {(4, "Movable"): Verdict.FORBIDDEN}


def test_the_limit_of_a_cgroup_is_not_the_machines_memory() -> None:
    found = found_in(LOGS / "3.7-memcg-with-mem-info.log")
    assert (found.of_cgroup, found.machine_free_bytes, found.zones) == (True, 729657 * PAGE, ())


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("6.18-memcg", "memory"),
        ("4.x-memcg-without-table", "memory+swap"),
        ("3.6-memcg-swap-decides", "memory+swap"),
        ("3.7-memcg-hierarchy", None),  # both are hit
        ("6.8-memcg-order-3", None),  # 28 KiB are left, less than was asked for
    ],
)
def test_which_limit_of_a_cgroup_was_hit(name: str, limit: str | None) -> None:
    assert found_in(LOGS / f"{name}.log").limit == limit


def test_high_memory_and_cma_are_nothing_to_the_kernels_own_request() -> None:
    found = found_in(LOGS / "5.7-machine-32-bit-polkitd-1.log")
    assert found.lowmem_only
    assert verdicts(found) == {(0, "DMA"): Verdict.BELOW_HIGH, (0, "HighMem"): Verdict.FORBIDDEN}
    # 187396 KiB free, of which 163840 are CMA: 23556 is between the minimum 22528 and high 33792
    assert found.zones[0].cma_bytes == 163840 * KIB


def test_what_a_zone_keeps_for_others_is_not_to_be_had() -> None:
    """DMA32: 60016 KiB free, 8276 minimum and 12959 pages kept; that is 96 KiB too little."""
    found = found_in(LOGS / "6.15-machine-swap-level-numbers.log")
    assert found.all_zones
    assert set(verdicts(found).values()) == {Verdict.TOO_LITTLE}
    assert [zone.kept_bytes // PAGE for zone in found.zones] == [14782, 12959, 0]


def test_what_was_asked_for_by_hand_was_not_short() -> None:
    assert short_in(PASTED / "25-unraid-sysrq-obsidian.log") is None
    assert short_in(LOGS / "5.4-ubuntu-machine-sysrq-f.log") is None


def test_a_page_fault_without_a_mask_tells_of_no_zone() -> None:
    assert short_in(LOGS / "5.4-opensuse-machine-page-tables-in-bytes.log") is None


ZONE = "Node 0 Normal free:{}kB min:1000kB low:1250kB high:1500kB present:99999kB managed:99999kB free_cma:{}kB"
RESERVE = "lowmem_reserve[]: 0 0 0 0 0"
BLOCKS = "Node 0 Normal: {}*4kB ({}) {}*8kB ({}) 0*16kB 0*32kB = 1kB"


def zone_of(free: int, *, order: int = 0, cma: int = 0, blocks: str = "", mask: str = "0xcc0(GFP_KERNEL)") -> Shortage:
    lines = [
        f"x invoked oom-killer: gfp_mask={mask}, order={order}, oom_score_adj=0",
        "Mem-Info:",
        *(ZONE.format(free, cma), RESERVE, blocks),
        "Out of memory: Killed process 7 (x) total-vm:8kB, anon-rss:8kB",
    ]
    (report,) = parse(lines)
    found = shortage_of(report, PAGE)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("free", "verdict"),
    [(1000, Verdict.TOO_LITTLE), (1001, Verdict.BELOW_HIGH), (1500, Verdict.BELOW_HIGH), (1501, Verdict.ENOUGH)],
)
def test_free_is_held_against_the_minimum_and_the_mark_of_the_last_try(free: int, verdict: Verdict) -> None:
    assert zone_of(free).zones[0].verdict is verdict


def test_cma_counts_for_movable_pages_only() -> None:
    assert zone_of(5000, cma=4500).zones[0].verdict is Verdict.TOO_LITTLE
    assert zone_of(5000, cma=4500, mask="0x100cca(GFP_HIGHUSER_MOVABLE)").zones[0].verdict is Verdict.ENOUGH


@pytest.mark.parametrize(
    ("blocks", "largest"),
    [
        ((1250, "UME", 0, "U"), 4),
        ((1000, "UME", 125, "UC"), 8),
        ((1000, "UME", 125, "C"), 4),
        ((1000, "UME", 125, "H"), 4),
    ],
)
def test_pieces_that_the_request_cannot_have_do_not_count(blocks: tuple[int, str, int, str], largest: int) -> None:
    found = zone_of(5000, order=1, blocks=BLOCKS.format(*blocks))
    assert found.zones[0].largest_bytes == largest * KIB
    assert found.zones[0].verdict is (Verdict.ENOUGH if largest == 8 else Verdict.IN_PIECES)


def test_of_every_real_report_only_what_it_holds_is_said() -> None:
    paths = [LOGS / f"{name}.log" for name in INDEX] + sorted(PASTED.glob("*"))
    judged = 0
    for path in paths:
        text = path.read_text(errors="replace")
        for report in reports_in(path):
            found = shortage_of(report, report.page_size or PAGE)
            if found is None:
                continue
            judged += len(found.zones)
            for zone in found.zones:
                assert f"{zone.name} free:{zone.free_bytes >> 10}kB" in text, path.name
            assert found.cpuset is None or f"cpuset={found.cpuset}" in text, path.name
            assert found.order is None or f"order={found.order}" in text, path.name
            assert not found.lowmem_only or "HighMem free" in text or path.name[:3] in ("35-", "36-"), path.name
    assert judged > 150
