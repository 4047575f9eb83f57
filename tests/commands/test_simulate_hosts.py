"""simulate --from DIR: many snapshots in one table, each answered as if it was asked alone."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from oomctl.cli.main import cli
from tests.commands.invoke import OOMCTL, ROOT, Ran, program
from tests.commands.terminal import terminal, without_sequences
from tests.documents import errors_in
from tests.oomlog.real_logs import LOGS
from tests.runner import runner
from tests.worked_cases import CASES, as_document

SIZES = {"java": 5000, "postgres": 4000, "sshd": 900}


def simulate(*argv: str | Path, stdin: str | None = None) -> Ran:
    result = runner().invoke(cli, ("simulate", *map(str, argv)), input=stdin, env={"OOMCTL_PROC": "/nowhere"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


def documents(*argv: str | Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in simulate("--json", *argv).stdout.splitlines()]
    assert [error for document in found for error in errors_in(document)] == []
    return found


def snapshot(**sizes: int) -> str:
    """Return a machine on which these processes have so many pages; PIDs from 10 on."""
    tasks = [
        {"pid": pid, "ppid": 1, "uid": 0, "comm": comm, "rss": rss, "swap": 0, "pgtables_pages": 0, "adj": 0}
        for pid, (comm, rss) in enumerate(sizes.items(), 10)
    ]
    context = {"constraint": "none", "totalpages": 100_000}
    return json.dumps({"schema": "oomctl.scenario/1", "kernel": "6.1", "context": context, "tasks": tasks})


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    """Two hosts, of which one has no postgres; the second is compressed."""
    directory = tmp_path / "hosts"
    directory.mkdir()
    (directory / "web1.json.gz").write_bytes(gzip.compress(snapshot(java=5000, sshd=900).encode()))
    (directory / "db1.json").write_text(snapshot(postgres=6000, java=5000))
    return directory


def cells(ran: Ran) -> list[list[str]]:
    """Return the lines without the titles and the sum, cut where there are two blanks."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in ran.stdout.splitlines()[1:-1]]


@pytest.mark.parametrize("options", [(), ("--rounds", "3"), ("--add", "1G@300"), ("--kernel", "4.14")], ids=" ".join)
def test_every_worked_case_is_answered_as_if_it_was_asked_alone(tmp_path: Path, options: tuple[str, ...]) -> None:
    for index, case in enumerate(CASES):
        (tmp_path / f"{index:03}.json").write_text(as_document(case))
    alone = [simulate("--json", *options, "--from", tmp_path / f"{index:03}.json") for index in range(len(CASES))]
    together = simulate("--json", *options, "--from", tmp_path)
    answers = [line for line in together.stdout.splitlines() if '"oomctl.error/1"' not in line]
    assert answers == [ran.stdout.removesuffix("\n") for ran in alone if '"oomctl.error/1"' not in ran.stdout]
    assert len(together.stdout.splitlines()) == len(CASES)
    statuses = {ran.status for ran in alone}
    failed = len(answers) < len(CASES)
    assert together.status == (3 if failed else max(status or 0 for status in statuses))


def test_kernel_logs_are_answered_as_if_each_was_asked_alone() -> None:
    logs = sorted(LOGS.glob("*.log"))[::5]
    told = {document["file"]: document for document in documents("--from", *logs)}
    assert len(told) == len(logs) > 20
    for log in logs:
        ran = simulate("--json", "--from", log)
        alone = json.loads(ran.stdout)
        assert told[str(log)] == alone | ({"host": log.name, "file": str(log)} if ran.status not in (0, 1) else {})


def test_hosts_stand_in_the_order_of_their_names_with_their_sum_at_the_end(hosts: Path) -> None:
    ran = simulate("--from", hosts)
    assert ran.stdout.split("\n")[0].split() == ["HOST", "VICTIM", "FREES", "CERTAINTY"]
    assert cells(ran) == [
        ["db1", "10 (postgres)", "23.4MiB", "certain"],
        ["web1", "10 (java)", "19.5MiB", "certain"],
    ]
    assert (ran.status, ran.stdout.splitlines()[-1], ran.stderr) == (0, "2 hosts: 2 certain", "")


