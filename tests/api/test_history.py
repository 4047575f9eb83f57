"""The API tells the kills of a log as ``oomctl history`` does."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import pytest

from oomctl import api
from oomctl.errors import BadInput, ImpossibleHere, NotPermitted
from tests.commands.invoke import ask
from tests.oomlog.real_logs import LOGS, PASTED
from tests.proc_tree import ProcTree

EVERY_LOG = sorted([*LOGS.glob("*.log"), *PASTED.glob("*.log")])
ONE = LOGS / "6.8-memcg-order-3.log"


@pytest.mark.parametrize("path", EVERY_LOG, ids=lambda path: path.stem)
def test_a_log_is_told_as_by_the_command(proc_tree: ProcTree, path: Path) -> None:
    events: list[dict[str, Any]] = json.loads(ask(proc_tree, "history", "--file", str(path), "--json").stdout)["events"]
    told = list(api.history(path))
    victims = [one.report.victim and one.report.victim.pid for one in told]
    assert victims == [event["victim"] and event["victim"]["pid"] for event in events]
    replays = [(one.replay.victim_pid, one.replay.agrees) for one in told if one.report.elsewhere.killer == "kernel"]
    verdicts = [event["replay"] for event in events if event["killer"] == "kernel"]
    assert replays == [(verdict["victim_pid"], verdict["agrees"]) for verdict in verdicts]


@pytest.mark.parametrize("path", EVERY_LOG, ids=lambda path: path.stem)
def test_it_does_not_matter_how_a_log_is_cut(path: Path) -> None:
    whole = path.read_bytes()
    pieces = [whole[start : start + 1000] for start in range(0, len(whole), 1000)]
    expected = list(api.history([whole]))
    assert list(api.history(pieces)) == expected
    with path.open("rb") as lines:
        assert list(api.history(lines)) == expected


def test_a_packed_log_is_read(tmp_path: Path) -> None:
    packed = tmp_path / "kern.log.gz"
    packed.write_bytes(gzip.compress(ONE.read_bytes()))
    assert list(api.history(str(packed))) == list(api.history(ONE))


def test_a_file_may_be_called_as_stdin_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ONE, "-")
    assert list(api.history("-")) == list(api.history(ONE))


def test_a_log_without_a_kill_has_no_history() -> None:
    assert list(api.history([b"[    0.000000] Linux version 6.1.0\n"])) == []
    assert list(api.history([])) == []


def test_nothing_is_read_before_the_first_is_asked_for(tmp_path: Path) -> None:
    told = api.history(tmp_path / "missing.log")
    with pytest.raises(BadInput, match=r"missing\.log: no such file"):
        next(told)


def test_a_directory_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="directory"):
        list(api.history(tmp_path))


@pytest.mark.parametrize("log", [["text\n"], b"bytes that are no pieces", 5], ids=["text", "bytes", "a number"])
def test_what_is_no_log_is_a_mistake_of_the_caller(log: object) -> None:
    with pytest.raises(TypeError):
        list(api.history(cast(Iterable[bytes], log)))


@pytest.mark.live
def test_the_ring_buffer_is_this_kernel_s() -> None:
    try:
        told = list(api.history())
    except (ImpossibleHere, NotPermitted) as error:
        pytest.skip(str(error))
    assert {one.report.kernel for one in told} <= {os.uname().release}
    assert all(one.report.epoch_s is not None for one in told)
