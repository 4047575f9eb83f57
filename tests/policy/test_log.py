"""The lines of the service: one each, whatever a process calls itself."""

from __future__ import annotations

import os

import pytest

from oomctl.policy.log import INFO, Log, notify


def test_words_are_plain_or_quoted(capfd: pytest.CaptureFixture[str]) -> None:
    Log().say(INFO, "set", pid=7, comm="a b", reason=None, rule="/etc/p.toml:3")
    assert capfd.readouterr().err == 'event=set pid=7 comm="a b" rule=/etc/p.toml:3\n'


@pytest.mark.parametrize("comm", ["x\n<0>event=fake", "\x1b[2J", "\u202e", "a=b", '"', ""])
def test_no_name_makes_a_line_of_its_own(capfd: pytest.CaptureFixture[str], comm: str) -> None:
    Log().say(INFO, "set", comm=comm)
    said = capfd.readouterr().err
    assert said.startswith('event=set comm="')
    assert said.endswith('"\n')
    assert said.rstrip("\n").isprintable()
    assert said.isascii()


def test_the_journal_gets_priorities(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    status = os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
    Log().say(INFO, "reloaded", rules=2)
    assert capfd.readouterr().err == "<6>event=reloaded rules=2\n"


def test_beyond_some_a_second_lines_are_only_counted(capfd: pytest.CaptureFixture[str]) -> None:
    log = Log()
    for pid in range(1000):
        log.say_often(INFO, "set", pid=pid)
    log.say_rest()
    lines = capfd.readouterr().err.splitlines()
    said = [line for line in lines if line.startswith("event=set ")]
    counted = [int(line.rpartition("=")[2]) for line in lines if line.startswith("event=more ")]
    assert len(said) < 1000
    assert len(said) + sum(counted) == 1000


def test_nobody_to_notify_is_no_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/to/be/found")
    notify("READY=1")
