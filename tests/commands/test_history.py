"""``oomctl history``: what was killed, why, and whether the rules agree."""

from __future__ import annotations

import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from oomctl.cli.main import cli
from tests.oomlog.real_logs import INDEX, LOGS
from tests.runner import runner

MYSQLD, MAL = LOGS / "3.x-machine-swap-decides.log", LOGS / "3.7-memcg-with-mem-info.log"
EVENT_FIELDS = {
    *("index", "time", "kernel", "constraint", "memcg", "totalpages", "page_size", "trigger"),
    *("victim", "killed", "tasks", "complete", "replay"),
}


def run(*args: str, document: bytes | None = None) -> Any:
    return runner().invoke(cli, args, input=document)


@pytest.mark.parametrize("entry", INDEX.values(), ids=lambda entry: str(entry["id"]))
def test_every_log_gives_the_victim_of_its_index(entry: dict[str, Any]) -> None:
    result = run("history", "--file", str(LOGS / f"{entry['id']}.log"), "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["schema"] == "oomctl.history/1"
    (event,) = document["events"]
    assert event.keys() >= EVENT_FIELDS
    victim = event["victim"] or {"pid": None, "comm": None}
    assert (victim["pid"], victim["comm"]) == (entry["victim_pid"], entry["victim_comm"])
    assert [kill["pid"] for kill in event["killed"][:1]] == ([] if event["victim"] is None else [victim["pid"]])


@pytest.mark.parametrize("entry", INDEX.values(), ids=lambda entry: str(entry["id"]))
def test_every_event_can_be_told_in_full(entry: dict[str, Any]) -> None:
    result = run("history", "1", "--file", str(LOGS / f"{entry['id']}.log"))
    assert result.exit_code == 0, result.stderr
    nobody = "nobody" if "panic" in entry["tags"] else "not in the log"
    victim = nobody if entry["victim_pid"] is None else f"{entry['victim_pid']} ("
    assert f"Victim    {victim}" in result.stdout


def test_a_line_for_each_event(tmp_path: Path) -> None:
    log = tmp_path / "kern.log"
    log.write_bytes(MYSQLD.read_bytes() + MAL.read_bytes())
    result = run("history", "-f", str(log))
    header, first, second = result.stdout.splitlines()
    assert header.split() == ["N", "TIME", "LIMIT", "TRIGGER", "VICTIM", "RSS", "ADJ", "AGREES"]
    assert first.split()[-6:] == ["?", "4402", "(mysqld)", "1.68GiB", "0", "yes"]
    assert second.split()[-7:] == ["/1", "mal-80", "2376", "(mal-80)", "69.7MiB", "0", "yes"]
    assert run("history", "-f", str(log), "-n", "1").stdout.splitlines()[1].split() == second.split()


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_compressed_logs_are_read(tmp_path: Path, suffix: str, compress: Any) -> None:
    log = tmp_path / f"kern.log{suffix}"
    log.write_bytes(compress(MYSQLD.read_bytes()))
    assert "4402 (mysqld)" in run("history", "-f", str(log)).stdout


def test_stdin_is_read() -> None:
    assert "4402 (mysqld)" in run("history", "-f", "-", document=MYSQLD.read_bytes()).stdout


@pytest.mark.parametrize(
    ("argv", "status", "complaint"),
    [
        pytest.param(["-f", "/nonexistent"], 2, "/nonexistent: no such file", id="no such file"),
        pytest.param(["-f", "/etc"], 2, "/etc: a directory; expected a regular file", id="a directory"),
        pytest.param(["-f", "/dev/null"], 2, "/dev/null: a device; expected a regular file", id="a device"),
        pytest.param(["-f", "-"], 1, "history: no OOM kill in stdin", id="an empty log"),
        pytest.param(["-f", str(MYSQLD), "7"], 1, "has no event 7", id="no such event"),
        pytest.param(["0"], 2, "'0' is not the number of an event", id="events count from 1"),
        pytest.param(["--since", "teatime"], 2, "'teatime' is not a time", id="not a time"),
    ],
)
def test_errors_are_one_line(argv: list[str], status: int, complaint: str) -> None:
    result = run("history", *argv)
    assert (result.exit_code, result.stdout) == (status, "")
    assert complaint in result.stderr
    assert result.stderr.count("\n") == 1


def test_since_leaves_out_what_is_older_and_keeps_what_has_no_date(tmp_path: Path) -> None:
    dated = "".join(
        f"2026-01-0{day}T03:04:05,000000+00:00 Out of memory: Killed process {day} (a) total-vm:1kB, anon-rss:1kB,"
        " file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:1kB oom_score_adj:0\n"
        for day in (2, 4)
    )
    log = tmp_path / "kern.log"
    log.write_text(dated)
    result = run("history", "-f", str(log), "--since", "2026-01-03", "--json")
    assert [event["victim"]["pid"] for event in json.loads(result.stdout)["events"]] == [4]
    undated = run("history", "-f", str(MYSQLD), "--since", "2026-01-03")
    assert "4402 (mysqld)" in undated.stdout
    assert "no full date" in undated.stderr


def test_a_log_can_be_asked_what_if(tmp_path: Path) -> None:
    log = tmp_path / "kern.log"
    log.write_bytes(MAL.read_bytes() + MYSQLD.read_bytes())
    plain = json.loads(run("simulate", "--from", f"{log}#2", "--json").stdout)
    assert plain["victim"]["pid"] == 4402
    protected = json.loads(run("simulate", "--from", f"{log}#2", "--set", "mysqld=-1000", "--json").stdout)
    assert protected["victim"]["pid"] == 10537
    assert protected["baseline"]["victim"]["pid"] == 4402
    assert run("simulate", "--from", f"{log}#3").exit_code == 1


def test_a_log_without_a_kill_is_told_what_its_words_mean(tmp_path: Path) -> None:
    log = tmp_path / "pod.txt"
    log.write_text("Last State:     Terminated\n  Reason:       OOMKilled\n  Exit Code:    137\n")
    ran = run("history", "--file", str(log))
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert f"no OOM kill in {log}; OOMKilled is what a runtime says of a container" in ran.stderr