def test_a_what_if_shows_before_and_after_and_counts_the_changes(hosts: Path) -> None:
    ran = simulate("--from", hosts, "--set", "postgres=-900")
    assert ran.stdout.split("\n")[0].split() == ["HOST", "BEFORE", "VICTIM", "FREES", "CERTAINTY"]
    assert cells(ran) == [
        ["db1", "10 (postgres)", "→ 11 (java)", "19.5MiB", "certain"],
        ["web1", "10 (java)", "10 (java)", "19.5MiB", "certain; no postgres"],
    ]
    assert ran.stdout.splitlines()[-1] == "2 hosts: 2 certain; the what-if changes the victim on 1"
    assert (ran.status, ran.stderr) == (0, "")


@pytest.mark.parametrize("option", ["--set=nosuch=5", "--grow=nosuch=1G", "--without=nosuch", "--allocating=nosuch"])
def test_a_target_that_is_on_no_host_is_an_error_after_the_answers(hosts: Path, option: str) -> None:
    ran = simulate("--from", hosts, option, "--without", "postgres")
    assert (ran.status, ran.stderr) == (1, "oomctl: simulate: nosuch: no process matches on any of these hosts\n")
    missing = [set(line[-1].split("; ")[1:]) for line in cells(ran)]
    assert missing == [{"no nosuch"}, {"no nosuch", "no postgres"}]


def test_json_says_which_targets_are_missing_on_which_host(hosts: Path) -> None:
    found = documents("--from", hosts, "--set", "postgres=-900")
    assert [(one["host"], one["file"], one["missing"]) for one in found] == [
        ("db1", str(hosts / "db1.json"), []),
        ("web1", str(hosts / "web1.json.gz"), ["postgres"]),
    ]


def test_what_a_shell_makes_of_a_pattern_is_asked_like_a_directory(hosts: Path) -> None:
    files = sorted(hosts.iterdir())
    whole = simulate("--from", hosts)
    assert simulate("--from", *files) == whole
    assert simulate("--from", files[0], "--from", files[1]) == whole
    assert simulate("--from", files[0], "--rounds", "2", files[1]) == simulate("--from", hosts, "--rounds", "2")
    assert simulate("--from", hosts, *files).stdout.splitlines()[-1] == "4 hosts: 4 certain"


def test_only_snapshots_of_the_directory_itself_are_asked(hosts: Path) -> None:
    whole = simulate("--from", hosts)
    (hosts / "below.json").mkdir()
    for name in ("below.json/host.json", ".hidden.json", "notes.txt", "db1.json~", "json"):
        (hosts / name).write_text(snapshot(sshd=1))
    assert simulate("--from", hosts) == whole


def test_one_snapshot_in_a_directory_is_a_table_too(hosts: Path) -> None:
    (hosts / "web1.json.gz").unlink()
    assert simulate("--from", hosts).stdout.splitlines()[-1] == "1 host: 1 certain"


def test_a_directory_without_a_snapshot_is_refused(tmp_path: Path) -> None:
    said = "no snapshot in it; expected files called *.json, *.json.gz or *.json.xz"
    assert simulate("--from", tmp_path) == (2, "", f"oomctl: {tmp_path}: {said}\n")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty; expected what oomctl snapshot prints, or a kernel log"),
        (snapshot(java=1).encode()[:-20], "scenario: not JSON: "),
        (b'{"schema": "oomctl.scenario/2"}', "schema: expected oomctl.scenario/1"),
        (b"{" + b" " * (9 << 20), "scenario: larger than 8 MiB"),
        (b"[" * 400_000, "no OOM report in it"),
        (b"\x1f\x8b\x08broken", "damaged compressed file"),
    ],
    ids=["empty", "cut off", "another schema", "too large", "too deep", "damaged"],
)
def test_what_is_broken_is_told_in_one_line_and_the_others_are_answered(hosts: Path, content: bytes, said: str) -> None:
    (hosts / "a.json").write_bytes(content)
    ran = simulate("--from", hosts)
    assert ran.status == 3
    assert ran.stderr.startswith(f"oomctl: {hosts / 'a.json'}: ")
    assert said in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert cells(ran)[0] == ["a", "-", "-", "not answered"]
    assert ran.stdout.splitlines()[-1] == "3 hosts: 2 certain, 1 not answered"
    failure, *answers = documents("--from", hosts)
    assert (failure["schema"], failure["host"], failure["error"]) == ("oomctl.error/1", "a", ran.stderr[8:-1])
    assert [one["victim"]["comm"] for one in answers] == ["postgres", "java"]
    failed = simulate("--from", hosts, "--format", "tsv").stdout.splitlines()[1].split("\t")
    assert (failed[0], failed[-1]) == ("a", ran.stderr[8:-1])


