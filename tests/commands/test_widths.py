"""Every list on a terminal of 80 columns: no line that it would break, no number that is cut."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.commands.invoke import ask
from tests.commands.terminal import terminal, without_sequences
from tests.policy.rules import rule
from tests.proc_tree import ProcTree

PASTED = Path(__file__).parents[1] / "data" / "pasted"
ID = "00748bf4e957f82c239a1db8a88579059b7d40c7b5fbd3f43617d31d3f646f12"
POD = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podeded8c65_6e8e_4c6e_a889_3e427565c740.slice"
LARGEST = [  # of each number the widest text that there is
    {"pid": pid, "ppid": 1, "uid": 0, "comm": f"fifteen-bytes-{pid % 10}", "rss": 262_100, "swap": 262_100}
    | {"pgtables_pages": 262_100, "adj": -999}
    for pid in range(4_194_300, 4_194_304)
]


def shown(argv: Sequence[str], columns: int = 80, **env: str) -> list[str]:
    with terminal(columns, 50) as screen:
        assert screen.ended(screen.start(*argv, **env)) in (0, 1)
        return without_sequences(screen.written).replace("\r", "").splitlines()


def too_wide(lines: Sequence[str], columns: int = 80) -> list[str]:
    return [line for line in lines if len(line) > columns]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    log = tmp_path_factory.mktemp("logs") / "kern.log"
    log.write_bytes(b"\n".join(path.read_bytes() for path in sorted(PASTED.glob("*.log"))))
    return log


@pytest.mark.parametrize("columns", [80, 100, 132])
def test_the_list_of_all_pasted_kills(everything: Path, columns: int) -> None:
    lines = shown(["history", "--file", str(everything)], columns)
    assert len(lines) > 40
    assert too_wide(lines, columns) == []


@pytest.mark.parametrize(
    ("name", "limit"),
    [("15-k8s-in-lxc-elided.log", " pod eded8c65 "), ("13-lxc-nested-grep.log", "pulse.service ")],
)
def test_the_list_of_one_log_says_which_container(name: str, limit: str) -> None:
    lines = shown(["history", "--file", str(PASTED / name)])
    assert too_wide(lines) == []
    assert any(limit in line for line in lines)


@pytest.mark.parametrize("name", ["15-k8s-in-lxc-elided.log", "01-haos-reverse.log", "28-eks-no-limit-line.log"])
def test_an_event_in_full_breaks_no_word_and_a_path_only_at_its_slashes(name: str) -> None:
    argv = ["history", "--file", str(PASTED / name), "1"]
    lines = [line.strip() for line in shown(argv)]
    whole = [line.strip() for line in shown(argv, 400)]
    ids = [part for line in whole if line.startswith("/") for part in line.split("/") if len(part) > 60]
    assert ids
    assert all(any(part in line for line in lines) for part in ids)
    # The one part that is longer than a line stands on its own.
    assert all(line.count("/") == 1 for line in too_wide(lines))


def test_the_largest_numbers_of_a_simulation(tmp_path: Path) -> None:
    context = {"constraint": "none", "totalpages": 300_000_000}
    document = {"schema": "oomctl.scenario/1", "kernel": "6.12", "page_size": 4096, "context": context}
    scenario = tmp_path / "scenario.json"
    scenario.write_text(json.dumps({**document, "tasks": LARGEST}))
    lines = shown(["simulate", "--from", str(scenario)])
    assert too_wide(lines) == []
    row = next(line for line in lines if line.strip().startswith("4194303 -999 ")).split()
    assert row[:6] == ["4194303", "-999", row[2], "1023.8MiB", "1023.8MiB", "1023.8MiB"]


@pytest.mark.parametrize("columns", [80, 60, 40])
def test_a_simulation_breaks_no_word_and_no_number(server: ProcTree, columns: int) -> None:
    lines = shown(["simulate", "--add", "40G@300", "--rounds", "2"], columns, OOMCTL_PROC=str(server.root))
    assert too_wide(lines, columns) == []
    whole = ask(server, "simulate", "--add", "40G@300", "--rounds", "2").stdout.split()
    titles = {"RANK", "+", "-", "=", "SWAP", "PGTABLES"}  # columns that may go
    assert set(" ".join(lines).split()) <= {*whole, *titles}


@pytest.mark.parametrize("columns", [80, 40])
def test_an_explanation_ends_with_the_command_cut_between_words(server: ProcTree, columns: int) -> None:
    server.write("20/cmdline", b"\0".join([b"java", *[b"-Dkey=value"] * 300]))
    lines = shown(["explain", "20"], columns, OOMCTL_PROC=str(server.root))
    assert too_wide(lines, columns) == []
    assert lines[0] == "20 (java) would die first — certain"
    begins = next(index for index, line in enumerate(lines) if line.startswith("  command:  java"))
    folded = lines[begins + 1 :]
    assert 3 <= len(folded) <= 8
    assert all(line.startswith(" " * 12) for line in folded)
    assert ask(server, "explain", "20").stdout.count("-Dkey=value") == 300


def test_the_answer_alone_is_bold_on_a_terminal(server: ProcTree) -> None:
    for argv in (["simulate"], ["explain", "20"]):
        with terminal(80, 50) as screen:
            assert screen.ended(screen.start(*argv, OOMCTL_PROC=str(server.root))) == 0
        answer, _, rest = screen.written.partition("\r\n")
        assert (answer[:4], answer[-4:]) == ("\x1b[1m", "\x1b[0m")
        assert "\x1b" not in answer[4:-4] + rest
        with terminal(80, 50) as screen:
            assert screen.ended(screen.start(*argv, OOMCTL_PROC=str(server.root), TERM="dumb")) == 0
        assert "\x1b" not in screen.written


def test_the_ranking_shortens_cgroups_and_keeps_numbers(server: ProcTree) -> None:
    cgroup = f"0::{POD}/cri-containerd-{ID}.scope\n"
    server.mount_v2()
    server.add(4_194_303, "fifteen-bytes-n", 262_100, swap=262_100, uid=0, score=900, cgroup=cgroup)
    lines = shown(["top", "--once"], OOMCTL_PROC=str(server.root))
    assert too_wide(lines) == []
    row = next(line for line in lines if "4194303" in line)
    assert "2.00GiB" in row
    assert " 00748bf4e957 " in row


def test_a_pipe_gets_the_whole_path_of_a_cgroup_and_its_short_name(server: ProcTree) -> None:
    path = f"{POD}/cri-containerd-{ID}.scope"
    server.mount_v2()
    server.add(50, "web", 262_100, score=900, cgroup=f"0::{path}\n")
    ran = ask(server, "top", "-n", "1", "-o", "cgroup,group")
    assert ran.stdout.splitlines()[1] == f"{path}  pod eded8c65 container 00748bf4e957"
    assert ask(server, "top", "-n", "1", "-o", "group", "--format", "tsv").stdout.splitlines()[1].endswith(".scope")
    assert ask(server, "explain", "50").stdout.splitlines()[1].endswith(", pod eded8c65 container 00748bf4e957")


def test_a_policy_with_long_reasons(server: ProcTree, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    reason = "the data of everybody, " * 5
    policy.write_text(rule("postgres", -900, reason=reason) + rule("java", 300, reason=reason))
    for command in ("diff", "explain", "check"):
        argv = ["policy", command, *(["postgres"] if command == "explain" else []), "-f", str(policy)]
        lines = shown(argv, OOMCTL_PROC=str(server.root))
        assert lines
        assert [line for line in too_wide(lines) if str(policy) not in line] == []
