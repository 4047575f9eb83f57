"""What oomctl answers to a TAB, without a shell; tests/shells tries the same in real ones."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import click
import pytest

from oomctl.cli.main import COMMANDS, cli
from oomctl.completion import candidates
from oomctl.kernel.rules import known_kernels, rules_for
from oomctl.render import fields
from tests.commands.invoke import ask
from tests.proc_tree import ProcTree
from tests.runner import runner

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def machine(proc_tree: ProcTree) -> ProcTree:
    proc_tree.add(1, "systemd", 300, score=0, uid=0, ppid=0)
    proc_tree.add(10, "postgres", 50_000, score=600, uid=0, adj=-100)
    proc_tree.add(11, "postgres", 20_000, score=679, uid=0, ppid=10)
    proc_tree.add(12, "postgrey", 50_000, score=679, uid=0)
    proc_tree.add(20, "java", 90_000, score=726, uid=0)
    proc_tree.add(30, "sleepy", adj=-1000, score=0, uid=0)
    proc_tree.add_kthread(40, "posix_thread")
    return proc_tree


def answered(machine: ProcTree, line: str, shell: str = "zsh", word: str = "") -> list[tuple[str, str]]:
    """Return value and help of every candidate; those of click's own options for help are left out."""
    rows = answers(machine, line, shell, word)
    return [(value, about) for kind, value, about in rows if kind in ("value", "prefix")]


def answers(machine: ProcTree, line: str, shell: str, word: str = "") -> list[list[str]]:
    """Return kind, value and help of every answer."""
    env = {
        "OOMCTL_PROC": str(machine.root),
        "_OOMCTL_COMPLETE": f"{shell}_complete",
        "OOMCTL_LINE": line,
        "OOMCTL_WORD": word,
        "OOMCTL_CALLERS": "",
    }
    result = runner().invoke(cli, [], env=env)
    assert (result.exit_code, result.stderr) == (0, "")
    return [row.split("\t") for row in result.stdout.splitlines() if row]


def values(machine: ProcTree, line: str, shell: str = "zsh", word: str = "") -> list[str]:
    return [value for value, _ in answered(machine, line, shell, word)]


