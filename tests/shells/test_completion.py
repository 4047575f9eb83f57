"""TAB in real shells: keys typed into a pseudo-terminal, candidates read from its screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proc_tree import ProcTree
from tests.shells import home
from tests.shells.terminal import PROMPT, TAB, Terminal

pytestmark = pytest.mark.shells

CLEAR_LINE = "\x15"
LIST = {"bash": TAB * 2, "zsh": TAB, "fish": TAB}
"""Keys that list candidates when there are several; readline rings on the first TAB and lists on the second."""


@pytest.fixture
def machine(proc_tree: ProcTree) -> ProcTree:
    proc_tree.add(1, "systemd", 300, score=0, uid=0, ppid=0)
    proc_tree.add(10, "postgres", 50_000, score=600, uid=0, adj=-100)
    proc_tree.add(11, "postgres", 20_000, score=679, uid=0, ppid=10)
    proc_tree.add(20, "java", 90_000, score=726, uid=0)
    proc_tree.add(30, "firefox bin", 80_000, score=701, uid=0)
    proc_tree.add(50, "$(touch x)", 100, score=667, uid=0)
    proc_tree.add_kthread(40, "kswapd0")
    proc_tree.mount_v2()
    for path in ("/system.slice", "/system.slice/tomcat10.service", "/other", "/system.slice/getty@tty1.service"):
        proc_tree.cgroup(path, memory__max="max\n")
    proc_tree.cgroup("/system.slice/tomcat10.service", memory__max=f"{512 << 20}\n")
    return proc_tree


@pytest.fixture
def terminal(shell: str, machine: ProcTree, tmp_path: Path) -> Iterator[Terminal]:
    """A shell set up as `oomctl completion` says, in a home of its own."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("zz-a-program", "sudo"):  # fish completes only what is there
        (programs / name).symlink_to("/bin/true")
    with home.start(shell, tmp_path, {"OOMCTL_PROC": str(machine.root)}) as terminal:
        (tmp_path / "home" / "snapshot.json").write_text("{}")
        terminal.wait_for(PROMPT)
        yield terminal


CANDIDATES = {
    "a command": ("oomctl expl", "oomctl explain "),
    "a command of the other name": ("oomadm expl", "oomadm explain "),
    "an option": ("oomctl top --onc", "oomctl top --once "),
    "a name": ("oomctl protect post", "oomctl protect postgres "),
    "a unit": ("oomctl protect tomc", "oomctl protect tomcat10.service "),
    "a unit of a template": ("oomctl explain getty@t", "oomctl explain getty@tty1.service "),
    "a PID": ("oomctl explain 2", "oomctl explain 20 "),
    "a user": ("oomctl top user:roo", "oomctl top user:root "),
    "an option's user": ("oomctl top --user roo", "oomctl top --user root "),
    "a prefix goes on": ("oomctl explain us", "oomctl explain user:"),
    "a cgroup": ("oomctl explain cgroup:/oth", "oomctl explain cgroup:/other "),
    "a cgroup with others in it goes on": ("oomctl simulate --cgroup /sys", "oomctl simulate --cgroup /system.slice/"),
    "a negative adj": ("oomctl set -99", "oomctl set -999 "),
    "a target behind a negative adj": ("oomctl set -500 jav", "oomctl set -500 java "),
    "a negative value of an option": ("oomctl protect --level -99", "oomctl protect --level -999 "),
    "one behind an equals sign": ("oomctl protect --level=-99", "oomctl protect --level=-999 "),
    "a what-if": ("oomctl simulate --set java=-99", "oomctl simulate --set java=-999 "),
    "an imagined process": ("oomctl simulate --add 8G@-99", "oomctl simulate --add 8G@-999 "),
    "the next field": ("oomctl top -o pid,rank,kil", "oomctl top -o pid,rank,killable "),
    "a file": ("oomctl simulate --from snap", "oomctl simulate --from snapshot.json "),
    "a file behind an equals sign": ("oomctl simulate --from=snap", "oomctl simulate --from=snapshot.json "),
    "a program to run": ("oomctl run -n 500 zz-a", "oomctl run -n 500 zz-a-program "),
    "behind a pipe": ("true | oomctl expl", "true | oomctl explain "),
    "behind sudo": ("sudo oomctl protect jav", "sudo oomctl protect java "),
}


