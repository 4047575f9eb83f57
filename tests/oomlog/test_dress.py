"""A report reads the same whatever people and programs put around it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from oomctl.model.oomreport import OomReport
from oomctl.oomlog.parser import parse_blocks
from oomctl.oomlog.replay import replay
from oomctl.oomlog.sources import open_source
from tests.oomlog.dresses import DRESSES
from tests.oomlog.real_logs import DATA, INDEX, log_lines

PASTED = DATA / "pasted"
WRAPPED_ALREADY = {"4.x-memcg-child-sacrificed"}
"""Its author's own lines are cut; what it says depends on whether the rest of it is."""
PROSE_IN_A_MESSAGE = {"dmesg -H": {"6.5-memcg-prose-behind"}}
"""A sentence of its author hides the victim's summary once the stamps are gone."""


def blocks(lines: list[str], size: int = 1 << 18) -> list[bytes]:
    text = "".join(line + "\n" for line in lines).encode()
    cut, result = 0, []
    while cut < len(text):
        end = text.find(b"\n", cut + size - 1) + 1 or len(text)
        result.append(text[cut:end])
        cut = end
    return result


def reading(lines: list[str], size: int = 1 << 18) -> list[tuple[object, ...]]:
    """What matters of each report; neither times nor places, which a dress may lack."""
    return [_reading(report) for report in parse_blocks(blocks(lines, size))]


def _reading(report: OomReport) -> tuple[object, ...]:
    victim = report.victim
    return (
        (report.trigger_comm, report.trigger_pid, report.order),
        victim and (victim.pid, victim.comm, victim.rss_bytes),
        [(row.pid, row.tgid, row.comm, row.rss_pages, row.swap_pages, row.oom_score_adj) for row in report.rows],
        (report.constraint, report.oom_memcg, report.task_memcg, report.kernel),
        (report.machine, report.memcg),
        replay(report).agrees,
    )


@cache
def text_of(name: str) -> tuple[str, ...]:
    return tuple(line.decode("utf-8", "replace").rstrip("\r\n") for line in log_lines(name))


@cache
def undressed(name: str) -> list[tuple[object, ...]]:
    return reading(list(text_of(name)))


@pytest.mark.parametrize("dress", DRESSES)
def test_every_real_log_reads_the_same_in_each_dress(dress: str) -> None:
    left_out = WRAPPED_ALREADY | PROSE_IN_A_MESSAGE.get(dress, set())
    different = [
        name
        for name in INDEX
        if name not in left_out and reading(DRESSES[dress](list(text_of(name)))) != undressed(name)
    ]
    assert different == []


@pytest.mark.parametrize("dress", DRESSES)
def test_a_dress_may_be_cut_into_blocks_anywhere(dress: str) -> None:
    name = "4.18-rhel8.3-machine-git-1"
    assert reading(DRESSES[dress](list(text_of(name))), 4000) == undressed(name)


class Right(NamedTuple):
    """The right answer about one event, as far as reading goes; None: the log does not say."""

    time: str | None = None
    trigger: str | None = None
    order: int | None = None
    victim: tuple[int, str, int | None] | None = None
    """PID, name and resident bytes."""
    rows: int = 0
    uptime: float | None = None


