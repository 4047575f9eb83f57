"""top: columns, order, filters and formats of the ranking."""

from __future__ import annotations

import json
import re

import pytest

from tests.commands.invoke import Ran, ask
from tests.documents import PROCESS, assert_has
from tests.proc_tree import ProcTree
from tests.small_server import RANKING

TSV = """\
rank\tpid\tuser\toom_score\toom_score_adj\tbadness_bytes\trss_bytes\tswap_bytes\tpgtables_bytes\tgroup\tcomm
1\t20\t54321\t726\t0\t369729536\t368640000\t1048576\t40960\t\tjava
2\t11\troot\t679\t0\t81960960\t81920000\t0\t40960\t\tpostgres
3\t10\troot\t600\t-100\t-204759040\t204800000\t0\t40960\t\tpostgres
\t1\troot\t0\t0\t\t1228800\t0\t40960\t\tsystemd
\t30\troot\t0\t-1000\t\t20480000\t0\t40960\t\tsafe
\t40\troot\t0\t0\t\t0\t0\t0\t\tkworker/0:1
"""


def pids(proc_tree: ProcTree, *argv: str) -> list[int]:
    ran = ask(proc_tree, "top", "--format", "tsv", "-o", "pid", *argv)
    assert (ran.status, ran.stderr) == (0, "")
    return [int(line) for line in ran.stdout.splitlines()[1:]]


def test_plain_text_in_a_pipe(server: ProcTree) -> None:
    assert ask(server, "top") == Ran(0, RANKING, "")
    assert ask(server, "top", "--once") == Ran(0, RANKING, "")
    assert ask(server, "top", "--format", "plain") == Ran(0, RANKING, "")


def test_tab_separated_values_are_bytes_and_nothing(server: ProcTree) -> None:
    assert ask(server, "top", "--format", "tsv") == Ran(0, TSV, "")


def test_the_document(server: ProcTree) -> None:
    ran = ask(server, "top", "--json")
    assert (ran.status, ran.stderr) == (0, "")
    assert ran == ask(server, "top", "--format", "json")
    found = json.loads(ran.stdout)
    processes = found.pop("processes")
    assert found == {
        "schema": "oomctl.top/1",
        "kernel": "7.1.5",
        "page_size": 4096,
        "totalpages": 1_000_000,
        "hidden_processes": 0,
    }
    assert [(process["rank"], process["pid"]) for process in processes] == [
        (1, 20), (2, 11), (3, 10), (None, 1), (None, 30), (None, 40)
    ]  # fmt: skip
    for process in processes[:3]:
        assert_has(process, PROCESS)
        assert (process["killable"], process["reason"]) == (True, None)
    for process in processes[3:]:
        assert (process["killable"], process["badness_pages"]) == (False, None)
    assert [process["reason"] for process in processes[3:]] == [
        "global init",
        "oom_score_adj is -1000",
        "kernel thread",
    ]


def test_details_in_the_document(server: ProcTree) -> None:
    server.mount_v2()
    server.write("20/cgroup", "0::/system.slice/app.service\n")
    server.write("20/cmdline", b"java\0-jar\0a b.jar\0")
    server.cgroup("/system.slice")
    server.cgroup("/system.slice")
    server.cgroup("/system.slice/app.service", (20,))
    first = json.loads(ask(server, "top", "20", "--json").stdout)["processes"][0]
    assert (first["cgroup"], first["unit"]) == ("/system.slice/app.service", "app.service")
    assert (first["cmdline"], first["user"], first["start_time"]) == ("java -jar a b.jar", "54321", 1700000000.2)


def test_n_limits_the_lines(server: ProcTree) -> None:
    assert pids(server, "-n", "1") == [20]
    assert pids(server, "-n2") == [20, 11]
    assert pids(server, "--num", "2") == [20, 11]
    assert pids(server, "-n", "3") == [20, 11, 10]
    assert pids(server, "-n", "all") == [20, 11, 10, 1, 30, 40]
    assert pids(server, "-n", "1", "postgres") == [11]


