"""The lines above a live ranking."""

from __future__ import annotations

from oomctl.model import Look, Pressure
from oomctl.render import heading
from oomctl.render.ranking import Machine
from tests.tasks import round_of, scenario, task

LOOK = Look(scenario(), {})
MACHINE = Machine("7.1", 4096, 1000, "machine", 4 << 30, 1 << 30, 0, 0, candidates=3, unkillable=2)


def test_memory_and_swap() -> None:
    assert heading.memory(MACHINE) == "1.00GiB left of 4.00GiB, no swap"
    swapping = MACHINE._replace(swap_total=2 << 30, swap_left=1 << 20)
    assert heading.memory(swapping) == "1.00GiB left of 4.00GiB, swap 1.0MiB left of 2.00GiB"


def test_pressure_where_the_kernel_tells_it() -> None:
    assert heading.pressure(LOOK, MACHINE) == "3 killable, 2 not"
    told = heading.pressure(LOOK._replace(pressure=Pressure(12.5, 3.0)), MACHINE._replace(hidden=4))
    assert told == "some 12.5 %, full 3.0 % of 10 s waited for memory; 3 killable, 2 not, 4 hidden from you"


def test_the_next_victim_with_its_lead_and_what_its_kill_frees() -> None:
    result = round_of(task(10, rss=512, anon=256, comm="java"), task(11, rss=256))
    assert heading.next_victim(LOOK, result) == "10 (java), certain, leads by 1.0MiB; its kill frees 1.0MiB"


def test_who_dies_along_is_counted() -> None:
    result = round_of(task(10, rss=512, anon=256, comm="java", mm="m"), task(11, rss=512, anon=256, mm="m"))
    assert heading.next_victim(LOOK, result).endswith("; its kill takes 1 other along and frees 1.0MiB")


def test_contenders_are_named() -> None:
    result = round_of(*(task(pid, rss=512, comm="a\x1b") for pid in (10, 11, 12, 13)), cpus=2)
    assert heading.certainty(LOOK, result) == r"close: or 12 (a\x1b), 11 (a\x1b), …"


def test_who_was_not_read_this_time_makes_it_close() -> None:
    result = round_of(task(10, rss=512), task(11, rss=256))
    assert heading.certainty(LOOK._replace(unread_near=7), result) == "close: 7 more may be first"


def test_without_a_kill_the_reason_stands_there() -> None:
    result = round_of(task(10, rss=512), panic_on_oom=2)
    assert heading.next_victim(LOOK, result) == "vm.panic_on_oom is 2: the kernel panics instead of killing"
    assert heading.victim_name(result) == "nobody"
    assert heading.victim_name(round_of(task(10, rss=512, comm="a"))) == "10 (a)"
