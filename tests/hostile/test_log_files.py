"""What is named as a log or a scenario is looked at before it is read: nothing is waited for, nothing has no end."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from oomctl.cli.main import cli
from oomctl.errors import BadInput
from oomctl.guard import programs
from oomctl.oomlog import sources
from oomctl.oomlog.sources import file_blocks, journal_blocks
from tests.commands.invoke import OOMCTL, ROOT, program
from tests.hostile.fuzzing import cost_of
from tests.oomlog.real_logs import INDEX, LOGS, log_lines
from tests.runner import runner

LOG = LOGS / "3.7-memcg-with-mem-info.log"
STAMPED = sorted(name for name in INDEX if log_lines(name)[0].startswith(b"["))
READERS = (("history", "--file"), ("simulate", "--from"))
Make = Callable[[Path], object]


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader[0])
@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(os.mkfifo, "a FIFO; expected a regular file", id="fifo"),
        pytest.param(lambda path: path.symlink_to("/dev/zero"), "a device; expected a regular file", id="device"),
        pytest.param(bind, "a socket; expected a regular file", id="socket"),
        pytest.param(lambda path: path.symlink_to(path), "Too many levels of symbolic links", id="a link to itself"),
    ],
)
def test_what_is_no_regular_file_is_refused_at_once(
    tmp_path: Path, reader: tuple[str, str], make: Make, said: str
) -> None:
    make(tmp_path / "log")
    # A FIFO would be waited for until the test's patience ends.
    ran = program(*reader, str(tmp_path / "log"))
    assert (ran.status, ran.stdout, ran.stderr) == (2, "", f"oomctl: {tmp_path / 'log'}: {said}\n")


def test_a_directory_is_no_log_but_may_have_snapshots_in_it(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    said = ["a directory; expected a regular file", "no snapshot in it; expected files called *.json, "]
    for reader, about in zip(READERS, said):
        ran = program(*reader, str(tmp_path / "log"))
        assert (ran.status, ran.stdout) == (2, "")
        assert ran.stderr.startswith(f"oomctl: {tmp_path / 'log'}: {about}")


def test_the_second_report_of_a_fifo_is_refused_too(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    assert program("simulate", "--from", f"{tmp_path / 'log'}#2").status == 2


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader[0])
def test_a_symbolic_link_to_a_regular_file_is_read(tmp_path: Path, reader: tuple[str, str]) -> None:
    (tmp_path / "log").symlink_to(LOG)
    assert program(*reader, str(tmp_path / "log")).status == 0


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader[0])
@pytest.mark.parametrize(
    "name", ["<(cat {log})", "<(gzip -c {log})", "/dev/stdin < {log}", "- < {log}", "- < <(cat {log})"]
)
def test_a_pipe_that_is_given_on_purpose_is_read(reader: tuple[str, str], name: str) -> None:
    script = " ".join((sys.executable, "-m", "oomctl", *reader, name.format(log=LOG)))
    ran = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "2376 (mal-80)" in ran.stdout


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader[0])
def test_a_descriptor_that_is_not_open_says_what_closes_it(reader: tuple[str, str]) -> None:
    ran = program(*reader, "/dev/fd/63")
    assert (ran.status, ran.stderr) == (2, "oomctl: /dev/fd/63: no such file; sudo closes it, pipe into - instead\n")


def test_a_closed_stdin_is_said() -> None:
    ran = program("history", "--file", "-", before=("sh", "-c", 'exec "$@" <&-', "sh"))
    assert (ran.status, ran.stderr) == (2, "oomctl: stdin: it is closed\n")


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader[0])
def test_a_sparse_file_of_terabytes_is_refused_by_its_size(tmp_path: Path, reader: tuple[str, str]) -> None:
    with (tmp_path / "log").open("wb") as file:
        file.truncate(1 << 42)
    ran = program(*reader, str(tmp_path / "log"))
    assert ran.stderr == (
        f"oomctl: {tmp_path / 'log'}: more than 16 GiB, too much for a log; pipe in the part that matters\n"
    )


def test_a_stream_without_end_is_read_to_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LARGEST_LOG", 8 << 20)
    with Path("/dev/zero").open("rb") as endless:
        path = f"/proc/self/fd/{endless.fileno()}"
        with pytest.raises(BadInput, match=f"^{path}: more than 0 GiB, too much for a log"):
            list(file_blocks(path))


@pytest.mark.parametrize("open_packed", [gzip.open, lzma.open], ids=["gzip", "xz"])
def test_a_compressed_bomb_is_unpacked_to_the_bound(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, open_packed: Callable[..., gzip.GzipFile]
) -> None:
    monkeypatch.setattr(sources, "LARGEST_UNPACKED", 8 << 20)
    with open_packed(tmp_path / "log", "wb") as file:
        for _ in range(9):
            file.write(bytes(1 << 20))
    assert (tmp_path / "log").stat().st_size < 1 << 14
    with pytest.raises(BadInput, match="too much for a log"):
        list(file_blocks(str(tmp_path / "log")))


def test_a_compressed_bomb_takes_no_memory(tmp_path: Path) -> None:
    with lzma.open(tmp_path / "log", "wb", preset=1) as file:
        for _ in range(256):
            file.write(bytes(1 << 20))
    cost = cost_of("history", "--file", str(tmp_path / "log"))
    assert (cost.status, cost.stderr) == (1, f"oomctl: history: no OOM kill in {tmp_path / 'log'}")
    assert cost.peak_bytes < 60 << 20


def test_unpacking_takes_the_memory_of_xz_9_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "nine.xz").write_bytes(lzma.compress(LOG.read_bytes(), preset=9))
    assert b"".join(file_blocks(str(tmp_path / "nine.xz"))) == LOG.read_bytes()
    huge = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}]
    (tmp_path / "huge.xz").write_bytes(lzma.compress(LOG.read_bytes(), filters=huge))
    with pytest.raises(BadInput, match=r"huge\.xz: to unpack it takes more than 72 MiB of memory"):
        list(file_blocks(str(tmp_path / "huge.xz")))


def test_several_xz_streams_in_a_file_are_one_log(tmp_path: Path) -> None:
    text = LOG.read_bytes()
    (tmp_path / "log").write_bytes(lzma.compress(text) + lzma.compress(b"") + bytes(8) + lzma.compress(text))
    assert b"".join(file_blocks(str(tmp_path / "log"))) == text * 2


# What it is


@pytest.mark.parametrize("name", STAMPED)
def test_a_log_that_begins_with_a_bracket_is_a_log(name: str) -> None:
    ran = runner().invoke(cli, ("simulate", "--from", str(LOGS / f"{name}.log")))
    lacks = re.search(r"it has no task table|the (?:limit|size of the memory that ran out) is missing", ran.stderr)
    assert ran.exit_code == (2 if lacks else 0), ran.stderr


def test_a_log_that_begins_with_a_bracket_is_read_from_stdin(tmp_path: Path) -> None:
    stamped = b"".join(b"[  276.024242] " + line for line in log_lines("3.7-memcg-with-mem-info"))
    for argv in (("-",), ("/dev/stdin",)):
        ran = subprocess.run([*OOMCTL, "simulate", "--from", *argv], input=stamped, capture_output=True, check=False)
        assert (ran.returncode, ran.stderr) == (0, b"")
        assert b"2376 (mal-80)" in ran.stdout


def test_a_log_larger_than_a_document_is_still_a_log(tmp_path: Path) -> None:
    noise = b"[  276.024242] usb 1-1: new device, [a, b], {c}\n" * 200_000
    (tmp_path / "log").write_bytes(noise + LOG.read_bytes())
    assert "2376 (mal-80)" in program("simulate", "--from", str(tmp_path / "log")).stdout


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        pytest.param("", 2, "empty; expected what oomctl snapshot prints, or a kernel log", id="empty"),
        pytest.param("[]", 2, "scenario: expected an object, got []", id="empty array"),
        pytest.param(json.dumps([{"pid": 1}], indent=1), 2, "scenario: expected an object, got [", id="array"),
        pytest.param(" \n", 1, "no OOM report in it, and no scenario document", id="blank"),
        pytest.param("[  276.02] nothing here\n", 1, "no OOM report in it, and no scenario document", id="no report"),
        pytest.param("[" * 1_000_000, 1, "no OOM report in it, and no scenario document", id="brackets"),
        pytest.param("hello", 1, "no OOM report in it, and no scenario document", id="text"),
        pytest.param("{hello", 2, "scenario: not JSON", id="brace"),
    ],
)
def test_what_is_neither_is_refused_in_words(tmp_path: Path, text: str, status: int, said: str) -> None:
    (tmp_path / "it").write_text(text)
    for name in (str(tmp_path / "it"), "-"):
        ran = runner().invoke(cli, ("simulate", "--from", name), input=text)
        assert isinstance(ran.exception, SystemExit)
        assert (ran.exit_code, ran.stdout, ran.stderr.count("\n")) == (status, "", 1)
        assert said in ran.stderr


# Helpers


def test_root_asks_the_systems_journalctl_whatever_path_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert os.geteuid() == 0, "the tests of CI run as root"
    (tmp_path / "journalctl").write_text(f"#!/bin/sh\ntouch {tmp_path / 'started'}\n")
    (tmp_path / "journalctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("LD_PRELOAD", str(tmp_path / "evil.so"))
    assert programs.environment()["PATH"] == programs.SYSTEM_PATH
    assert "LD_PRELOAD" not in programs.environment()
    assert programs.find("journalctl") != str(tmp_path / "journalctl")
    list(journal_blocks(("journalctl", "--version")))
    assert not (tmp_path / "started").exists()
    os.seteuid(65534)
    try:
        assert programs.environment()["PATH"] == os.environ["PATH"], "others keep the PATH that they chose"
    finally:
        os.seteuid(0)