def test_a_fifo_is_not_waited_for(hosts: Path) -> None:
    os.mkfifo(hosts / "a.json")
    ran = program("simulate", "--from", str(hosts))
    assert (ran.status, ran.stderr) == (3, f"oomctl: {hosts / 'a.json'}: a FIFO; expected a regular file\n")


@pytest.mark.parametrize("target", ["a.json", "nowhere"])
def test_a_link_that_leads_nowhere_is_one_host_without_an_answer(hosts: Path, target: str) -> None:
    (hosts / "a.json").symlink_to(target)
    ran = simulate("--from", hosts)
    assert (ran.status, ran.stderr.count("\n")) == (3, 1)
    assert ran.stderr.startswith(f"oomctl: {hosts / 'a.json'}: ")
    assert ran.stdout.splitlines()[-1] == "3 hosts: 2 certain, 1 not answered"


def test_hosts_of_the_same_name_are_told_apart_by_their_files(hosts: Path, tmp_path: Path) -> None:
    (other := tmp_path / "other").mkdir()
    (other / "db1.json").write_text(snapshot(java=5000))
    assert [line[0] for line in cells(simulate("--from", hosts, "--from", other))] == [
        str(hosts / "db1.json"),
        "web1",
        str(other / "db1.json"),
    ]
    assert {one["host"] for one in documents("--from", hosts, "--from", other)} == {"db1", "web1"}


