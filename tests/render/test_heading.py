"""The lines above a live ranking."""

from __future__ import annotations

from oomctl.kernel.invocation import out_of_memory
from oomctl.model.kernel import Constraint, Doubt, Doubtful
from oomctl.model.listing import Machine
from oomctl.model.look import Look, Pressure
from oomctl.model.oomreport import Kill, OomReport
from oomctl.render import heading
from oomctl.render.history import brief
from tests.tasks import round_of, scenario, task

LOOK = Look(scenario(), {})
MACHINE = Machine("7.1", 4096, 1000, "machine", 4 << 30, 1 << 30, 0, 0)


def test_memory_and_swap() -> None:
    assert heading.memory(MACHINE) == "1.00GiB left of 4.00GiB, no swap"
    swapping = MACHINE._replace(swap_total=2 << 30, swap_left=1 << 20)
    assert heading.memory(swapping) == "1.00GiB left of 4.00GiB, swap 1.0MiB left of 2.00GiB"


def test_pressure_where_the_kernel_tells_it() -> None:
    result = round_of(task(10, rss=512), task(11, adj=-1000))
    assert heading.pressure(LOOK, result) == "1 killable, 1 not"
    told = Look(scenario()._replace(hidden=4), {}, Pressure(12.5, 3.0))
    line = "some 12.5 %, full 3.0 % of 10 s waited for memory; 1 killable, 1 not, 4 hidden from you"
    assert heading.pressure(told, result) == line


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


def test_a_kill_in_few_words() -> None:
    victim = Kill(812, "ja\x1bva", oom_score_adj=7, anon_rss_bytes=3 << 20, file_rss_bytes=0)
    report = OomReport(1, uptime_s=60.0, constraint=Constraint.MEMCG, oom_memcg="/a", victim=victim, killed=(victim,))
    assert brief(report, 0.0, 4096).partition(" ")[2] == r"killed 812 (ja\x1bva), 3.0MiB, adj 7: cgroup /a"
    group = report._replace(killed=(victim, Kill(813, "b")))
    assert " (ja\\x1bva) and 1 other, 3.0MiB" in brief(group, 0.0, 4096)
    nobody = report._replace(victim=None, killed=())
    assert brief(nobody, 0.0, 4096).endswith("the log does not say who was killed: cgroup /a")
    assert brief(nobody._replace(no_killable=True), 0.0, 4096).endswith("nobody could be killed: cgroup /a")
    assert brief(report._replace(victim=None, panic="x"), 0.0, 4096).endswith("the kernel panicked: cgroup /a")
    assert brief(OomReport(1), 0.0, 4096) == "? the log does not say who was killed: ?"


def test_a_doubt_takes_the_place_of_certain_and_is_made_harmless() -> None:
    doubted = scenario(task(10, rss=512))._replace(doubts=(Doubt(Doubtful.GUESSED_RULES, detail="3.10\x1b"),))
    told = heading.certainty(LOOK, out_of_memory(doubted))
    assert told.startswith(r"not certain: nobody has verified the rules of kernel 3.10\x1b; ")