RIGHT = {
    "01-haos-reverse.log": [Right("Jun 13 09:14:58", victim=(267303, "python3", 1293204 << 10))],
    "03-npd-event.json": [Right("2023-06-13T14:35:38Z", victim=(3504804, "kubectl", 88176 << 10))],
    "06-udp-syslog-receiver.log": [Right("Jun  8 11:15:26", victim=(2588, "opkg", 584 << 10), uptime=350.064961)],
    "06b-udp-syslog-receiver-whole.log": [
        Right("Jun  8 11:15:26", "opkg", 0, (2588, "opkg", 584 << 10), rows=7, uptime=349.8)
    ],
    "07-keenetic.log": [Right("Oct 22 20:02:32", rows=4)],
    "08-dmesg-raw-router.log": [
        Right(victim=(472, "askfirst", 28 << 10), rows=3, uptime=1770.251714),
        Right(trigger="procd", order=0, uptime=1770.377252),
        Right(uptime=3117.587358),
    ],
    "09-console-with-prompt.log": [Right(trigger="kworker/u:0", order=1, uptime=947.876)],
    "10-markdown-bold.log": [
        Right("Aug  7 08:24:06 2026", victim=(1247, "smartdns", 875928 << 10), uptime=13579.902296)
    ],
    "13-lxc-nested-grep.log": [
        Right("Nov 21 05:18:58", victim=(3777481, "pulse", 10471828 << 10)),
        Right("Nov 21 05:24:41", "pulse", 0, (3783517, "pulse", 10471668 << 10)),
        Right("Nov 21 05:40:23", "pulse", 0),
    ],
    "24-mail-wrapped-killed.log": [
        Right("Apr  4 09:08:53", victim=(1968, "memkiller", 1972736 << 10), uptime=65.470256)
    ],
    "32-dmesg-human.log": [
        Right("Jul 29 23:40", "ruby-timer-thr", 0),
        Right("Jul 29 23:46", "ruby-timer-thr", 0),
        Right("Jul 30 00:24", "ruby-timer-thr", 0),
    ],
    "33-dmesg-x-T.log": [Right("Wed Jun 28 00:10:12 2023", rows=1)],
    "34-blank-lines-between.log": [Right(victim=(6556, "ruby", 137856 << 10), rows=3, uptime=9153.9337)],
    "35-squid-32bit-order3.log": [Right("Dec 27 09:19:05 2013", "squid", 3, uptime=277622.359064)],
    "36-oomkilladj-2.6.23-wrapped.log": [
        Right("Feb 4 16:15:15", "df_inode", 0),
        Right("Feb 4 16:15:16", "df_inode", 1),
    ],
    "37-clipped-first-bracket.log": [Right(None, "sudo", 0, uptime=1257.892709)],
    "40-vmware-guest-log.log": [
        Right(victim=(2625, "node", 551740 << 10), uptime=39290745.072552),
        Right(None, "node", 0, uptime=39291577.0093),
    ],
    "41-journal-verbose.log": [
        Right("2023-02-02 11:49:13.015489+01:00", victim=(2855014, "tail", 576 << 10)),
        Right("2023-02-02 12:49:25.123048+01:00", victim=(2867622, "python3", 24532 << 10)),
    ],
    "44-trigger-name-with-space.log": [
        Right("Jun 23 10:10:34", "CPU 2/KVM", 0),
        Right("Sep 16 08:38:09", victim=(1526, "qemu-system-x86", 10463912 << 10)),
    ],
    "45-test-runner-pipe.log": [
        Right("2025-07-08T10:52:57.620+00:00", victim=(4779, "scylla-manager-", 9112 << 10)),
    ],
    "49-waagent-dmesg-T.log": [
        Right("Mon Apr 17 04:16:45 2023", victim=(179638, "python3", 23108 << 10)),
        Right("Mon Apr 17 05:16:50 2023", victim=(305640, "python3", 22916 << 10)),
        Right("Mon Apr 17 06:16:55 2023", victim=(432966, "python3", 22716 << 10)),
        Right("Mon Apr 17 07:13:56 2023", victim=(926955, "postgres", 484632 << 10)),
    ],
    "53-wrapped-at-80.log": [
        Right("Mar 26 12:32:37", "python3", 1, (484, "python3", 894868 << 10), rows=7, uptime=126764.421946)
    ],
    "dmesg-H-whole.log": [Right("Aug 23 11:47", "htop", 0, (10047, "memchewer", 13882535936), rows=91)],
    "docker-json-whole.log": [
        Right(
            *("2025-08-23T11:47:25.000000001Z", "htop", 0, (10047, "memchewer", 13882535936)),
            rows=91,
            uptime=842.79672,
        )
    ],
    "journal-json-whole.log": [
        Right("2025-08-23T11:47:25+00:00", "htop", 0, (10047, "memchewer", 13882535936), rows=91)
    ],
    "newest-first-whole.log": [Right("Mar  2 08:32:44", "node", 0, (61910, "git", 423196 << 10), rows=35)],
    "one-json-line-escaped-newlines.log": [
        Right(None, "htop", 0, (10047, "memchewer", 13882535936), rows=91, uptime=842.79672)
    ],
}


def pasted(name: str) -> list[OomReport]:
    return list(parse_blocks(open_source(str(PASTED / name)).blocks))


@pytest.mark.parametrize("name", RIGHT)
def test_what_people_pasted_reads_as_what_the_kernel_wrote(name: str) -> None:
    found = [
        Right(
            *(report.time_text, report.trigger_comm, report.order),
            report.victim and (report.victim.pid, report.victim.comm, report.victim.rss_bytes),
            len(report.rows),
            report.uptime_s,
        )
        for report in pasted(name)
    ]
    assert found == RIGHT[name]


@pytest.mark.parametrize(
    "name",
    [
        *("dmesg-H-whole.log", "docker-json-whole.log", "journal-json-whole.log", "newest-first-whole.log"),
        *("one-json-line-escaped-newlines.log", "53-wrapped-at-80.log", "06b-udp-syslog-receiver-whole.log"),
    ],
)
def test_a_whole_report_in_another_dress_can_be_replayed(name: str) -> None:
    (report,) = pasted(name)
    assert report.missing == ()
    assert replay(report).agrees is True


def test_a_receivers_trailing_blank_is_no_part_of_a_name() -> None:
    (report,) = pasted("06b-udp-syslog-receiver-whole.log")
    assert [row.comm for row in report.rows][:2] == ["logread", "logread"]


def test_only_full_dates_are_moments() -> None:
    assert [report.epoch_s is not None for report in pasted("49-waagent-dmesg-T.log")] == [True] * 4
    assert pasted("10-markdown-bold.log")[0].epoch_s is not None
    assert pasted("41-journal-verbose.log")[0].epoch_s == pytest.approx(1675334953.015489)
    assert pasted("07-keenetic.log")[0].epoch_s is None


def test_other_programs_in_a_record_are_not_the_kernel(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        '{"__REALTIME_TIMESTAMP": "1755949645000000", "SYSLOG_IDENTIFIER": "evil",'
        ' "MESSAGE": "Out of memory: Killed process 1 (init) total-vm:1kB, anon-rss:1kB, file-rss:0kB"}\n'
    )
    assert list(parse_blocks(open_source(str(log)).blocks)) == []
