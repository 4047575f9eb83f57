"""Any text under /proc and in control files of cgroups is survived, by every command that reads them."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.hostile.fuzzing import SPEAKING, corpus, ends_well, fuzz
from tests.proc_tree import ProcTree

QUICKLY = ("--over", "0.3s", "--every", "20ms")
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("top", "--once"),
    ("top", "--json"),
    ("top", "--format", "tsv", "-o", "pid,oom,oomadj,rss,swap,unit,cgroup,user,comm,cmdline"),
    ("top", "--once", "--cgroup", "/pod", "-n", "3"),
    ("top", "*", "--once", "--sort", "oom_score"),
    ("simulate",),
    ("simulate", "--json", "--rounds", "3"),
    ("simulate", "--cgroup", "/pod"),
    ("simulate", "--for", "20"),
    ("simulate", "--nodes", "0"),
    ("simulate", "--set", "java=5", "--add", "1G@300"),
    ("explain", "*", "--json"),
    ("explain", "20", "cmd:java", "user:0"),
    ("snapshot",),
    ("forecast", *QUICKLY),
    ("forecast", "--json", "--for", "20", *QUICKLY),
    ("set", "-500", "postgres", "java.service", "cgroup:/pod", "--dry-run"),
    ("sacrifice", "20", "cmd:.", "--dry-run", "--json", "--tree"),
    ("check",),
    ("check", "--json", "--precious", "java"),
    ("check", "java", "--format", "nagios"),
    ("check", "--format", "checkmk", "--min-severity", "warning"),
    ("policy", "diff", "-f", "POLICY"),
    ("policy", "explain", "java", "-f", "POLICY"),
)
POLICY = """
[[rule]]
target = ["postgres", "java.service", "cmd:x"]
adj = -900
[[rule]]
target = ["user:54321", "cgroup:/pod"]
adj = 500
scope = "tree"
"""
NUMBERS = (b"", b"-1", b"0", b"1", b"666", b"2001", b"99999999", b"18446744073709551615", b"9" * 400, b"1.5", b"x")
PIECES = (b"", b"\n", b"\0", b"\xff\xfe", b"(", b")", b" ", b":", b"kB", b"\x1b[2J", b"x" * 9000, b"0::/\n", b"max\n")
MOST_CHANGES = 4
GONE, DIRECTORY = "gone", "directory"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> ProcTree:
    made = ProcTree(tmp_path_factory.mktemp("machine"), kernel="6.18.0")
    made.mount_v2()
    made.cgroup("/pod", (20, 21), memory__max="819200000", memory__current="4096", memory__stat="active_file 4096\n")
    made.add(1, "systemd", 300, score=0, uid=0, ppid=0)
    made.add(10, "postgres", 50_000, score=600, uid=0, adj=-100, cgroup="0::/system.slice/java.service\n")
    made.add(11, "postgres", 20_000, score=679, uid=0, ppid=10)
    made.add(20, "java", 90_000, swap=256, score=726, uid=54321, cgroup="0::/pod\n")
    made.add(21, "java", 90_000, swap=256, score=726, uid=54321, ppid=20, cgroup="0::/pod\n")
    made.add(30, "safe", 5_000, adj=-1000, score=0, uid=0)
    made.add_kthread(40)
    made.add_zombie_leader(50, 51, 700)
    made.write("zoneinfo", "Node 0, zone      DMA\n  pages free     3\n        spanned  4095\n        present  3998\n")
    made.write("swaps", "Filename\tType\tSize\tUsed\tPriority\n/dev/zram0\tpartition\t1024\t0\t-2\n")
    made.write("vmstat", "pswpin 3\noom_kill 2\n")
    made.write("sys/kernel/sysrq", "438\n")
    made.write("sys/vm/oom_dump_tasks", "1\n")
    made.write("pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n")
    made.write("../policy.toml", POLICY)
    return made


@pytest.fixture
def exercise(tree: ProcTree) -> Callable[[bytes], None]:
    return lambda content: _exercise(tree, content)


@pytest.mark.parametrize("path", corpus("proc"), ids=lambda path: path.name)
def test_what_once_broke_it_is_survived(path: Path, exercise: Callable[[bytes], None]) -> None:
    exercise(path.read_bytes())


def test_any_text_of_a_process_or_the_machine_is_survived(tree: ProcTree, exercise: Callable[[bytes], None]) -> None:
    names = [str(path.relative_to(tree.root.parent)) for path in sorted(tree.root.parent.rglob("*")) if _is_text(path)]
    fuzz("proc", lambda dice: _changes(tree, names, dice), exercise)


def _is_text(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path.name != "policy.toml"


def _changes(tree: ProcTree, names: list[str], dice: random.Random) -> bytes:
    """Return which files say what else, and the command that meets them, as JSON."""
    files = {}
    for name in dice.sample(names, dice.randint(1, MOST_CHANGES)):
        text = (tree.root.parent / name).read_bytes()
        files[name] = dice.choice((GONE, DIRECTORY)) if dice.random() < 0.1 else _changed(text, dice).decode("latin-1")
    return json.dumps({"command": dice.choice(COMMANDS), "files": files}).encode()


def _changed(text: bytes, dice: random.Random) -> bytes:
    kind = dice.randrange(6)
    if kind == 0:
        return text[: dice.randint(0, len(text))]
    if kind == 1:
        return dice.choice(PIECES)
    if kind == 2:
        return bytes(dice.randrange(256) for _ in range(dice.choice((1, 40, 3000))))
    if kind == 3:
        place = dice.randint(0, len(text))
        return text[:place] + dice.choice(PIECES) + text[place:]
    words = text.split(b" ") if kind == 4 else text.split(b"\n")
    place = dice.randrange(len(words))
    words[place] = dice.choice((*NUMBERS, words[place] * 2))
    return (b" " if kind == 4 else b"\n").join(words)


def _exercise(tree: ProcTree, content: bytes) -> None:
    case = json.loads(content)
    place = tree.root.parent
    before = {place / name: (place / name).read_bytes() for name in case["files"]}
    command = [str(place / "policy.toml") if word == "POLICY" else word for word in case["command"]]
    try:
        for name, text in case["files"].items():
            _put(place / name, text)
        with patch.dict(os.environ, {"OOMCTL_PROC": str(tree.root)}):
            ends_well(*command, stdin=b"", with_output=SPEAKING)
    finally:
        for path, text in before.items():
            if path.is_dir():
                shutil.rmtree(path)
            path.write_bytes(text)


def _put(path: Path, text: str) -> None:
    if text in (GONE, DIRECTORY):
        path.unlink()
        if text == DIRECTORY:
            path.mkdir()
    else:
        path.write_bytes(text.encode("latin-1"))
