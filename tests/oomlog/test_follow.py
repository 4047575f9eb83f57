"""Kills as they happen, read on from where the log was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oomctl.errors import ImpossibleHere
from oomctl.oomlog.follow import Follower
from tests.oomlog.messages import KILL

OTHER = "6,9,9,-;eth0: link up\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "kmsg"
    path.write_text(OTHER)
    return path


@pytest.fixture
def follower(log: Path) -> Iterator[Follower]:
    following = Follower(log)
    yield following
    following.close()


def say(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


def victims(follower: Follower) -> list[int]:
    return [report.victim.pid for report in follower.poll() if report.victim]


def test_a_kill_is_told_once_and_soon(log: Path, follower: Follower) -> None:
    assert victims(follower) == []
    say(log, KILL.format(1, 1000000, 812))
    assert victims(follower) + victims(follower) == [812]
    assert victims(follower) == []


def test_a_report_that_is_still_being_printed_is_waited_for(log: Path, follower: Follower) -> None:
    first, *rest = KILL.format(1, 1000000, 812).splitlines(keepends=True)
    say(log, first)
    assert victims(follower) == []
    say(log, "".join(rest))
    assert victims(follower) + victims(follower) == [812]


def test_other_messages_do_not_keep_a_kill_back(log: Path, follower: Follower) -> None:
    say(log, KILL.format(1, 1000000, 812) + OTHER)
    found = victims(follower)
    say(log, OTHER)
    assert found + victims(follower) == [812]


def test_what_happened_before_is_told_first(log: Path) -> None:
    say(log, KILL.format(1, 1000000, 812) + KILL.format(2, 2000000, 813))
    following = Follower(log)
    assert victims(following) + victims(following) == [812, 813]
    following.close()


def test_without_a_kernel_log_there_is_a_reason(tmp_path: Path) -> None:
    with pytest.raises(ImpossibleHere, match="missing here"):
        Follower(tmp_path / "none")