@pytest.mark.parametrize(
    ("key", "order"),
    [
        ("rss", [20, 10, 11, 30, 1, 40]),
        ("swap", [20, 11, 10, 1, 30, 40]),
        ("pid", [1, 10, 11, 20, 30, 40]),
        ("adj", [20, 11, 1, 40, 10, 30]),
        ("oom", [20, 11, 10, 1, 30, 40]),
        ("comm", [20, 40, 11, 10, 30, 1]),
        ("badness", [20, 11, 10, 1, 30, 40]),
        ("rank", [20, 11, 10, 1, 30, 40]),
    ],
)
def test_sort_orders_numbers_downwards_and_names_upwards(server: ProcTree, key: str, order: list[int]) -> None:
    assert pids(server, "--sort", key) == order


@pytest.mark.parametrize(
    ("argv", "order"),
    [
        (["--sort", "-rss"], [40, 1, 30, 11, 10, 20]),
        (["--sort=-rss"], [40, 1, 30, 11, 10, 20]),
        (["-s", "-pid"], [40, 30, 20, 11, 10, 1]),
        (["--sort", "rss", "-r"], [40, 1, 30, 11, 10, 20]),
        (["--sort", "-rss", "--reverse"], [20, 10, 11, 30, 1, 40]),
        (["--sort", "-badness"], [10, 11, 20, 1, 30, 40]),
        (["--sort", "-comm"], [1, 30, 11, 10, 40, 20]),
        (["-r"], [10, 11, 20, 1, 30, 40]),
        (["-r", "-n", "2"], [10, 11]),
    ],
)
def test_the_order_is_turned_round_and_what_has_no_value_stays_last(
    server: ProcTree, argv: list[str], order: list[int]
) -> None:
    assert pids(server, *argv) == order


def test_every_format_is_turned_round(server: ProcTree) -> None:
    listed = json.loads(ask(server, "top", "--json", "-r").stdout)["processes"]
    assert [process["rank"] for process in listed] == [3, 2, 1, None, None, None]


@pytest.mark.parametrize("options", [["--once", "--sort", "growth"], ["--sort=-growth"], ["-o", "pid,growth"]])
def test_a_list_that_is_printed_once_has_no_growth(server: ProcTree, options: list[str]) -> None:
    answer = ask(server, "top", *options)
    assert (answer.status, answer.stdout) == (2, "")
    assert answer.stderr == "oomctl: growth cannot be told from one look: only the live view, on a terminal, has it\n"


def test_sort_by_command_line_reads_it(server: ProcTree) -> None:
    server.write("10/cmdline", b"zebra\0")
    server.write("30/cmdline", b"ape\0")
    assert pids(server, "--sort", "cmdline")[:2] == [30, 10]


def test_columns_have_the_names_of_ps_too(server: ProcTree) -> None:
    ran = ask(server, "top", "-n", "1", "-o", "pid,oom,oomadj,rss,comm,uid,ppid,points,killable,reason,args")
    assert ran.stdout.splitlines()[0].split() == [
        *("PID", "OOM", "ADJ", "RSS", "COMMAND", "UID", "PPID", "PAGES", "KILLABLE", "REASON", "CMDLINE")
    ]
    assert ran.stdout.splitlines()[1].split() == [
        *("20", "726", "0", "351.6MiB", "java", "54321", "1", "90266", "yes", "-", "-")
    ]


def test_column_names_may_be_in_capitals_and_apart(server: ProcTree) -> None:
    assert ask(server, "top", "-o", "PID, OOM", "-n1").stdout == "PID  OOM\n 20  726\n"


def test_ranks_stay_those_among_all(server: ProcTree) -> None:
    ran = ask(server, "top", "postgres", "--format", "tsv", "-o", "rank,pid")
    assert ran.stdout == "rank\tpid\n2\t11\n3\t10\n"


def test_targets_and_owners_limit_the_list(server: ProcTree) -> None:
    assert pids(server, "20", "safe") == [20, 30]
    assert pids(server, "--user", "54321") == [20]
    assert pids(server, "-u", "root", "p*") == [11, 10]
    assert pids(server, "-u", "0", "user:root") == [11, 10, 1, 30]


def test_a_cgroup_has_its_own_ranking_and_total(server: ProcTree) -> None:
    server.mount_v2()
    server.write("10/cgroup", "0::/db\n")
    server.cgroup("/db", (10, 11), memory__max="819200000", memory__current="409600000")
    assert pids(server, "--cgroup", "/db") == [10, 11]
    found = json.loads(ask(server, "top", "--cgroup", "/db", "--json").stdout)
    assert found["totalpages"] == 200_000
    table = ask(server, "top", "--cgroup", "/db", "--format", "table").stdout
    assert table.startswith("cgroup /db: 390.6MiB left of 781.2MiB, no swap; 2 killable, 0 not\n")


