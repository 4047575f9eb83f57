"""Whole real logs in, the kernel's own victim as the expected answer."""

from __future__ import annotations

import re

import pytest

from oomctl.errors import BadInput
from oomctl.kernel.invocation import out_of_memory
from oomctl.model.kernel import Outcome
from oomctl.model.oomreport import OomReport
from oomctl.oomlog.parser import parse, parse_blocks
from oomctl.oomlog.replay import replay, scenario_of
from tests.oomlog.real_logs import CONSTRAINTS, INDEX, LOGS, RECORDINGS, log_lines, recording

NOT_AS_COMPLETE_AS_THEY_LOOK = {
    "2.6.32-rhel6-machine-two-tables-spliced": "73 rows stand there twice, one is cut in the middle",
}
REPLAY_DISAGREES: dict[str, str] = {}
"""Logs that the rules do not reproduce, with the reason; none of the complete ones so far."""
CHOSEN_WHATEVER_THE_TOTALS = {
    "4.x-memcg-without-limit",
    "5.x-machine-table-without-totals",
    "6.x-machine-pages-of-16k",
    "6.x-memcg-from-the-stats-on",
}
"""Incomplete logs whose table alone decides: the victim is the largest, and nobody has a higher oom_score_adj."""
SCORE_DOES_NOT_COME_OUT = {
    "3.3-machine-page-tables-not-printed": "3.3: page tables counted, but not in its table",
    "2.6-machine-without-header": "2.6.36 to 3.4: page tables and swap counted, but not in its table",
    "2.6-machine-swap-not-printed": "the same",
    "3.2-ubuntu-machine-page-tables-not-printed": "the same",
    "3.16-debian-machine-score-off-by-16": "874 printed, 858 computed: totalpages differ by 1.8 %, unexplained",
}


def only_report(name: str) -> OomReport:
    reports = list(parse(log_lines(name)))
    assert len(reports) == 1
    return reports[0]


@pytest.mark.parametrize("name", INDEX)
def test_a_real_log_gives_one_report_with_its_victim_and_constraint(name: str) -> None:
    known = INDEX[name]
    report = only_report(name)
    victim = report.victim
    assert (victim and victim.pid, victim and victim.comm) == (known["victim_pid"], known["victim_comm"])
    assert report.constraint == CONSTRAINTS[known["constraint"]]
    assert report.kernel == known["kernel"]


@pytest.mark.parametrize("name", INDEX)
def test_a_real_log_is_complete_or_says_what_is_missing(name: str) -> None:
    report = only_report(name)
    expected = INDEX[name]["complete"] and name not in NOT_AS_COMPLETE_AS_THEY_LOOK
    assert report.complete == expected, report.missing


@pytest.mark.parametrize("name", [name for name, known in INDEX.items() if known["page_size"] and known["complete"]])
def test_the_page_size_follows_from_the_report(name: str) -> None:
    assert only_report(name).page_size == INDEX[name]["page_size"]


@pytest.mark.parametrize("name", INDEX)
def test_whole_blocks_give_what_single_lines_give(name: str) -> None:
    lines = log_lines(name)
    assert list(parse_blocks([b"".join(lines)])) == list(parse(lines))


@pytest.mark.parametrize("name", INDEX)
def test_our_choice_is_the_kernels_wherever_the_report_is_complete(name: str) -> None:
    report = only_report(name)
    verdict = replay(report)
    if name in CHOSEN_WHATEVER_THE_TOTALS:
        assert report.lacks_totals_only
        assert (verdict.victim_pid, verdict.agrees) == (INDEX[name]["victim_pid"], True)
        return
    if not report.complete:
        assert (verdict.victim_pid, verdict.agrees) == (None, None)
        assert report.missing[0] in verdict.reason
        return
    assert (verdict.agrees is True) == (name not in REPLAY_DISAGREES), verdict.reason
    if verdict.agrees and INDEX[name]["chosen_pid"] in {row.tgid for row in report.rows}:
        assert verdict.victim_pid == INDEX[name]["chosen_pid"]


@pytest.mark.parametrize("name", [name for name, known in INDEX.items() if known["complete"]])
def test_the_printed_score_comes_out(name: str) -> None:
    verdict = replay(only_report(name))
    assert ("does not come out" in verdict.reason) == (name in SCORE_DOES_NOT_COME_OUT)


@pytest.mark.parametrize("name", INDEX)
def test_a_report_can_be_simulated_or_says_what_it_lacks(name: str) -> None:
    report = only_report(name)
    if not report.rows:
        with pytest.raises(BadInput, match="no task table"):
            scenario_of(report)
    elif report.complete:
        scenario = scenario_of(report)
        assert {task.pid for task in scenario.tasks} == {row.tgid for row in report.rows}
        assert out_of_memory(scenario).outcome is Outcome.KILL


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_recorded_kill_is_read_alike_from_dmesg_and_from_kmsg_records(name: str) -> None:
    document = recording(name)
    rendered, raw = list(parse(document["dmesg"])), list(parse(document["kmsg"]))
    assert [report._replace(uptime_s=None) for report in rendered] == [report._replace(uptime_s=None) for report in raw]
    assert document["result"]["actual"] in [report.victim.pid for report in raw if report.victim]
    assert {report.kernel for report in raw} == {document["result"]["kernel"]}
    assert raw[0].constraint_text == document["result"]["constraint"]


@pytest.mark.parametrize("name", RECORDINGS)
def test_our_choice_is_the_kernels_in_every_recorded_kill(name: str) -> None:
    for report in parse(recording(name)["kmsg"]):
        nobody = report.missing == ("a victim: nobody was killable",)
        assert report.complete or nobody, report.missing
        verdict = replay(report)
        assert verdict.agrees is (None if nobody else True), verdict.reason


def test_the_readme_lists_every_log_with_its_kernel() -> None:
    rows = re.findall(r"^\| `(.*?)\.log` \| (.*?) \|", (LOGS / "README.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted((name, known["kernel"] or "not in it") for name, known in INDEX.items())
    assert sorted(name for name, _ in rows) == sorted(path.stem for path in LOGS.glob("*.log"))


def test_every_log_named_as_an_exception_exists() -> None:
    assert INDEX.keys() >= CHOSEN_WHATEVER_THE_TOTALS
    assert {*NOT_AS_COMPLETE_AS_THEY_LOOK, *REPLAY_DISAGREES, *SCORE_DOES_NOT_COME_OUT} <= INDEX.keys()