def test_every_failure_begins_with_the_file_even_where_its_name_is_a_letter_of_the_sentence(
    hosts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(hosts)
    Path("e").write_text(snapshot(java=5))
    ran = simulate("--from", "e", "--from", "-", "--cgroup", "/x", stdin=snapshot(java=5))
    said = "cgroup /x: the document has no limits for it"
    assert ran.stderr == f"oomctl: e: {said}\noomctl: stdin: {said}\n"
    assert simulate("--from", "e", "--from", "-", stdin="").stderr.startswith("oomctl: stdin: empty; ")


def test_where_nothing_can_be_answered_nothing_is_printed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text("{")
    ran = simulate("--from", tmp_path)
    assert (ran.status, ran.stdout, ran.stderr.count("\n")) == (2, "", 2)
    (found,) = documents("--from", tmp_path)
    assert (found["schema"], found["exit_status"]) == ("oomctl.error/1", 2)


def test_a_host_on_which_nobody_would_die_makes_the_answer_no(hosts: Path) -> None:
    panic = json.loads(snapshot(java=5))
    panic["context"]["panic_on_oom"] = 2
    (hosts / "z.json").write_text(json.dumps(panic))
    ran = simulate("--from", hosts)
    assert (ran.status, ran.stdout.splitlines()[-1]) == (1, "3 hosts: 2 certain, 1 without a victim")
    assert cells(ran)[-1][-1] == "panic: vm.panic_on_oom is 2: the kernel panics instead of killing"


def test_who_is_close_is_named_and_of_several_counted(tmp_path: Path) -> None:
    for name, sizes in (("two", {"a": 5000, "b": 4999}), ("three", {"a": 5000, "b": 4999, "c": 4998})):
        machine = json.loads(snapshot(**sizes))
        machine["context"]["cpus"] = 8
        (tmp_path / f"{name}.json").write_text(json.dumps(machine))
    assert [line[-1] for line in cells(simulate("--from", tmp_path))] == ["close with 2 others", "close with 11 (b)"]


def test_several_rounds_are_told_in_one_line(hosts: Path) -> None:
    assert cells(simulate("--from", hosts, "--rounds", "2")) == [
        ["db1", "10 (postgres), then 11 (java)", "43.0MiB", "certain"],
        ["web1", "10 (java), then 11 (sshd)", "23.0MiB", "certain"],
    ]


def test_tsv_has_the_values_of_the_json_and_a_line_for_each_round(hosts: Path) -> None:
    argv = ("--from", hosts, "--set", "postgres=-900", "--rounds", "2")
    header, *lines = [line.split("\t") for line in simulate(*argv, "--format", "tsv").stdout.splitlines()]
    assert {len(line) for line in lines} == {len(header)}
    told = iter(dict(zip(header, line)) for line in lines)
    for document in documents(*argv):
        for number, one in enumerate(document["rounds"], start=1):
            row = next(told)
            assert row == {
                "host": document["host"],
                "file": document["file"],
                "round": str(number),
                "outcome": one["outcome"],
                "pid": str(one["victim"]["pid"]),
                "comm": one["victim"]["comm"],
                "oom_score_adj": str(one["victim"]["oom_score_adj"]),
                "freed_bytes": str(one["freed_bytes"]),
                "certainty": one["certainty"],
                "contenders": str(len(one["contenders"])),
                "outcome_before": "kill" if document["baseline"] else "",
                "pid_before": str(document["baseline"]["victim"]["pid"]) if document["baseline"] else "",
                "comm_before": document["baseline"]["victim"]["comm"] if document["baseline"] else "",
                "changed": "true" if document["host"] == "db1" else "false",
                "missing": " ".join(document["missing"]),
                "error": "",
            }
    assert next(told, None) is None


def test_names_cannot_speak_to_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "a\x1b[2J\n.json").write_text(snapshot(**{"\x1b]0;x\x07": 5000}))
    (tmp_path / "b\x1b[2J\n.json").write_text("{")
    for argv in ((), ("--format", "tsv"), ("--set", "\x1b[2J=5")):
        ran = simulate("--from", tmp_path, *argv)
        assert "\x1b" not in ran.stdout + ran.stderr
        assert r"a\x1b[2J\n" in ran.stdout
        assert len(ran.stdout.splitlines()) == (3 if "tsv" in argv else 4)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--for", "java"), "--for asks what is left under live limits; no snapshot says that"),
        (("--sudden", "--nodes", "0"), "--sudden: only the whole machine can run out at once"),
        (("--kernel", "x"), "x"),
    ],
)
def test_what_no_snapshot_can_say_is_refused_once(hosts: Path, argv: tuple[str, ...], said: str) -> None:
    ran = simulate("--from", hosts, *argv)
    assert (ran.status, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    assert said in ran.stderr


def test_a_cgroup_that_one_host_does_not_know_is_that_hosts_failure(hosts: Path) -> None:
    known = json.loads(snapshot(java=5000))
    known["context"]["memcgs"] = {"/app": {"path": [{"limit": 10_000}]}}
    known["tasks"][0]["memcg"] = "/app"
    (hosts / "a.json").write_text(json.dumps(known))
    ran = simulate("--from", hosts, "--cgroup", "/app")
    assert ran.status == 3
    assert f"oomctl: {hosts / 'db1.json'}: cgroup /app: the document has no limits for it\n" in ran.stderr


def test_a_line_is_printed_before_the_next_snapshot_is_there(hosts: Path) -> None:
    argv = [*OOMCTL, "simulate", "--from", str(hosts / "db1.json"), "--from", "-"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline().startswith("HOST")
        assert process.stdout.readline().startswith("db1")
        rest, _ = process.communicate(snapshot(java=5000), timeout=60)
    assert rest.splitlines()[0].split()[:3] == ["stdin", "10", "(java)"]
    assert process.returncode == 0


def test_a_reader_that_goes_ends_it_quietly(hosts: Path) -> None:
    for number in range(300):
        (hosts / f"host{number}.json").write_text(snapshot(java=5000))
    command = f"{' '.join(OOMCTL)} simulate --from {hosts} | head -n 1; exit ${{PIPESTATUS[0]}}"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=env, check=False, timeout=60)
    assert (ran.returncode, ran.stdout.count("\n"), ran.stderr) == (141, 1, "")


@pytest.mark.terminal
@pytest.mark.parametrize("columns", [132, 80, 60, 40])
def test_a_table_on_a_terminal_has_no_line_that_it_would_break(tmp_path: Path, columns: int) -> None:
    sizes = {"fifteen-bytes-1": 250_000_000, "fifteen-bytes-2": 249_999_990}
    (tmp_path / f"{'a-long-name.' * 5}example.org.json").write_text(snapshot(**sizes))
    (tmp_path / "b.json").write_text(snapshot(**sizes, **SIZES))
    with terminal(columns, 50) as screen:
        argv = ("simulate", "--from", str(tmp_path), "--set", "fifteen-bytes-1=-900", "--without", "nosuch")
        assert screen.ended(screen.start(*argv)) in (0, 1)
        lines = without_sequences(screen.written).replace("\r", "").splitlines()
    assert [line for line in lines[:3] if len(line) > columns] == []
    assert [line.split()[0][:1] for line in lines[1:3]] == ["a", "b"]
    assert all("11 (fif" in line for line in lines[1:3])
