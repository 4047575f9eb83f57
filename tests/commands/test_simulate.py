"""simulate: scopes, what-if options, documents, and the JSON that scripts rely on."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.commands.invoke import Ran, ask, program
from tests.documents import OPTIONAL_TEXT, PROCESS, assert_has
from tests.proc_tree import ProcTree
from tests.worked_cases import as_document, every_case

ZONE = """Node {node}, zone   Normal
  pages free     {free}
        min      10
        spanned  {spanned}
        present  {present}
        managed  {present}
      nr_inactive_file {file}
      nr_active_file 0
"""


@pytest.fixture
def app(server: ProcTree) -> ProcTree:
    """The server, with a limited cgroup /app (20, and 21 below it), and /free without a limit."""
    server.mount_v2()
    server.add(21, "worker", 100_000, uid=54321, cgroup="0::/app/inner\n")
    server.write("20/cgroup", "0::/app\n")
    server.write("10/cgroup", "0::/free\n")
    server.cgroup("/app", (20,), memory__max="819200000", memory__current="778600448", memory__swap__max="0")
    server.cgroup("/app/inner", (21,), memory__max="max", memory__current="409600000")
    server.cgroup("/free", (10,), memory__max="max", memory__current="1")
    server.cgroup("/empty", (), memory__max="40960", memory__current="0")
    return server


def document(proc_tree: ProcTree, *argv: str, stdin: str | None = None) -> dict[str, Any]:
    ran = ask(proc_tree, "simulate", *argv, "--json", stdin=stdin)
    assert ran.stderr == ""
    assert ran.stdout.count("\n") == 1
    found: dict[str, Any] = json.loads(ran.stdout)
    assert ran.status == (0 if found["victim"] else 1)
    return found


def victim(proc_tree: ProcTree, *argv: str) -> int | None:
    found: dict[str, int] | None = document(proc_tree, *argv)["victim"]
    return found["pid"] if found else None


def test_the_three_stages(server: ProcTree) -> None:
    ran = ask(server, "simulate")
    assert (ran.status, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert lines[0] == "20 (java) would die, 352.6MiB would be freed — certain"
    assert lines[1].startswith(
        "Why        20 (java) leads 11 (postgres) by 274.4MiB; what the killer finds may differ by "
    )
    assert lines[2].startswith("           whoever uses up all that is left, 3.8")
    assert lines[3:] == [
        "Trigger    the whole machine runs out of memory",
        "           left now: 1.91GiB of 3.81GiB, no swap",
        "Selection  3 candidates, 3 unkillable; totalpages 1000000 (3.81GiB), one point of adj is 3.9MiB",
        "           RANK  PID   ADJ    BADNESS     = RSS  + SWAP  + PGTABLES      + ADJ  COMMAND",
        "              1   20     0   352.6MiB  351.6MiB  1.0MiB     0.04MiB          0  java",
        "              2   11     0    78.2MiB   78.1MiB       0     0.04MiB          0  postgres",
        "              3   10  -100  -195.3MiB  195.3MiB       0     0.04MiB  -390.6MiB  postgres",
        "Execution  SIGKILL to 20 (java); 352.6MiB would be freed",
    ]


ROUND = {
    "outcome": str,
    "reason": str,
    "victim": dict,
    "certainty": str,
    "margin_pages": int,
    "error_bound_pages": int,
    "contenders": list,
    "killed": list,
    "freed_bytes": int,
}
DOCUMENT = {
    "schema": str,
    "kernel": str,
    "page_size": int,
    "constraint": str,
    "memcg": OPTIONAL_TEXT,
    "totalpages": int,
    **ROUND,
    "rounds": list,
}


def test_the_document_has_every_promised_field(server: ProcTree) -> None:
    found = document(server)
    assert_has(found, DOCUMENT)
    assert_has(found["victim"], PROCESS)
    assert (found["schema"], found["constraint"], found["outcome"]) == ("oomctl.simulate/1", "none", "kill")
    assert found["killed"][0] == found["victim"]
    assert [{name: found[name] for name in found["rounds"][0]}] == found["rounds"]
    assert found["contenders"] == [20]
    assert found["victim"]["badness_pages"] == 90_000 + 256 + 10
    assert found["freed_bytes"] == (90_000 + 256 + 10) * 4096
    assert (found["victim"]["rss_bytes"], found["victim"]["swap_bytes"]) == (90_000 * 4096, 256 * 4096)
    assert found["victim"]["start_time"] == 1700000000.2


def test_a_cgroup_s_own_limit_and_members_count(app: ProcTree) -> None:
    found = document(app, "--cgroup", "/app")
    assert (found["constraint"], found["memcg"], found["totalpages"]) == ("memcg", "/app", 200_000)
    assert found["victim"]["pid"] == 21
    assert found["victim"]["cgroup"] == "/app/inner"
    assert victim(app, "--cgroup", "app") == 21
    assert victim(app, "--cgroup", str(app.cgroup_mount / "app")) == 21
    assert "the memory cgroup /app hits its limit" in ask(app, "simulate", "--cgroup", "/app").stdout


def test_a_v1_cgroup_is_asked_the_same_way(server: ProcTree) -> None:
    server.mount_v1()
    for pid in (10, 20):
        server.write(f"{pid}/cgroup", "4:memory:/app\n0::/\n")
    server.cgroup("/app", (10, 20), memory__limit_in_bytes="819200000", memory__usage_in_bytes="778600448")
    found = document(server, "--cgroup", "/app")
    assert (found["memcg"], found["totalpages"], found["victim"]["pid"]) == ("/app", 200_000, 20)


def test_a_cgroup_without_a_limit_has_no_oom(app: ProcTree) -> None:
    found = document(app, "--cgroup", "/free")
    assert (found["outcome"], found["victim"], found["killed"]) == ("no_oom", None, [])
    assert found["reason"] == "the cgroup /free has no limit that it could hit"
    ran = ask(app, "simulate", "--cgroup", "/free")
    assert ran.status == 1
    assert ran.stdout.splitlines()[-1] == "Execution  no_oom: the cgroup /free has no limit that it could hit"


def test_a_cgroup_without_members_has_nobody_to_kill(app: ProcTree) -> None:
    found = document(app, "--cgroup", "/empty")
    assert (found["outcome"], found["victim"]) == ("no_killable", None)


def test_a_cgroup_that_does_not_exist_is_impossible_here(app: ProcTree) -> None:
    expected = f"oomctl: cgroup /nope: no such memory cgroup under {app.cgroup_mount}\n"
    assert ask(app, "simulate", "--cgroup", "/nope") == Ran(7, "", expected)
    assert ask(app, "top", "--cgroup", "/nope") == Ran(7, "", expected)
    assert ask(app, "explain", "20", "--cgroup", "/nope") == Ran(7, "", expected)


def test_explain_claims_no_choice_in_a_cgroup_that_has_no_limit(app: ProcTree) -> None:
    said = "oomctl: cgroup /free has no limit of its own; oomctl simulate --for TARGET finds those above it\n"
    assert ask(app, "explain", "10", "--cgroup", "/free") == Ran(7, "", said)
    assert ask(app, "explain", "20", "--cgroup", "/app").status == 0


def test_for_names_the_limit_that_is_nearest(app: ProcTree) -> None:
    app.write("zoneinfo", ZONE.format(node=0, free=500_000, spanned=1_000_000, present=1_000_000, file=0))
    found = document(app, "--for", "java")
    assert (found["memcg"], found["victim"]["pid"]) == ("/app", 21)
    lines = ask(app, "simulate", "--for", "20").stdout.splitlines()
    [nearest] = [line for line in lines if line.startswith("           nearest: ")]
    assert nearest == "           nearest: the limit of cgroup /app, 38.7MiB away"
    assert "left now" not in "".join(lines)  # one limit, one number
    assert document(app, "--for", "10")["constraint"] == "none"


@pytest.fixture
def numa(server: ProcTree) -> ProcTree:
    """Two nodes, 600,000 and 400,000 pages; java may use node 1 only, the others both."""
    zones = [
        ZONE.format(node=0, free=1000, spanned=600_000, present=600_000, file=0),
        ZONE.format(node=1, free=1000, spanned=400_000, present=400_000, file=0),
    ]
    server.write("zoneinfo", "".join(zones))
    for pid in (1, 10, 11, 20, 30, 40):
        status = (server.root / f"{pid}/status").read_text()
        for name in (f"{pid}/status", f"{pid}/task/{pid}/status"):
            server.write(name, status + f"Mems_allowed_list:\t{'1' if pid == 20 else '0-1'}\n")
    return server


def test_only_those_who_may_use_the_nodes_are_candidates(numa: ProcTree) -> None:
    found = document(numa, "--nodes", "0")
    assert (found["constraint"], found["totalpages"], found["victim"]["pid"]) == ("cpuset", 600_000, 11)
    found = document(numa, "--nodes", "1")
    assert (found["totalpages"], found["victim"]["pid"]) == (400_000, 20)
    assert document(numa, "--nodes", "0-1")["totalpages"] == 1_000_000
    assert document(numa, "--nodes", "1", "--mempolicy")["constraint"] == "mempolicy"


def test_a_node_that_does_not_exist_is_refused(numa: ProcTree) -> None:
    expected = "oomctl: node 7: no such node with memory; here are 0, 1\n"
    assert ask(numa, "simulate", "--nodes", "0,7") == Ran(2, "", expected)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], 20),
        (["--set", "java=-900"], 11),
        (["--set", "20=-1000"], 11),
        (["--set", "postgres=1000"], 10),
        (["--set", "java=-900", "--set", "11=-900"], 10),
        (["--grow", "11=1G"], 11),
        (["--grow", "11=300MiB"], 11),
        (["--grow", "11=100M"], 20),
        (["--without", "java"], 11),
        (["--without", "java", "--without", "11"], 10),
        (["--without", "java", "--set", "java=1000"], 11),
        (["--add", "1M@-1000"], 20),
        (["--add", "1M"], 20),
        (["--set", "30=0", "--grow", "30=2G"], 30),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_if(server: ProcTree, argv: list[str], expected: int) -> None:
    assert victim(server, *argv) == expected


def test_an_added_process_has_no_pid(server: ProcTree) -> None:
    found = document(server, "--add", "1G@300")
    assert (found["victim"]["pid"], found["victim"]["comm"]) == (None, "added")
    assert found["victim"]["rss_bytes"] == 1 << 30
    assert found["contenders"] == [None]
    assert found["baseline"]["victim"]["pid"] == 20
    lines = ask(server, "simulate", "--add", "1G@300").stdout.splitlines()
    assert lines[0].startswith(
        "1.00GiB fits: 927.1MiB stay; when memory runs out, the added process would die, 1.00GiB "
    )
    assert lines[0].endswith(" — certain; without the changes: 20 (java)")
    assert "Execution  SIGKILL to the added process; 1.00GiB would be freed" in lines


def test_what_does_not_fit_gets_and_gives_back_no_more_than_is_left(server: ProcTree) -> None:
    found = document(server, "--add", "1G", "--add", "6G@300")
    demand = found["demand"]
    left = 2_000_000 * 1024
    assert (demand["asked_bytes"], demand["fits"], demand["stays_bytes"]) == (7 << 30, False, 0)
    assert demand["short_by_bytes"] >= (7 << 30) - left
    assert found["freed_bytes"] <= left - (1 << 30)
    first = ask(server, "simulate", "--add", "1G", "--add", "6G@300").stdout.splitlines()[0]
    assert first.startswith("short by 5.11GiB: then the added process would die, ")


def test_what_grows_needs_room_as_well(server: ProcTree) -> None:
    demand = document(server, "--grow", "java=1G", "--add", "512M")["demand"]
    assert (demand["fits"], demand["asked_bytes"], demand["short_by_bytes"]) == (True, 3 << 29, 0)
    assert not document(server, "--grow", "java=3G")["demand"]["fits"]
    assert document(server, "--set", "java=5")["demand"] is None


def test_who_goes_makes_room(server: ProcTree) -> None:
    assert not document(server, "--add", "2G")["demand"]["fits"]
    assert document(server, "--add", "2G", "--without", "java")["demand"]["fits"]


def test_a_cgroup_has_the_room_that_its_limit_leaves(app: ProcTree) -> None:
    first = ask(app, "simulate", "--cgroup", "/app", "--add", "1G").stdout.splitlines()[0]
    assert first.startswith("short by 987.3MiB: then ")
    demand = document(app, "--cgroup", "/app", "--add", "1M")["demand"]
    assert demand["fits"]


def test_page_cache_is_room_under_the_limit_of_a_cgroup(app: ProcTree) -> None:
    (app.cgroup_mount / "app" / "memory.stat").write_text("inactive_file 10485760\nactive_file 0\n")
    app.write("zoneinfo", ZONE.format(node=0, free=500_000, spanned=1_000_000, present=1_000_000, file=0))
    assert "left now: 48.7MiB of 781.2MiB" in ask(app, "simulate", "--cgroup", "/app").stdout
    assert "nearest: the limit of cgroup /app, 48.7MiB away\n" in ask(app, "simulate", "--for", "20").stdout


def test_a_limit_above_may_be_nearer(app: ProcTree) -> None:
    first = ask(app, "simulate", "--cgroup", "/free", "--add", "1M").stdout.splitlines()[0]
    assert first.startswith("1.0MiB fits: ")
    assert (
        " stay to the machine's memory; when memory runs out, nobody would die: the cgroup /free has no limit" in first
    )
    first = ask(app, "simulate", "--cgroup", "/app/inner", "--add", "1G").stdout.splitlines()[0]
    assert first.startswith("short by 987.3MiB, for the limit of cgroup /app is nearer; at the limit asked about, ")


def test_what_is_added_is_no_longer_left(server: ProcTree) -> None:
    left = document(server)["left_bytes"]
    assert document(server, "--grow", "java=1G")["left_bytes"] == left - (1 << 30)


@pytest.mark.parametrize(("adj", "certainty"), [(300, "certain"), (-436, "close"), (-500, "close"), (-990, "certain")])
def test_what_does_not_fit_is_certain_only_whatever_is_left(server: ProcTree, adj: int, certainty: str) -> None:
    """What is available is an estimate: 1.91 GiB here, of 3.82 GiB that nobody holds."""
    found = document(server, "--add", f"100G@{adj}")
    assert found["certainty"] == certainty
    assert found["contenders"] == ([20, None] if certainty == "close" else [found["victim"]["pid"]])
    assert not (certainty == "close" and found["settled"])


def test_a_document_does_not_say_whether_it_fits(proc_tree: ProcTree, paper: Path) -> None:
    found = document(proc_tree, "--from", str(paper), "--add", "900G")
    assert found["demand"] is None
    assert found["victim"]["rss_bytes"] == 900 << 30


def test_rounds_go_on_killing(server: ProcTree) -> None:
    found = document(server, "--rounds", "2")
    assert [one["victim"]["pid"] for one in found["rounds"]] == [20, 11]
    assert [one["outcome"] for one in document(server, "--rounds", "9")["rounds"]] == ["kill"] * 3 + ["panic"]
    lines = ask(server, "simulate", "--rounds", "2").stdout.splitlines()
    assert [line[:7] for line in lines if line.startswith("Round")] == ["Round 1", "Round 2"]
    assert lines[0] == "20 (java), then 11 (postgres) would die, 430.8MiB would be freed — certain"
    ended = ask(server, "simulate", "--rounds", "9").stdout.splitlines()
    assert "; then panic: no killable process: " in ended[0]
    assert ended[-1].startswith("Round 4    panic: no killable process: ")


def test_free_goes_on_until_enough_is_freed(server: ProcTree) -> None:
    assert len(document(server, "--free", "1M")["rounds"]) == 1
    assert len(document(server, "--free", "400M")["rounds"]) == 2
    assert document(server, "--free", "100G")["rounds"][-1]["victim"] is None
    told = ask(server, "simulate", "--free", "100G").stdout
    assert "would die, only 626.1MiB of 100.00GiB would be freed — certain; then panic: " in told.splitlines()[0]
    assert len(document(server, "--free", "100G", "--rounds", "2")["rounds"]) == 2


def test_the_allocating_task_dies_where_the_kernel_is_set_so(server: ProcTree) -> None:
    assert victim(server, "--allocating", "11") == 20
    server.write("sys/vm/oom_kill_allocating_task", "1\n")
    assert victim(server, "--allocating", "11") == 11
    assert victim(server) == 20


def test_panic_on_oom_is_no_kill(server: ProcTree) -> None:
    server.write("sys/vm/panic_on_oom", "1\n")
    ran = ask(server, "simulate")
    assert ran.status == 1
    last = "Execution  panic: vm.panic_on_oom is 1: the kernel panics when the whole machine is out of memory"
    assert ran.stdout.splitlines()[-1] == last
    assert document(server)["outcome"] == "panic"


def test_another_kernel_s_rules_can_be_asked_for(proc_tree: ProcTree) -> None:
    """Of two that are equal v5.18 and later take the one scanned first, and those before the last."""
    proc_tree.add(10, "first", 5000, uid=0)
    proc_tree.add(11, "last", 5000, uid=0)
    chosen = {kernel: victim(proc_tree, "--kernel", kernel) for kernel in ("3.10", "4.14", "6.1.20", "rhel8.1")}
    assert len(set(chosen.values())) == 2
    assert document(proc_tree, "--kernel", "4.14")["kernel"] == "4.14"
    assert document(proc_tree)["certainty"] == "close"
    assert sorted(document(proc_tree)["contenders"]) == [10, 11]


def test_who_of_equals_in_cgroups_without_the_memory_controller_dies_is_not_certain(proc_tree: ProcTree) -> None:
    """They are members of /m, and visited in the order in which their css_sets were made, which nobody can see."""
    proc_tree.mount_v2()
    proc_tree.cgroup("/m", memory__max="819200000")
    for pid, name in ((20, "older"), (10, "newer")):
        proc_tree.add(pid, name, 5000, cgroup=f"0::/m/{name}\n")
        proc_tree.cgroup(f"/m/{name}", (pid,))
    found = document(proc_tree, "--cgroup", "/m")
    assert (found["certainty"], sorted(found["contenders"])) == ("close", [10, 20])
    lines = ask(proc_tree, "simulate", "--cgroup", "/m").stdout.splitlines()
    assert lines[0] in ("close: 10 (newer) or 20 (older) would die", "close: 20 (older) or 10 (newer) would die")
    assert lines[1].endswith("; it may be 10 (newer), 20 (older)")


def test_a_group_dies_together(app: ProcTree) -> None:
    app.cgroup("/app", (20,), memory__oom__group="1")
    found = document(app, "--cgroup", "/app")
    assert [process["pid"] for process in found["killed"]] == [21, 20]
    text = ask(app, "simulate", "--cgroup", "/app").stdout
    assert text.startswith("21 (worker) would die with its whole cgroup (cgroup /app, 2 processes), ")
    assert "           1 more process dies with it: 20 (java)\n" in text


@every_case
def test_every_worked_case_through_the_command_line(proc_tree: ProcTree, case: dict[str, Any]) -> None:
    found = document(proc_tree, "--from", "-", stdin=as_document(case))
    assert found["outcome"] == case["outcome"]
    assert (found["victim"] and found["victim"]["pid"]) == case["victim"]
    assert sorted(process["pid"] for process in found["killed"]) == sorted(case["killed"])
    assert found["certainty"] == "certain" or len(found["contenders"]) > 1


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    """A hand-written document."""
    tasks = [
        {"pid": 10, "ppid": 1, "uid": 0, "comm": "a", "rss": 500, "swap": 0, "pgtables_pages": 1, "adj": 0},
        {"pid": 11, "ppid": 1, "uid": 0, "comm": "b", "rss": 900, "swap": 0, "pgtables_pages": 1, "adj": -500},
    ]
    context = {
        "constraint": "none",
        "totalpages": 100_000,
        "memcgs": {"/m": {"memory_max": 5000}, "/unlimited": {"memory_max": None}},
        "nodes": {"0": {"present": 60_000}, "1": {"present": 40_000}},
    }
    tasks[1]["memcg"] = "/m"
    path = tmp_path / "paper.json"
    path.write_text(json.dumps({"kernel": "6.18", "context": context, "tasks": tasks}))
    return path


def test_a_document_is_read_from_a_file_or_stdin_alike(proc_tree: ProcTree, paper: Path) -> None:
    found = document(proc_tree, "--from", str(paper))
    piped = document(proc_tree, "--from", "-", stdin=paper.read_text())
    assert found == piped | {"host": paper.stem, "file": str(paper)}
    assert (piped["host"], piped["file"]) == ("stdin", "-")
    assert (found["victim"]["pid"], found["kernel"], found["totalpages"]) == (10, "6.18", 100_000)
    assert_has(found, DOCUMENT)


def test_a_document_needs_no_proc(paper: Path, tmp_path: Path) -> None:
    nowhere = ProcTree(tmp_path / "nowhere")
    nowhere.root.rename(tmp_path / "gone")
    assert document(nowhere, "--from", str(paper))["victim"]["pid"] == 10


@pytest.mark.parametrize(("kernel", "expected"), [("3.10", 11), ("4.4", 10), ("6.18", 11)])
def test_who_of_equals_in_a_cgroup_of_a_document_dies(proc_tree: ProcTree, kernel: str, expected: int) -> None:
    """3.10 walks it newest first and takes the first, 4.4 the oldest, 5.3 and later the last."""
    tasks = [{"pid": pid, "comm": "a", "rss": 500, "memcg": "/m"} for pid in (10, 11)]
    context = {"constraint": "none", "totalpages": 100_000, "memcgs": {"/m": {"memory_max": 5000}}}
    text = json.dumps({"kernel": kernel, "context": context, "tasks": tasks})
    assert document(proc_tree, "--from", "-", "--cgroup", "/m", stdin=text)["victim"]["pid"] == expected


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--set", "b=0"], 11),
        (["--grow", "11=1G"], 11),
        (["--without", "a"], 11),
        (["--cgroup", "/m"], 11),
        (["--cgroup", "m"], 11),
        (["--set", "cgroup:/m=0"], 11),
        (["--set", "user:0=0"], 11),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_document_can_be_asked_what_if(proc_tree: ProcTree, paper: Path, argv: list[str], expected: int) -> None:
    assert victim(proc_tree, "--from", str(paper), *argv) == expected


def test_other_scopes_of_a_document(proc_tree: ProcTree, paper: Path) -> None:
    assert document(proc_tree, "--from", str(paper), "--cgroup", "/unlimited")["outcome"] == "no_oom"
    assert document(proc_tree, "--from", str(paper), "--nodes", "1")["totalpages"] == 40_000


@pytest.mark.parametrize(
    ("argv", "status", "message"),
    [
        (["--cgroup", "/x"], 7, "cgroup /x: the document has no limits for it"),
        (["--nodes", "0,5"], 2, "--nodes 0,5: the document knows the nodes 0, 1"),
        (
            ["--for", "a"],
            2,
            "--for asks what is left under live limits; a document does not say (use --cgroup or --nodes)",
        ),
        (["--set", "nosuch=5"], 1, "nosuch: no process matches"),
        (["--without", "cmd:x"], 2, "target 'cmd:x': the document has no command lines to match"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_a_document_cannot_answer(
    proc_tree: ProcTree, paper: Path, argv: list[str], status: int, message: str
) -> None:
    assert ask(proc_tree, "simulate", "--from", str(paper), *argv) == Ran(status, "", f"oomctl: {message}\n")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "empty; expected what oomctl snapshot prints, or a kernel log"),
        ("[]", "scenario: expected an object"),
        ("{}", "kernel: missing"),
        ('{"kernel": "6.18", "context": {"constraint": "none", "totalpages": 9}}', "tasks: missing"),
        ('{"kernel": "6.18", "context": {"constraint": "none"}, "tasks": []}', "context.totalpages: missing"),
        (
            '{"kernel": "6.18", "context": {"constraint": "none", "totalpages": 9}, "tasks": [{"pid": 5}]}',
            "tasks[0].comm: missing",
        ),
        (
            '{"kernel": "6.18", "context": {"constraint": "none", "totalpages": 9},'
            ' "tasks": [{"pid": 5, "comm": "a", "rss": -1}]}',
            "tasks[0].rss: expected a whole number from 0, got -1",
        ),
        ('{"a":' * 100_000, "scenario: nested too deeply"),
        ('{"page_size": NaN}', "scenario: not JSON: NaN is not a number"),
        ('{"\x1b[31m": 1}', "scenario: not JSON"),
    ],
    ids=lambda value: value[:20],
)
def test_a_malformed_document_is_one_line_that_names_the_field(proc_tree: ProcTree, text: str, named: str) -> None:
    ran = ask(proc_tree, "simulate", "--from", "-", stdin=text)
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"oomctl: stdin: {named}")
    assert ran.stderr.count("\n") == 1


def test_a_sudden_oom_finds_what_is_there_now(proc_tree: ProcTree) -> None:
    proc_tree.write("meminfo", "MemTotal: 4000000 kB\nInactive(file): 3000000 kB\n")
    proc_tree.add(10, rss=100_000, anon=1000)
    proc_tree.add(11, rss=50_000)
    later, at_once = document(proc_tree), document(proc_tree, "--sudden")
    assert (later["certainty"], later["contenders"]) == ("close", [10, 11])
    assert (at_once["certainty"], at_once["contenders"]) == ("certain", [10])


def test_nothing_happens_at_once_on_a_node(server: ProcTree) -> None:
    server.write("zoneinfo", ZONE.format(node=0, free=1, spanned=9, present=9, file=0))
    ran = ask(server, "simulate", "--nodes", "0", "--sudden")
    assert ran.status == 2
    assert ran.stderr.startswith("oomctl: --sudden: only the whole machine can run out at once")


def test_growth_that_would_overtake_is_told_beside_what_is_left(server: ProcTree) -> None:
    server.write("meminfo", "MemTotal: 4000000 kB\nAnonPages: 3600000 kB\n")
    found = document(server)
    assert found["left_bytes"] == 400_000 * 1024 + 128 * 4096 * os.sysconf("SC_NPROCESSORS_ONLN")
    assert not found["settled"]
    assert found["overtaken_by_growth_bytes"] < found["left_bytes"]
    assert ask(server, "simulate").stdout.splitlines()[2].startswith("           whoever uses up all that is left, 39")


def test_all_that_is_left_is_not_enough(proc_tree: ProcTree) -> None:
    proc_tree.write("meminfo", "MemTotal: 4000000 kB\nAnonPages: 3900000 kB\n")
    proc_tree.add(10, rss=900_000)
    proc_tree.add(11, rss=50_000)
    assert document(proc_tree)["settled"]
    lines = ask(proc_tree, "simulate").stdout.splitlines()
    assert lines[0].endswith(" — certain, settled")
    told = lines[2]
    assert told.startswith("           settled: another one is first if it grows by 3.24GiB, and 98.")
    assert not document(proc_tree, "--without", "10")["settled"]


def test_where_nobody_can_be_seen_the_outcome_is_unknown(proc_tree: ProcTree) -> None:
    (proc_tree.root / "12").mkdir()
    proc_tree.write("12/oom_score", "no number")
    ran = ask(proc_tree, "simulate", "--json")
    found = json.loads(ran.stdout)
    assert (ran.status, found["outcome"], found["victim"], found["certainty"]) == (7, "unknown", None, "close")
    assert [doubt["id"] for doubt in found["doubts"]] == ["hidden_processes"]
    told = ask(proc_tree, "simulate").stdout
    assert told.startswith("unknown: nobody who could be killed is visible from here\n")
    assert "Execution  unknown: nobody who could be killed is visible from here" in told
    assert "1 process is hidden and not judged; root of the host sees all" in told


def test_beside_hidden_processes_nothing_is_certain(server: ProcTree) -> None:
    (server.root / "12").mkdir()
    server.write("12/oom_score", "no number")
    found = document(server)
    assert (found["outcome"], found["certainty"], found["settled"]) == ("kill", "close", False)
    assert ask(server, "simulate").stdout.startswith(
        "not certain (1 process is hidden): 20 (java) would die, 352.6MiB "
    )


def test_whoever_asks_may_die_where_the_kernel_is_set_so(server: ProcTree) -> None:
    server.write("sys/vm/oom_kill_allocating_task", "1\n")
    found = document(server)
    assert found["certainty"] == "close"
    assert set(found["contenders"]) == {10, 11, 20}
    assert [doubt["id"] for doubt in found["doubts"]] == ["allocating_task"]
    assert ask(server, "simulate").stdout.startswith("close: whoever asks for memory then (one of 3) would die\n")
    assert document(server, "--allocating", "11")["doubts"] == []


def test_fields_that_are_not_understood_make_it_uncertain(proc_tree: ProcTree, paper: Path) -> None:
    text = paper.read_text().replace('"adj"', '"oom_score_adj"', 1)
    paper.write_text(text)
    found = json.loads(ask(proc_tree, "simulate", "--from", str(paper), "--json").stdout)
    assert found["certainty"] == "close"
    assert found["doubts"][0]["message"].startswith("1 field of the document may decide")


def test_what_the_kernel_does_against_its_name_is_told(proc_tree: ProcTree, paper: Path) -> None:
    text = json.loads(paper.read_text())
    paper.write_text(json.dumps({**text, "probed": ["exact_status"]}))
    assert document(proc_tree, "--from", str(paper))["probed"] == ["exact_status"]
    told = ask(proc_tree, "simulate", "--from", str(paper)).stdout
    assert "           not as the kernel's release says: statm and stat differ" in told


def test_unknown_fields_are_named_and_ignored(proc_tree: ProcTree, paper: Path) -> None:
    written = json.loads(paper.read_text())
    written["tasks"][0]["oom_score_adj"] = 5
    paper.write_text(json.dumps(written))
    ran = ask(proc_tree, "simulate", "--from", str(paper), "--json")
    assert ran.status == 0
    assert ran.stderr == f"oomctl: {paper}: tasks[0].oom_score_adj: unknown field, ignored\n"


def test_a_page_that_came_back_from_swap_is_not_certain(proc_tree: ProcTree, tmp_path: Path) -> None:
    """Read on 6.12.117 with 8 CPUs, all swapped in again and VmSwap 0: the kernel killed 209."""
    tasks = [
        {"pid": 209, "comm": "a", "rss": 2992, "pgtables_pages": 16},
        {"pid": 210, "comm": "b", "rss": 3088, "pgtables_pages": 16},
    ]
    context = {"constraint": "none", "totalpages": 100_000, "cpus": 8, "swap_total": 24576}
    path = tmp_path / "scenario.json"
    path.write_text(json.dumps({"kernel": "6.12.117", "context": context, "tasks": tasks}))
    answer = json.loads(ask(proc_tree, "simulate", "--json", "--from", str(path)).stdout)
    assert (answer["certainty"], sorted(answer["contenders"])) == ("close", [209, 210])


@pytest.fixture
def v1(server: ProcTree) -> ProcTree:
    """The server with cgroups of version 1: /app (20) and /app/inner (10)."""
    server.mount_v1()
    for pid, path in ((20, "/app"), (10, "/app/inner")):
        server.write(f"{pid}/cgroup", f"4:memory:{path}\n0::/\n")
        server.cgroup(path, (pid,), memory__limit_in_bytes="819200000", memory__usage_in_bytes="778600448")
    return server


def test_a_cgroup_that_disables_the_killer_kills_nobody(v1: ProcTree) -> None:
    v1.cgroup("/app", (20,), memory__oom_control="oom_kill_disable 1\nunder_oom 0\noom_kill 0\n")
    found = document(v1, "--cgroup", "/app")
    assert (found["outcome"], found["victim"], found["killed"]) == ("no_kill_disabled", None, [])
    assert found["reason"].startswith("oom_kill_disable is set on /app: ")
    assert document(v1, "--for", "20")["outcome"] == "no_kill_disabled"
    written = ask(v1, "snapshot", "--cgroup", "/app").stdout
    assert json.loads(written)["context"]["oom_kill_disable"] is True
    assert document(v1, "--from", "-", stdin=written)["outcome"] == "no_kill_disabled"


def test_a_snapshot_remembers_a_cgroup_without_a_hierarchy(v1: ProcTree) -> None:
    assert victim(v1, "--cgroup", "/app", "--without", "20") == 10
    v1.cgroup("/app", (20,), memory__use_hierarchy="0\n")
    assert victim(v1, "--cgroup", "/app", "--without", "20") is None
    written = ask(v1, "snapshot").stdout
    assert json.loads(written)["context"]["memcgs"]["/app"]["use_hierarchy"] is False
    found = document(v1, "--from", "-", "--cgroup", "/app", "--without", "java", stdin=written)
    assert found["victim"] is None


def test_for_is_refused_where_the_limits_cannot_be_seen(server: ProcTree) -> None:
    server.write("20/cgroup", "4:memory:/app\n0::/\n")
    ran = ask(server, "simulate", "--for", "20")
    assert (ran.status, ran.stdout) == (7, "")
    assert ran.stderr.startswith("oomctl: 20 is in the cgroup /app, and no memory controller is mounted here: ")


@pytest.mark.parametrize("command", ["simulate", "forecast"])
def test_a_thread_is_no_process_that_a_limit_is_asked_for(command: str) -> None:
    """/proc has a directory for it, which no list shows."""
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        ran = program(command, "--for", str(thread.native_id))
    finally:
        ended.set()
        thread.join()
    assert ran == Ran(1, "", f"oomctl: {thread.native_id}: no process matches\n")
