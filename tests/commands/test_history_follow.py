"""``oomctl history --follow`` on real files, pipes and journals: nothing lost, nothing told twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import pytest

from tests.commands.invoke import OOMCTL, ROOT, program
from tests.oomlog.messages import GROUP, syslog_kill

PATIENCE_S = 60.0
"""For a machine that is busy with other things; nothing waits that long unless something is broken."""
SILENCE_S = 1.6
"""Longer than a kill waits for more lines of its report."""


class Following:
    """A running ``oomctl history --follow --json``."""

    def __init__(self, *argv: str, stdin: Any = subprocess.DEVNULL, env: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [*OOMCTL, "history", "--follow", *argv],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
        )
        self.lines: Queue[bytes] = Queue()
        self._collector = threading.Thread(target=self._collect, daemon=True)
        self._collector.start()

    def _collect(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)

    def begin(self) -> None:
        """Wait until it reads the log: it has nothing else to do then but to wait."""
        wait_until(lambda: Path(f"/proc/{self.process.pid}/wchan").exists() and self._waits())

    def _waits(self) -> bool:
        # The system call that it sleeps in is poll(2), which only the loop uses.
        call = Path(f"/proc/{self.process.pid}/syscall").read_text().split()[0]
        return call in ("7", "271", "73")

    def next(self, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.lines.get(timeout=timeout_s))
        return event

    def has_open(self, path: Path) -> bool:
        """Whether it reads the file that has that name now: its last look was after it got it."""
        return any(os.path.realpath(link) == str(path) for link in Path(f"/proc/{self.process.pid}/fd").iterdir())

    def pids(self, count: int) -> list[int]:
        return [self.next()["victim"]["pid"] for _ in range(count)]

    def silent(self) -> bool:
        """Whether nothing more is told."""
        try:
            self.lines.get(timeout=SILENCE_S)
        except Empty:
            return True
        return False

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._collector.join(PATIENCE_S)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def stderr(self) -> bytes:
        """What it said on stderr, once it has ended."""
        assert self.process.stderr is not None
        return self.process.stderr.read()


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.01)


@pytest.fixture
def follow() -> Iterator[Callable[..., Following]]:
    running: list[Following] = []

    def start(*argv: str, **how: Any) -> Following:
        one = Following(*argv, **how)
        running.append(one)
        one.begin()
        return one

    yield start
    for one in running:
        one.end()


def say(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "kern.log"
    path.write_text(syslog_kill(1) + syslog_kill(2))
    return path


def test_only_what_is_new_is_told_with_one_json_document_a_line(log: Path, follow: Callable[..., Following]) -> None:
    one = follow("--file", str(log), "--json")
    say(log, syslog_kill(3))
    event = one.next()
    assert (event["schema"], event["victim"]["pid"], event["index"]) == ("oomctl.history-event/1", 3, 1)
    assert one.silent()


def test_a_kill_is_told_about_a_second_after_its_line_although_none_follows(
    log: Path, follow: Callable[..., Following]
) -> None:
    one = follow("--file", str(log), "--json")
    said = time.monotonic()
    say(log, syslog_kill(3))
    one.next()
    assert time.monotonic() - said < 20, "2 is usual, a busy machine takes longer; a report that is not over waits 30"


def test_a_report_in_pieces_is_one_event(log: Path, follow: Callable[..., Following]) -> None:
    one = follow("--file", str(log), "--json")
    for line in syslog_kill(3).splitlines(keepends=True):
        say(log, line[:30])
        time.sleep(0.3)
        say(log, line[30:])
        time.sleep(0.3)
    event = one.next()
    assert (event["victim"]["pid"], event["constraint"], event["trigger"]["comm"]) == (3, "none", "java")
    assert one.silent()


def test_late_lines_of_a_report_do_not_tell_it_twice(log: Path, follow: Callable[..., Following]) -> None:
    one = follow("--file", str(log), "--json")
    say(log, syslog_kill(3))
    assert one.pids(1) == [3]
    stamp = syslog_kill(3)[:21]
    say(log, stamp + "oom_reaper: reaped process 3 (java), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB\n")
    say(log, syslog_kill(3).splitlines(keepends=True)[-1])
    say(log, stamp + GROUP.replace("/toys/a", "/a") + "\n")
    assert one.silent()
    say(log, syslog_kill(4))
    assert one.pids(1) == [4]


def test_a_log_that_is_renamed_and_made_anew_is_read_on(log: Path, follow: Callable[..., Following]) -> None:
    one = follow("--file", str(log), "--json")
    writer = log.open("a")
    log.rename(log.with_suffix(".1"))
    writer.write(syslog_kill(3))  # who writes it has not been told yet
    writer.flush()
    time.sleep(0.5)
    log.write_text(syslog_kill(4))
    writer.write(syslog_kill(5))
    writer.close()
    assert sorted(one.pids(3)) == [3, 4, 5]
    say(log, syslog_kill(6))
    assert one.pids(1) == [6]
    assert one.silent()


def test_a_report_that_a_rotation_cuts_is_one_event(log: Path, follow: Callable[..., Following]) -> None:
    one = follow("--file", str(log), "--json")
    first, *rest = syslog_kill(3).splitlines(keepends=True)
    say(log, first)
    log.rename(log.with_suffix(".1"))
    log.write_text("".join(rest))
    event = one.next()
    assert (event["victim"]["pid"], event["trigger"]["comm"]) == (3, "java")
    assert one.silent()


def test_a_log_that_is_copied_and_emptied_is_read_on(log: Path, follow: Callable[..., Following]) -> None:
    one = follow("--file", str(log), "--json")
    for pid in (3, 4):
        with log.open("r+") as file:
            file.truncate()
        say(log, syslog_kill(pid))
        assert one.pids(1) == [pid]
    with log.open("r+") as file:  # as long as before when it is looked at again
        file.truncate()
        file.write(syslog_kill(5) + syslog_kill(6))
    assert one.pids(2) == [5, 6]
    assert one.silent()


def test_many_kills_through_many_rotations_are_each_told_once(log: Path, follow: Callable[..., Following]) -> None:
    one = follow("--file", str(log), "--json")
    for pid in range(3, 43):
        say(log, syslog_kill(pid))
        if pid % 10 == 0:
            log.rename(log.with_suffix(f".{pid}"))
            log.touch()
            wait_until(lambda: one.has_open(log))  # logrotate does not rotate twice between two looks
    assert one.pids(40) == list(range(3, 43))
    assert one.silent()


def test_a_log_that_is_not_there_yet_is_waited_for(tmp_path: Path, follow: Callable[..., Following]) -> None:
    log = tmp_path / "later.log"
    one = follow("--file", str(log), "--json")
    log.write_text(syslog_kill(3))
    assert one.pids(1) == [3]
    one.process.kill()
    assert b"later.log is not there yet; waiting for it" in one.stderr()


def test_the_last_ones_before_come_first_when_asked_for(log: Path, follow: Callable[..., Following]) -> None:
    one = follow("--file", str(log), "--json", "-n", "1")
    assert one.pids(1) == [2]
    say(log, syslog_kill(3))
    assert one.pids(1) == [3]
    assert one.silent()


def test_the_filters_hold_for_what_comes(log: Path, follow: Callable[..., Following]) -> None:
    one = follow("--file", str(log), "--json", "--cgroup", "/b")
    say(log, syslog_kill(3) + syslog_kill(4, cgroup="/b/c"))
    assert one.pids(1) == [4]
    assert one.silent()


def test_without_json_a_kill_is_one_line_of_text(log: Path, follow: Callable[..., Following]) -> None:
    one = follow("--file", str(log))
    say(log, syslog_kill(3))
    line = one.lines.get(timeout=PATIENCE_S).decode()
    assert "killed 3 (java), " in line
    assert line.endswith(": machine\n")


def test_a_pipe_is_told_while_it_is_open_and_its_end_is_the_end(follow: Callable[..., Following]) -> None:
    source, sink = os.pipe()
    one = follow("--file", "-", "--json", stdin=source)
    os.close(source)
    os.write(sink, syslog_kill(3).encode())
    assert one.pids(1) == [3]
    os.write(sink, syslog_kill(4).encode())
    os.close(sink)
    assert one.pids(1) == [4]
    assert one.process.wait(PATIENCE_S) == 0


def test_a_pipe_without_a_kill_ends_with_the_answer_no() -> None:
    ran = subprocess.run(
        [*OOMCTL, "history", "--follow", "-f", "-"],
        input=b"nothing\n",
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, b"", b"oomctl: history: no OOM kill in stdin\n")


def test_ctrl_c_ends_it_without_a_word(log: Path, follow: Callable[..., Following]) -> None:
    one = follow("--file", str(log))
    one.process.send_signal(signal.SIGINT)
    assert one.process.wait(PATIENCE_S) == 130
    assert one.stderr() == b""


@pytest.mark.parametrize("where", ["file", "pipe"])
def test_it_ends_when_nobody_reads_it_any_more_although_nobody_is_killed(
    log: Path, where: str, follow: Callable[..., Following]
) -> None:
    source, sink = os.pipe()
    one = subprocess.Popen(
        [*OOMCTL, "history", "--follow", "-f", str(log) if where == "file" else "-"],
        stdin=source,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert one.stdout is not None
    assert one.stderr is not None
    with suppress(subprocess.TimeoutExpired):
        one.wait(1)
    one.stdout.close()
    status = one.wait(PATIENCE_S)
    os.close(source)
    os.close(sink)
    with one.stderr:
        assert (status, one.stderr.read()) == (141, b"")


def test_waiting_costs_next_to_nothing(log: Path, follow: Callable[..., Following]) -> None:
    one = follow("--file", str(log))
    before = cpu_s(one.process.pid)
    time.sleep(3)
    assert cpu_s(one.process.pid) - before < 0.06


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        pytest.param(["3"], "3 is one event", id="an event by its number"),
        pytest.param(["--summary"], "ask for one of them", id="a summary"),
        pytest.param(["-f", "-", "-n", "2"], "stdin has no past", id="the past of a pipe"),
        pytest.param(["-f", "/proc"], "a directory", id="a directory"),
    ],
)
def test_what_does_not_go_together_is_refused_in_one_line(argv: list[str], why: str) -> None:
    ran = program("history", "--follow", *argv)
    assert (ran.status, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    assert why in ran.stderr


def test_a_compressed_log_is_refused(tmp_path: Path) -> None:
    import gzip

    path = tmp_path / "kern.log.2.gz"
    path.write_bytes(gzip.compress(b"x"))
    ran = program("history", "--follow", "-f", str(path))
    assert ran.status == 2
    assert "a compressed log does not go on" in ran.stderr
