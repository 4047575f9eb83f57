"""What was short, in words."""

from __future__ import annotations

from oomctl.model.shortage import Shortage, Verdict, ZoneShort
from oomctl.render.shortage import shortage_document, shortage_lines

MIB = 1 << 20


def zone(name: str, verdict: Verdict, node: int = 0, cma: int = 0, largest: int | None = None) -> ZoneShort:
    return ZoneShort(node, name, verdict, 64 * MIB, 2 * MIB, 8 * MIB, cma, largest)


def test_a_piece_is_told_with_the_largest_one_there_was() -> None:
    found = Shortage(order=3, needed_bytes=32 << 10, zones=(zone("Normal", Verdict.IN_PIECES, largest=16 << 10),))
    assert shortage_lines(found) == [
        "order 3 needs 32KiB in one piece; the largest free one had 16KiB",
        "ZONE       FREE  MINIMUM  + KEPT  LARGEST",
        "Normal  64.0MiB   2.0MiB  8.0MiB    16KiB  in pieces that are too small",
    ]


def test_a_cpuset_is_told_with_its_name_and_what_was_free_elsewhere() -> None:
    found = Shortage(nodes=frozenset({0}), cpuset="emu\x1blator", elsewhere_bytes=56 << 30)
    assert shortage_lines(found) == [
        "node 0 was full, and its cpuset emu\\x1blator allows no other; 56.00GiB were free elsewhere"
    ]
    nodes = Shortage(nodes=frozenset({1, 2}), by_policy=True, zones=(zone("Movable", Verdict.FORBIDDEN, node=1),))
    assert shortage_lines(nodes) == [
        "nodes 1,2 had nothing for it, and a memory policy allows no other",
        "ZONE               FREE  MINIMUM  + KEPT",
        "node 1 Movable  64.0MiB   2.0MiB  8.0MiB  not for such a request",
    ]


def test_a_cgroups_limit_is_told_from_the_machines_memory() -> None:
    assert shortage_lines(Shortage(of_cgroup=True, limit="memory+swap", machine_free_bytes=56 << 30)) == [
        "the cgroup's limit of memory and swap together was hit, not the machine's memory, which had 56.00GiB free"
    ]


def test_low_memory_is_told_with_what_is_out_of_reach() -> None:
    zones = (zone("HighMem", Verdict.FORBIDDEN), zone("Normal", Verdict.TOO_LITTLE, cma=48 * MIB))
    assert shortage_lines(Shortage(lowmem_only=True, zones=zones, all_zones=True))[:3] == [
        "32 bit: only low memory (zones DMA and Normal) can serve such a request; 64.0MiB were free in the others",
        "48.0MiB of the 64.0MiB free there are CMA, which only movable pages may use",
        "every zone that could serve it was down to its minimum and what it keeps for others",
    ]


def test_of_zones_that_are_not_in_the_log_nothing_is_said() -> None:
    lines = shortage_lines(Shortage(zones=(zone("DMA", Verdict.TOO_LITTLE),)))
    assert [line.split()[0] for line in lines] == ["ZONE", "DMA"]


def test_of_many_zones_those_with_the_most_free_are_shown() -> None:
    zones = tuple(zone("Normal", Verdict.TOO_LITTLE, node=number) for number in range(9))
    assert shortage_lines(Shortage(zones=zones))[-1] == "and 3 more"


def test_the_document_of_a_shortage_names_nodes_and_verdicts() -> None:
    found = Shortage(nodes=frozenset({1, 0}), zones=(zone("DMA", Verdict.ENOUGH),))
    document = shortage_document(found)
    assert document is not None
    assert (document["nodes"], document["zones"][0]["verdict"]) == ([0, 1], "enough")
    assert shortage_document(None) is None