def test_an_empty_cgroup_is_an_empty_list(server: ProcTree) -> None:
    server.mount_v2()
    server.cgroup("/db", (), memory__max="4096")
    for extra in ([], ["--sort", "rss"], ["-n", "3"]):
        assert ask(server, "top", "--cgroup", "/db", "-o", "pid", *extra) == Ran(0, "PID\n", "")


def test_the_table_has_a_summary_and_a_bar(server: ProcTree) -> None:
    server.meminfo(4_000_000, swap_total_kb=1024, swap_free_kb=512)
    lines = ask(server, "top", "--format", "table").stdout.splitlines()
    assert lines[0] == "machine: 1.91GiB left of 3.81GiB, swap 0.50MiB left of 1.0MiB; 3 killable, 3 not"
    assert lines[1].split()[:4] == ["RANK", "RISK", "PID", "USER"]
    bars = ["█" * 24, "█" * 5 + "·" * 19, "-" * 13 + "·" * 11]
    assert [line.split()[1:3] for line in lines[2:5]] == [[bars[0], "20"], [bars[1], "11"], [bars[2], "10"]]


def test_a_table_on_a_narrow_terminal_keeps_its_numbers(server: ProcTree) -> None:
    """Text and what matters least give way first: half a PID is none."""
    server.add(4_194_304, "a-long-name-yes", 80_000, uid=0, score=720)
    lines = narrow(server, "72")
    assert all(len(line) <= 72 for line in lines)
    titles = ["RANK", "RISK", "PID", "USER", "ADJ", "BADNESS", "RSS", "UNIT/CG…", "COMMAND"]
    assert lines[1].split() == titles
    rows = [line.split() for line in lines[2:]]
    assert [row[2] for row in rows] == ["20", "4194304", "11", "10"]
    assert [row[5] for row in rows] == ["352.6MiB", "312.5MiB", "78.2MiB", "-195.3MiB"]
    assert rows[1][-1] == "a-long-nam…"


def narrow(proc_tree: ProcTree, columns: str) -> list[str]:
    from oomctl.cli.main import cli
    from tests.runner import runner

    env = {"OOMCTL_PROC": str(proc_tree.root), "COLUMNS": columns, "LINES": "30"}
    result = runner().invoke(cli, ["top", "-n", "4", "--format", "table"], env=env)
    assert result.exit_code == 0
    return result.stdout.splitlines()


def test_a_table_shows_command_lines_and_what_is_for_programs_does_not(server: ProcTree) -> None:
    server.write("20/cmdline", b"/usr/lib/jvm/bin/java\0-jar\0a\x1b.jar\0")
    server.write("11/cmdline", b"postgres: walwriter \0")
    lines = narrow(server, "120")
    assert r" java -jar a\x1b.jar" in lines[2]
    assert " postgres: walwriter" in lines[3]
    assert lines[4].split()[-1] == "postgres"
    assert ask(server, "top").stdout == RANKING
    assert ask(server, "top", "--format", "tsv").stdout == TSV
    chosen = ask(server, "top", "--format", "table", "-o", "pid,comm", "-n", "1").stdout.splitlines()
    assert chosen[2].split() == ["20", "java"]


def test_sorted_by_command_a_table_is_sorted_by_comm(server: ProcTree) -> None:
    server.write("20/cmdline", b"a/java\0")
    listed = ask(server, "top", "--format", "table", "--sort", "comm").stdout.splitlines()[2:]
    assert [line.split()[-1] for line in listed] == ["java", "kworker/0:1", "postgres", "postgres", "safe", "systemd"]


def test_a_directory_that_is_no_process_hides_nobody(server: ProcTree) -> None:
    """The link count of /proc tells of processes that it does not list; its other directories count, too."""
    (server.root / "not-a-process").mkdir()
    assert json.loads(ask(server, "top", "--json").stdout)["hidden_processes"] == 0


@pytest.mark.parametrize("count", ["1", "2", "3"])
def test_the_first_few_are_those_of_the_whole_list(server: ProcTree, count: str) -> None:
    few = ask(server, "top", "-n", count).stdout.splitlines()
    every = ask(server, "top").stdout.splitlines()
    assert [re.split(" +", line) for line in few] == [re.split(" +", line) for line in every[: len(few)]]
