"""TAB, then Enter, in real shells, where names of processes, cgroups and files are programs: none of them may run.

What the program receives is judged: the very name where it was offered, else what was typed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.hostile import victim
from tests.hostile.crowd import named_processes
from tests.proc_tree import ProcTree
from tests.shells import home
from tests.shells.terminal import COLUMNS, TAB

pytestmark = pytest.mark.shells

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
SPLITTING, BACKSLASH = " ()[]{}#~^", "\\"
QUOTES = {"unquoted": "", "in double quotes": '"', "in single quotes": "'"}

# A process's name has at most 15 bytes; four of them are for the beginning that tells one from another.
HONEST = [
    *(b"ok", b"k_a@b%c+d=e", b".:,/-2", "\u00e9\u4e16".encode()),  # nothing to quote
    *(b"a b", b"(sd-pam)", b"C1 Comp", b"x: y", b"tray #1", b"[a]", b"{a,b}", b"~a^b", b"x\\x2dy", b"\\a", b"a\\\\ b"),
]
HOSTILE = [
    *(b"$(zx)", b"`zx`", b";zx", b";zx;", b"&zx", b"&&zx", b"|zx", b"||zx", b"<(zx)", b">(zx)", b">zx", b"(zx)"),
    *(b'"$(zx)', b'"`zx`', b'";zx;"', b'"|zx;"', b"';zx;'", b"'|zx;'", b"'$(zx)'", b"'\"$(zx)", b"\"';zx;"),
    *(b"\\$(zx)", b"\\`zx`", b"\\;zx", b'\\";zx;"', b"\\';zx;'", b"\\\\;zx", b"\\", b"a\\", b"$'\\x3bzx'"),
    *(b"${x:-`zx`}", b"$((`zx`))", b"{zx,;zx}", b"!zx", b"!!", b"!?zx", b"!$;zx", b"^zx^", b"%;zx", b"#;zx", b" -a;zx"),
    *(b"\nzx\n ", b"\nzx #", b"a\tb;zx", b"\tvalue\t`zx`", b"\r zx\r", b"\x04\rzx", b"\x03;zx\r", b"\x1b[2J;zx"),
    *("\u202e;zx".encode(), "\u200b`zx`".encode(), "\u2028zx".encode(), "\u00a0;zx".encode(), b"\xff;zx", b"\xe2\\;zx"),
    *(b"=(zx)", b"(e:zx:)", b"*(e:zx:)", b"~[zx]", b"*", b"?", b" --all", b"'", b'"', b"`", b"$", b"\\x24(zx)"),
]

Typed = dict[str, str]
"""What to type -> the name that begins so, and no other does."""


def beginnings(tails: list[bytes], first: str) -> Typed:
    typed = [f"{first}{DIGITS[number // 36]}{DIGITS[number % 36]}" for number in range(len(tails))]
    return {start: start + os.fsdecode(tail) for start, tail in zip(typed, tails)}


@pytest.fixture(scope="module")
def processes() -> Iterator[Typed]:
    """Real processes with all these names."""
    run = DIGITS[os.getpid() % 36]  # somebody else may run the same test now
    typed = beginnings(HOSTILE + HONEST, f"z{run}")
    with named_processes([os.fsencode(name) for name in typed.values()]):
        yield typed


def is_offered(name: str, shell: str, sure: str, in_path: bool = False) -> bool:
    """Whether a TAB may insert ``name``; ``sure`` are the characters that bash surely takes for parts of a word."""
    if not name.isprintable():
        return False
    if not in_path and set(name) & set("*?"):
        return False  # as a wildcard it would take other processes, too
    special = {char for char in name if char.isascii() and not char.isalnum()} - set("_@%+=:,./-")
    return shell != "bash" or special <= set(sure)


@pytest.mark.parametrize("quoting", QUOTES)
def test_enter_behind_a_completed_name_runs_nothing_and_passes_just_that_name(
    shell: str, processes: Typed, tmp_path: Path, quoting: str
) -> None:
    quote = QUOTES[quoting]
    with victim.at(shell, tmp_path, {}) as somebody:
        for typed, name in processes.items():
            expected = name if is_offered(name, shell, SPLITTING if quote else SPLITTING + BACKSLASH) else typed
            assert somebody.enter(f"oomctl explain {quote}{typed}", quote) == ["explain", expected]


class Way(NamedTuple):
    """A way to have bash complete ``typed``."""

    line: Callable[[str], str]
    quote: str = ""
    sure: str = ""
    """Characters besides the plain ones that are inserted here."""
    keys: str = TAB
    surely: bool = True
    """False where this or that version of bash does not ask at all, or asks for another word."""
    is_read_again: bool = False


MENU = "\x14"
ANY = SPLITTING + BACKSLASH
WAYS = {
    "behind $'": Way(lambda typed: f"oomctl explain $'{typed}", "'", surely=False),
    'behind $"': Way(lambda typed: f'oomctl explain $"{typed}', '"', surely=False),
    "a double quote within the word": Way(lambda typed: f'oomctl explain {typed[:2]}"{typed[2:]}', '"', SPLITTING),
    "a single quote within the word": Way(lambda typed: f"oomctl explain {typed[:2]}'{typed[2:]}", "'", SPLITTING),
    "a quote that was closed again": Way(lambda typed: f'oomctl explain "{typed[:2]}"{typed[2:]}'),
    "a quote that was opened again": Way(lambda typed: f"oomctl explain '{typed[:2]}'\"{typed[2:]}", '"'),
    "a needless backslash": Way(lambda typed: f"oomctl explain \\{typed}"),
    "behind sudo": Way(lambda typed: f"sudo oomctl explain {typed}", sure=ANY),
    "behind sudo and in double quotes": Way(lambda typed: f'sudo oomctl explain "{typed}', '"', SPLITTING),
    "behind sudo, within the word": Way(lambda typed: f"sudo oomctl explain {typed[:2]}'{typed[2:]}", "'", SPLITTING),
    "behind watch, which has a shell read it again": Way(lambda typed: f"watch oomctl explain {typed}"),
    "behind watch and in double quotes": Way(lambda typed: f'watch oomctl explain "{typed}', '"', is_read_again=True),
    "behind watch, within the word": Way(
        lambda typed: f'watch oomctl explain {typed[:2]}"{typed[2:]}', '"', surely=False, is_read_again=True
    ),
    "behind sudo watch": Way(lambda typed: f"sudo watch oomctl explain {typed}"),
    "behind eval": Way(lambda typed: f"eval oomctl explain {typed}"),
    "in a subshell": Way(lambda typed: f"(oomctl explain {typed}", "", ANY, TAB + ")"),
    "in a substitution": Way(lambda typed: f"echo $(oomctl explain {typed}", "", ANY, TAB + ")", surely=False),
    "in backquotes": Way(lambda typed: f"echo `oomctl explain {typed}", "", ANY, TAB + "`", surely=False),
    "all are inserted": Way(lambda typed: f"oomctl explain {typed}", "", ANY, keys="\x1b*"),
    "all are inserted behind a quote": Way(lambda typed: f'oomctl explain "{typed}', '"', keys="\x1b*"),
    "one after the other": Way(lambda typed: f"oomctl explain {typed}", "", ANY, keys=MENU),
    "one after the other behind a quote": Way(lambda typed: f"oomctl explain '{typed}", "'", SPLITTING, keys=MENU),
}


@pytest.mark.parametrize("way", WAYS)
def test_bash_inserts_only_what_is_a_word_wherever_it_stands(processes: Typed, tmp_path: Path, way: str) -> None:
    home.require("bash")
    line, quote, sure, keys, surely, is_read_again = WAYS[way]
    with victim.at("bash", tmp_path, {}, rc=f"bind '\"\\x{ord(MENU):02x}\": menu-complete'\n") as somebody:
        for typed, name in processes.items():
            received = somebody.enter(line(typed), quote, keys, is_read_again)
            offered = is_offered(name, "bash", sure)
            assert received == ["explain", name if offered else typed] or (
                not surely and received == ["explain", typed]
            )


@pytest.mark.parametrize("quoting", QUOTES)
def test_names_of_cgroups_and_units_run_nothing(shell: str, proc_tree: ProcTree, tmp_path: Path, quoting: str) -> None:
    quote = QUOTES[quoting]
    tails = [tail for tail in HOSTILE + HONEST if b"/" not in tail]
    cgroups = beginnings(tails, "zc")
    units = beginnings([tail + b".service" for tail in tails], "zu")
    proc_tree.mount_v2()
    for name in [*cgroups.values(), *units.values()]:
        (proc_tree.cgroup_mount / name).mkdir()
    with victim.at(shell, tmp_path, {"OOMCTL_PROC": str(proc_tree.root)}) as somebody:
        for typed, name in cgroups.items():
            expected = (
                name if is_offered(name, shell, SPLITTING if quote else SPLITTING + BACKSLASH, in_path=True) else typed
            )
            assert somebody.enter(f"oomctl explain {quote}cgroup:/{typed}", quote) == ["explain", f"cgroup:/{expected}"]
        for typed, name in units.items():
            expected = (
                name if is_offered(name, shell, SPLITTING if quote else SPLITTING + BACKSLASH, in_path=True) else typed
            )
            assert somebody.enter(f"oomctl explain {quote}{typed}", quote) == ["explain", expected]


@pytest.mark.parametrize("quoting", QUOTES)
@pytest.mark.parametrize("command", ["run ./", "simulate --from "])
def test_names_of_files_run_nothing(shell: str, tmp_path: Path, command: str, quoting: str) -> None:
    quote = QUOTES[quoting]
    files = beginnings([tail for tail in HOSTILE + HONEST if b"/" not in tail], "zf")
    subcommand, _, begun = command.partition(" ")
    *options, begun = begun.split(" ")
    with victim.at(shell, tmp_path, {}) as somebody:
        for name in files.values():
            home.executable(tmp_path / "home" / name, "#!/bin/sh\n")
        for typed in files:
            received = somebody.enter(f"oomctl {' '.join([subcommand, *options, quote + begun + typed])}", quote)
            # The shells do this by themselves; a name that is no UTF-8, or has a tab, may come out as another one.
            assert received
            assert received[:-1] == [subcommand, *options]
            assert received[-1].startswith(begun + typed)


def test_what_names_have_in_common_never_ends_in_half_a_character(tmp_path: Path, proc_tree: ProcTree) -> None:
    home.require("bash")
    for pid, comm in enumerate(("zza b", "zza(b", "zzA\\b", "zzb_ b", "zzb-(b", "zzc\\x", "zzc\\y"), 10):
        proc_tree.add(pid, comm)
    rc = "bind 'set completion-ignore-case on'\nbind 'set completion-map-case on'\n"
    with victim.at("bash", tmp_path, {"OOMCTL_PROC": str(proc_tree.root)}, rc=rc) as somebody:
        for typed, common in {"zza": "zza", "zzb": "zzb", "zzc": "zzc\\"}.items():
            assert somebody.enter(f"oomctl explain {typed}", keys=TAB + " x") == ["explain", common, "x"]


@pytest.mark.parametrize("setting", ["show-all-if-ambiguous", "show-all-if-unmodified"])
def test_a_name_longer_than_the_line_is_never_inserted_cut(tmp_path: Path, proc_tree: ProcTree, setting: str) -> None:
    home.require("bash")
    proc_tree.mount_v2()
    common = "/z" + "a " * (COLUMNS // 2) + "a"
    for end in ("1", "2"):
        (proc_tree.cgroup_mount / f"{common[1:]}{end}").mkdir()
    with victim.at("bash", tmp_path, {"OOMCTL_PROC": str(proc_tree.root)}, rc=f"bind 'set {setting} on'\n") as somebody:
        received = somebody.enter("oomctl explain cgroup:/z", keys=TAB)
        assert received == ["explain", f"cgroup:{common}"]