def test_commands_come_in_the_order_of_help_with_what_they_do(machine: ProcTree) -> None:
    found = answered(machine, "oomctl ")
    assert [name for name, _ in found] == list(COMMANDS)
    assert all(about for _, about in found)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_offered_with_its_help(machine: ProcTree, name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    shown = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    options = {opt: one.help for one in shown for opt in one.opts}
    offered = dict(answered(machine, f"oomctl {name} -"))
    assert options.items() <= offered.items()


def test_subcommands_come_with_the_whole_of_what_they_do(machine: ProcTree) -> None:
    assert answered(machine, "oomctl policy c") == [
        ("check", "List every mistake with its file and line; status 1 if there is any.")
    ]


def test_a_hidden_command_is_not_offered_and_offers_nothing(machine: ProcTree) -> None:
    assert values(machine, "oomctl d") == []
    assert values(machine, "oomctl dump ") == []


@pytest.mark.parametrize(
    "line",
    [
        *("oomctl set 5000 ja", "oomctl set 1 cgroup: ja", "oomctl top -n none ja", "oomctl top --format x ja"),
        *("oomctl simulate --set java --for ja", "oomctl simulate --add 1@x --free x --for ja", "oomctl top cmd:( ja"),
        "oomctl protect --level x ja",
    ],
)
def test_what_a_command_would_refuse_hinders_no_tab_behind_it(machine: ProcTree, line: str) -> None:
    assert values(machine, line) == ["java"]


@pytest.mark.parametrize("line", ["oomctl policy diff -f ", "oomctl history --file ", "oomctl simulate --from "])
def test_files_are_for_the_shell_to_complete(machine: ProcTree, line: str) -> None:
    assert [kind for kind, _, _ in answers(machine, line, "zsh")] == ["file"]


def test_an_option_given_once_is_not_offered_again_unless_it_may_be(machine: ProcTree) -> None:
    assert "--json" not in values(machine, "oomctl top --json --")
    assert "--set" in values(machine, "oomctl simulate --set java=1 --")


def test_the_likeliest_victims_come_first_and_of_equal_ones_the_biggest(machine: ProcTree) -> None:
    found = answered(machine, "oomctl explain ")
    assert [value for value, _ in found] == ["20", "12", "11", "10", "cgroup:", "user:", "cmd:"]
    assert found[0][1] == "java, oom_score 726, adj 0"


def test_a_begun_number_also_finds_who_cannot_be_killed(machine: ProcTree) -> None:
    assert values(machine, "oomctl explain 3") == ["30"]


def test_a_name_stands_for_all_that_have_it_and_no_kernel_thread(machine: ProcTree) -> None:
    assert answered(machine, "oomctl reset po") == [
        ("postgrey", "1 process, oom_score 679"),
        ("postgres", "2 processes, oom_score 679"),
    ]
    assert values(machine, "oomctl reset sl") == ["sleepy"]


def test_names_that_would_break_the_line_are_not_offered(machine: ProcTree) -> None:
    machine.add(60, "bad\nname", score=700)
    machine.add(61, "bad\x1b[2J", score=700)
    assert values(machine, "oomctl reset bad") == []


@pytest.mark.parametrize("typed", ["", "-", "-1", "+5", "1000"])
def test_adj_values_are_those_that_begin_so(machine: ProcTree, typed: str) -> None:
    expected = [str(adj) for adj in candidates.ADJS if str(adj).startswith(typed.lstrip("+"))]
    found = values(machine, f"oomctl set {typed}")
    assert [value for value in found if value.lstrip("-").isdigit()] == expected


def test_an_adj_says_what_it_counts_as_on_this_machine(machine: ProcTree) -> None:
    assert dict(answered(machine, "oomctl run -n 5"))["500"].endswith("counts as 1.91GiB more")


def test_formats_are_those_of_the_command_with_their_meaning(machine: ProcTree) -> None:
    of_top = dict(answered(machine, "oomctl top --format "))
    of_check = dict(answered(machine, "oomctl check --format "))
    assert (len(of_top), len(of_check)) == (4, 2)
    assert of_top | of_check == candidates.FORMATS


@pytest.mark.parametrize("option", ["--only", "--ignore", "--explain"])
def test_a_check_is_offered_with_what_it_finds(machine: ProcTree, option: str) -> None:
    offered = dict(answered(machine, f"oomctl check {option} memcg-"))
    assert list(offered) == ["memcg-unkillable", "memcg-exempt"]
    assert offered["memcg-exempt"].startswith("Some of the processes in a memory cgroup with a limit are at -1000")


def test_every_field_has_a_meaning() -> None:
    assert list(fields.MEANINGS) == [field.name for field in fields.FIELDS]


def test_a_field_is_found_by_the_names_that_ps_has(machine: ProcTree) -> None:
    assert values(machine, "oomctl top -o pid,ooma") == ["pid,oomadj"]


def test_a_field_is_not_offered_twice(machine: ProcTree) -> None:
    assert "pid,pid" not in values(machine, "oomctl top -o pid,")


@pytest.mark.parametrize("line", ["oomctl top --sort -rs", "oomctl top --sort=-rs", "oomctl top -r -s -rs"])
def test_a_field_to_sort_by_may_be_turned_round(machine: ProcTree, line: str) -> None:
    before = "--sort=" * ("=" in line)
    assert answered(machine, line) == [(f"{before}-rss_bytes", fields.MEANINGS["rss_bytes"])]


def test_a_minus_before_letters_begins_an_option_elsewhere(machine: ProcTree) -> None:
    machine.add(50, "-rs", 100)
    assert values(machine, "oomctl top -rs") == []
    assert {kind for kind, _, _ in answers(machine, "oomctl history -rs", "zsh")} == set()


def test_every_kernel_offered_has_rules() -> None:
    assert all(rules_for(kernel) for kernel in known_kernels())


def test_nothing_is_offered_and_nothing_said_where_proc_is_missing(machine: ProcTree) -> None:
    nowhere = ProcTree(machine.root.parent / "other")
    (nowhere.root / "meminfo").unlink()
    assert values(nowhere, "oomctl explain ") == []


@pytest.mark.parametrize(
    ("line", "word", "expected"),
    [
        pytest.param("oomctl explain us", "us", ["user:"], id="nothing to cut"),
        pytest.param("oomctl explain user:ro", "ro", ["root"], id="bash has split at the colon"),
        pytest.param("oomctl explain user:ro", "user:ro", ["user:root"], id="COMP_WORDBREAKS without a colon"),
        pytest.param("oomctl simulate --set java=", "", ["-1000", "-999"], id="bash has split at the equals sign"),
        pytest.param("oomctl reset a", "a", [r"a\ \(b\)"], id="quoted"),
        pytest.param("oomctl reset 'a", "a", ["a (b)"], id="within quotes"),
        pytest.param(r"oomctl reset a\ ", r"a\ ", [r"a\ \(b\)"], id="the user has quoted"),
        pytest.param("oomctl reset x", "x", [], id="what could start a command is not offered"),
        pytest.param('oomctl reset "x', "x", [], id="nor within quotes"),
    ],
)
def test_bash_gets_what_it_will_replace(machine: ProcTree, line: str, word: str, expected: list[str]) -> None:
    machine.add(70, "a (b)", score=700, uid=0)
    machine.add(71, "x$(b)", score=701, uid=0)
    found = values(machine, line, "bash", word)
    assert found[: len(expected)] == expected
    assert expected or not found


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("program", ["oomctl", "oomadm"])
def test_completion_prints_the_script_and_how_to_install_it(machine: ProcTree, shell: str, program: str) -> None:
    result = runner().invoke(cli, ["completion", shell], prog_name=f"/usr/bin/{program}")
    assert result.stdout == (PROJECT / "completions" / f"{program}.{shell}").read_text()
    assert f"# For good:        {program} completion --install {shell}" in result.stdout


def test_another_shell_is_refused(machine: ProcTree) -> None:
    ran = ask(machine, "completion", "csh")
    assert (ran.status, ran.stdout) == (2, "")
    assert "'bash', 'zsh', 'fish'" in ran.stderr


def test_the_scripts_are_freshly_generated() -> None:
    spec = importlib.util.spec_from_file_location("build", PROJECT / "completions" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    stale = [str(path) for path, text in build.files().items() if not path.exists() or path.read_text() != text]
    assert stale == [], "run: python completions/build.py"


@pytest.mark.parametrize("metavar", ["TARGET...", "[TARGET]...", "TARGET", "FIELD,...", "SIZE[@ADJ]", "PATH"])
def test_what_help_calls_a_value_decides_what_completes_it(metavar: str) -> None:
    assert candidates.is_known(candidates.value_of(click.Argument(["x"], metavar=metavar)))
