"""The lines above a live ranking."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from oomctl.kernel.invocation import out_of_memory
from oomctl.model.kernel import Constraint, Doubt, Doubtful, Round
from oomctl.model.listing import Machine
from oomctl.model.look import Look, Pressure
from oomctl.model.oomreport import Kill, OomReport
from oomctl.render import heading
from oomctl.render.gauges import Gauge, gauge_lines
from oomctl.render.history import brief
from oomctl.render.palette import TERMINAL
from tests.tasks import round_of, scenario, task

LOOK = Look(scenario(), {})
MACHINE = Machine("7.1", 4096, 1000, "machine", 4 << 30, 1 << 30, 0, 0)


def test_memory_and_swap() -> None:
    assert heading.memory(MACHINE) == "1.00GiB left of 4.00GiB, no swap"
    swapping = MACHINE._replace(swap_total=2 << 30, swap_left=1 << 20)
    assert heading.memory(swapping) == "1.00GiB left of 4.00GiB, swap 1.0MiB left of 2.00GiB"


@pytest.mark.parametrize(
    ("some", "full", "words"),
    [
        (0.0, 0.0, "nothing waits for memory; "),
        (0.3, 0.0, "under 1 % of the time somebody waits for memory; "),
        (12.4, 0.2, "12 % of the time somebody waits for memory; "),
        (80.0, 31.0, "80 % of the time somebody waits for memory, 31 % everybody; "),
    ],
)
def test_pressure_in_words(some: float, full: float, words: str) -> None:
    assert heading.fitting(heading.pressure(Look(scenario(), {}, Pressure(some, full))), 100) == words
    assert heading.pressure(LOOK) == []


def test_those_in_the_ranking_are_counted() -> None:
    result = round_of(task(10, rss=512), task(11, adj=-1000))
    assert heading.fitting(heading.counts(LOOK, result), 80) == "1 killable, 1 not"
    hidden = Look(scenario()._replace(hidden=4, unread_candidates=9), {})
    assert heading.fitting(heading.counts(hidden, result), 80) == "10 killable, 1 not, 4 hidden from you"


def test_no_swap_is_said_where_a_gauge_would_be_empty() -> None:
    result = round_of(task(10, rss=512))
    assert heading.heading_lines(MACHINE, LOOK, result, 80)[-1].plain == "1 killable, 0 not; no swap"
    assert "no swap" not in heading.heading_lines(SWAPPING, LOOK, result, 80)[-1].plain


def said(result: Round, look: Look = LOOK, width: int = 200) -> str:
    """The headline."""
    return heading.fitting(heading.next_victim(look, result), width)


def test_the_next_victim_with_its_lead_and_what_its_kill_frees() -> None:
    result = round_of(task(10, rss=512, anon=256, comm="java"), task(11, rss=256))
    assert said(result) == "next: 10 (java), certain, leads by 1.0MiB; its kill frees 1.0MiB"
    assert said(result._replace(settled=True)).startswith("next: 10 (java), certain, settled, leads by 1.0MiB")


def test_what_does_not_fit_gives_way_by_importance() -> None:
    result = round_of(task(10, rss=512, anon=256, comm="java"), task(11, rss=256))
    assert said(result, width=60) == "next: 10 (java), certain, leads by 1.0MiB"
    assert said(result, width=30) == "next: 10 (java), certain"


def test_who_dies_along_is_counted() -> None:
    result = round_of(task(10, rss=512, anon=256, comm="java", mm="m"), task(11, rss=512, anon=256, mm="m"))
    assert said(result).endswith("; its kill takes 1 other along and frees 1.0MiB")


def test_contenders_are_named_as_far_as_there_is_room() -> None:
    result = round_of(*(task(pid, rss=512, comm="a\x1b") for pid in (10, 11, 12, 13)), cpus=2)
    assert heading.certainty(LOOK, result) == [
        r"close: or 12 (a\x1b), 11 (a\x1b), 1 more",
        r"close: or 12 (a\x1b), 2 more",
        "close: 3 others may be first",
    ]


def test_a_single_rival_is_not_called_more() -> None:
    result = round_of(*(task(pid, rss=512, comm="a") for pid in (10, 11)), cpus=2)
    assert heading.certainty(LOOK, result)[0] == "close: or 10 (a)"


def test_who_was_not_read_this_time_makes_it_close() -> None:
    result = round_of(task(10, rss=512), task(11, rss=256))
    assert heading.certainty(LOOK._replace(unread_near=7), result) == ["close: 7 more may be first"]


def test_before_all_are_read_nothing_is_called_certain() -> None:
    result = round_of(task(10, rss=512), task(11, rss=256))
    assert "certain" not in said(result, Look(scenario()._replace(unread_candidates=5), {}))


def test_without_a_kill_the_reason_stands_there() -> None:
    result = round_of(task(10, rss=512), panic_on_oom=2)
    assert said(result) == "next: nobody: vm.panic_on_oom is 2: the kernel panics instead of killing"
    assert heading.victim_name(result) == "nobody"
    assert heading.victim_name(round_of(task(10, rss=512, comm="a"))) == "10 (a)"


SWAPPING = MACHINE._replace(swap_total=2 << 30, swap_left=1 << 20)
LIMITED = SWAPPING._replace(scope="cgroup /a", ram_total=8 << 30, ram_left=7 << 30)


@pytest.mark.parametrize("machine", [MACHINE, SWAPPING, LIMITED], ids=["memory", "swap", "limit"])
@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_nothing_is_cut_off(machine: Machine, width: int) -> None:
    rivals = round_of(*(task(4_194_304 - pid, rss=512, comm="Isolated Web Co") for pid in range(4)), cpus=2)
    look = Look(scenario()._replace(hidden=31_000), {}, Pressure(99.5, 98.5))
    lines = [line.plain for line in heading.heading_lines(machine, look, rivals, width)]
    assert all(cell_len(line) <= width and "…" not in line for line in lines)
    assert len(lines) <= (7 if width == 60 else 5)


def test_a_cgroup_has_gauges_of_its_limit_and_of_the_machine() -> None:
    lines = [line.plain for line in heading.heading_lines(LIMITED, LOOK, round_of(task(10, rss=512)), 80)]
    assert lines[0] == "scope: cgroup /a"
    assert [line.split()[0] for line in lines[2:4]] == ["limit", "swap"]
    assert "memory" in lines[2]


def test_a_long_path_keeps_its_end() -> None:
    far = LIMITED._replace(scope="cgroup /kubepods.slice" + "/x" * 60 + "/cri-containerd-0a1b.scope")
    line = heading.heading_lines(far, LOOK, round_of(task(10, rss=512)), 80)[0].plain
    assert line.startswith("scope: …")
    assert line.endswith("/cri-containerd-0a1b.scope")
    assert cell_len(line) == 80


@pytest.mark.parametrize("width", [1, 20, 60, 80])
@pytest.mark.parametrize("comm", ["", "名前" * 4, "a  b   c", "x" * 15, "), certain"])
def test_any_name_leaves_the_headline_within_the_screen(width: int, comm: str) -> None:
    result = round_of(task(10, rss=512, comm=comm), task(11, rss=256))
    assert all(cell_len(line.plain) <= width for line in heading.heading_lines(MACHINE, LOOK, result, width))


@pytest.mark.parametrize("width", range(1, 120))
def test_a_gauge_is_as_full_as_the_memory_and_no_wider_than_the_screen(width: int) -> None:
    half = gauge_lines([Gauge("memory", 1 << 30, 2 << 30)], width, TERMINAL)[0].plain
    assert abs(half.count("█") - half.count("░")) <= 1
    assert cell_len(half) <= width
    assert width < 30 or half.count("█") >= 4


def test_a_gauge_of_more_than_all_or_of_nothing_is_harmless() -> None:
    for gauge in (Gauge("limit", 9, 5), Gauge("limit", 0, 0), Gauge("limit", 0, 5)):
        line = gauge_lines([gauge], 80, TERMINAL)[0].plain
        assert line.count("█") + line.count("░") == 30


def test_only_the_victims_name_is_in_the_strong_colour() -> None:
    result = round_of(task(10, rss=512, comm="java"), task(11, rss=256))
    line = heading.heading_lines(MACHINE, LOOK, result, 80)[0]
    assert [line.plain[span.start : span.end] for span in line.spans if span.style == TERMINAL.headline] == [
        "next: 10 (java)"
    ]


def test_a_kill_in_few_words() -> None:
    victim = Kill(812, "ja\x1bva", oom_score_adj=7, anon_rss_bytes=3 << 20, file_rss_bytes=0)
    report = OomReport(1, uptime_s=60.0, constraint=Constraint.MEMCG, oom_memcg="/a", victim=victim, killed=(victim,))
    assert brief(report, 0.0, 4096)[1:] == (r"killed 812 (ja\x1bva)", "3.0MiB", "7", "cgroup /a")
    group = report._replace(killed=(victim, Kill(813, "b")))
    assert brief(group, 0.0, 4096)[1].endswith(" (ja\\x1bva) and 1 other")
    nobody = report._replace(victim=None, killed=())
    assert brief(nobody, 0.0, 4096)[1:] == ("the log does not say who was killed", "-", "-", "cgroup /a")
    assert brief(nobody._replace(no_killable=True), 0.0, 4096)[1] == "nobody could be killed"
    assert brief(report._replace(victim=None, panic="x"), 0.0, 4096)[1] == "the kernel panicked"
    assert brief(OomReport(1), 0.0, 4096) == ("?", "the log does not say who was killed", "-", "-", "?")


def test_a_doubt_takes_the_place_of_certain_and_is_made_harmless() -> None:
    doubted = scenario(task(10, rss=512))._replace(doubts=(Doubt(Doubtful.GUESSED_RULES, detail="3.10\x1b"),))
    (told,) = heading.certainty(LOOK, out_of_memory(doubted))
    assert told.startswith(r"not certain: nobody has verified the rules of kernel 3.10\x1b; ")