def test_a_tab_completes_what_was_begun(terminal: Terminal) -> None:
    for typed, line in CANDIDATES.values():
        terminal.type(typed + TAB)
        terminal.wait_for_line(line)
        terminal.type(CLEAR_LINE)
        terminal.wait_for_line("")


def test_the_likeliest_victims_come_first_with_name_and_score(terminal: Terminal, shell: str) -> None:
    terminal.type("oomctl explain " + LIST[shell])
    screen = terminal.wait_for("java, oom_score 726, adj 0", "postgres, oom_score 600, adj -100", "cgroup:", "user:")
    places = [screen.index(name) for name in ("java,", "firefox bin,", "postgres, oom_score 679", "$(touch x),")]
    assert places == sorted(places)
    assert "kswapd0" not in screen


def test_values_of_adj_come_with_their_meaning(terminal: Terminal, shell: str) -> None:
    terminal.type("oomctl set " + LIST[shell])
    screen = terminal.wait_for("never kill", "the kernel's default", "kill it first")
    assert screen.index("-1000") < screen.index("-999") < screen.index("500")


def test_commands_formats_and_fields_come_with_their_meaning(terminal: Terminal, shell: str) -> None:
    for typed, meanings in {
        "oomctl se": ("Set oom_score_adj", "Let this kernel choose"),
        "oomctl top --format ": ("for cut and awk", "aligned text"),
        "oomctl top --sort oom_score": ("/proc/PID/oom_score", "the adjustment"),
    }.items():
        terminal.type(typed + LIST[shell])
        terminal.wait_for(*meanings)
        terminal.type(CLEAR_LINE)
        terminal.wait_for_line("")


def test_a_hostile_name_is_quoted_or_not_offered_and_not_run(terminal: Terminal, shell: str, tmp_path: Path) -> None:
    terminal.type(r"oomctl explain \$" + TAB)
    if shell != "bash":  # which inserts as it is what it gets
        terminal.wait_for("touch")
    terminal.type("\r")
    terminal.wait_for("$: no process matches" if shell == "bash" else "rank 4 of 5")
    assert not (tmp_path / "home" / "x").exists()


def test_a_name_with_a_space_stays_one_word(terminal: Terminal) -> None:
    terminal.type("oomctl explain fire" + TAB)
    terminal.wait_for("firefox")
    terminal.type("--json --cgroup /nowhere\r")
    terminal.wait_for("no such memory cgroup")


def test_behind_proc_directories_are_offered_and_then_what_is_in_that_proc(terminal: Terminal, tmp_path: Path) -> None:
    host = ProcTree(tmp_path / "home" / "host")
    host.add(7001, "hostd", 50_000, score=700, uid=0)
    (tmp_path / "home" / "host" / "program").touch()  # which is no directory
    for typed, line in {
        "oomctl --proc host/p": "oomctl --proc host/proc/",
        "oomctl --proc host/": "oomctl --proc host/proc/",
        "oomctl --proc=host/p": "oomctl --proc=host/proc/",
        "oomctl explain --proc host/p": "oomctl explain --proc host/proc/",
        "oomctl --proc host/proc explain 7": "oomctl --proc host/proc explain 7001 ",
        "oomctl --proc=host/proc explain hos": "oomctl --proc=host/proc explain hostd ",
        "oomctl explain --proc host/proc 7": "oomctl explain --proc host/proc 7001 ",
    }.items():
        terminal.type(typed + TAB)
        terminal.wait_for_line(line)
        terminal.type(CLEAR_LINE)
        terminal.wait_for_line("")


def test_behind_proc_directories_are_offered_before_anything_is_typed(terminal: Terminal, tmp_path: Path) -> None:
    only = tmp_path / "home" / "only"
    (only / "procs").mkdir(parents=True)
    terminal.type(f"cd {only}\roomctl --proc {TAB}")
    terminal.wait_for("oomctl --proc procs/")
