from __future__ import annotations

import errno
import gzip
import io
import lzma
import os
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from oomctl.errors import BadInput, ImpossibleHere, NotPermitted
from oomctl.oomlog import sources
from oomctl.oomlog.sources import file_blocks, journal_blocks, kmsg_records, open_source, this_machine, whole_lines

TEXT = b"one\ntwo\r\nlast without end"
CRY = (sys.executable, "-c")


@pytest.mark.parametrize(
    ("name", "packed"),
    [("log", TEXT), ("log.gz", gzip.compress(TEXT)), ("log.xz", lzma.compress(TEXT)), ("log.1", gzip.compress(TEXT))],
    ids=["plain", "gzip", "xz", "gzip by its first bytes"],
)
def test_a_file_is_read_whatever_it_is_packed_with(tmp_path: Path, name: str, packed: bytes) -> None:
    (tmp_path / name).write_bytes(packed)
    source = open_source(str(tmp_path / name))
    assert b"".join(source.blocks) == TEXT
    assert source.name == str(tmp_path / name)


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    assert list(file_blocks(str(tmp_path / "log"))) == []


def test_a_dash_is_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(TEXT))))
    source = open_source("-")
    assert (source.name, b"".join(source.blocks)) == ("stdin", TEXT)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(gzip.compress(os.urandom(999))[:-90], "damaged compressed file", id="gzip cut short"),
        pytest.param(lzma.compress(os.urandom(999))[:-90], "damaged compressed file", id="xz cut short"),
        pytest.param(b"\x1f\x8bnot gzip", "damaged compressed file", id="only looks like gzip"),
        pytest.param(b"\x28\xb5\x2f\xfd....", "unpack it first", id="zstd"),
    ],
)
def test_a_file_that_cannot_be_unpacked_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "log").write_bytes(content)
    with pytest.raises(BadInput, match=message) as refusal:
        list(file_blocks(str(tmp_path / "log")))
    assert str(tmp_path / "log") in str(refusal.value)


def test_a_missing_file_and_a_directory_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        list(file_blocks(str(tmp_path / "log")))
    with pytest.raises(BadInput, match="a directory"):
        list(file_blocks(str(tmp_path)))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/var/log/kern.log", "reading it was refused; kernel logs are usually open to root and group adm"),
        ("/srv/db1.json", "reading it was refused"),
    ],
)
def test_who_may_read_a_log_is_said_of_logs_only(monkeypatch: pytest.MonkeyPatch, path: str, said: str) -> None:
    def refuse(_: str) -> int:
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr("oomctl.oomlog.sources.open_regular", refuse)
    with pytest.raises(NotPermitted, match=f"^{path}: {said}$"):
        list(file_blocks(path))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_blocks_end_at_line_ends_however_the_chunks_fall(size: int) -> None:
    chunks = [TEXT[start : start + size] for start in range(0, len(TEXT), size)]
    blocks = list(whole_lines(iter(chunks)))
    assert b"".join(blocks) == TEXT
    assert all(block.endswith(b"\n") for block in blocks[:-1])


def test_of_an_overlong_line_the_beginning_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LONGEST_LINE_BYTES", 10)
    chunks = [b"a\n0123456", b"789abcdef", b"ghi\nb\n"]
    assert b"".join(whole_lines(iter(chunks))) == b"a\n0123456789\nb\n"


def test_a_line_without_end_does_not_take_memory_without_end() -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(256):
            yield b"x" * (1 << 18)

    tracemalloc.start()
    lines = list(whole_lines(endless()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(map(len, lines)) == sources.LONGEST_LINE_BYTES
    assert peak < 2 << 20


def test_kmsg_is_read_to_its_end_and_says_what_was_overwritten(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers: list[bytes | OSError] = [
        b"6,1,1,-;a\n",
        OSError(errno.EPIPE, "overwritten"),
        b"6,9,9,-;b\n",
        BlockingIOError(errno.EAGAIN, "end"),
    ]

    def read(descriptor: int, size: int) -> bytes:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    (tmp_path / "kmsg").touch()
    monkeypatch.setattr(os, "read", read)
    assert list(kmsg_records(tmp_path / "kmsg")) == [
        b"6,1,1,-;a\n",
        b"** printk messages dropped **\n",
        b"6,9,9,-;b\n",
    ]


def test_a_kernel_log_that_cannot_be_read_says_what_would_help(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ImpossibleHere, match="name a log file"):
        list(kmsg_records(tmp_path / "kmsg"))

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EPERM, "no")

    for user, helps in ((1000, "try sudo oomctl history, or --file FILE"), (0, "root lacks CAP_SYSLOG here; ask on")):
        with monkeypatch.context() as patched:
            patched.setattr(os, "open", refuse)
            patched.setattr(os, "geteuid", lambda user=user: user)
            with pytest.raises(NotPermitted, match=helps):
                list(kmsg_records(tmp_path / "kmsg"))


def test_the_journal_comes_before_the_ring_buffer(tmp_path: Path) -> None:
    source = this_machine((*CRY, "print('from the journal')"), tmp_path / "kmsg")
    assert (source.name, b"".join(source.blocks)) == ("journal", b"from the journal\n")


@pytest.mark.parametrize(
    "journal",
    [(*CRY, "pass"), (*CRY, "print('-- No entries --')"), (*CRY, "raise SystemExit(1)"), ("no-such-journalctl",)],
    ids=["silent", "no entries", "fails", "not installed"],
)
def test_a_journal_without_kernel_messages_falls_through_to_the_ring_buffer(
    tmp_path: Path, journal: tuple[str, ...]
) -> None:
    (tmp_path / "kmsg").write_bytes(b"6,1,1,-;a\n")
    source = this_machine(journal, tmp_path / "kmsg")
    assert (source.name, b"".join(source.blocks)) == (str(tmp_path / "kmsg"), b"6,1,1,-;a\n")


def test_a_reader_that_stops_early_stops_the_journal() -> None:
    blocks = journal_blocks((*CRY, "while True: print('x' * 99)"))
    assert next(blocks).startswith(b"x")
    blocks.close()  # type: ignore[attr-defined]
