"""Any scenario document is decided on or refused within bounds."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.fuzzing import corpus, ends_well, fuzz
from tests.scenario.documents import a_document
from tests.worked_cases import CASES

KERNELS = ("3.10", "4.4", "4.14", "5.0", "5.10", "6.1.20", "6.18", "rhel7", "rhel8.1", "9" * 5000, "6." + "9" * 5000)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 5, 1000, -1000, 1001, 1 << 53, (1 << 53) + 1, 1 << 64, 10**300, 0.5, 1e300, -0.0),
    *("", "a", "/", "/m", "/m/a", "memcg", "cpuset", "mempolicy", "none", "bind", "interleave", "x" * 5000, "\ud800"),
    *(
        "\x1b[2J\x07",
        "\u202e",
        "\x00",
        "[red]",
        [],
        [0],
        [0, 1],
        [[]],
        ["a"],
        list(range(500)),
        {},
        {"0": {}},
        {"a": 1},
    ),
    *([-1], [1 << 70], ["/m", "/m/a"], {"memory_max": 0}, {"present": 0}, {"mode": "bind", "nodes": [0]}),
)
NAMES = (
    *(
        "pid",
        "ppid",
        "uid",
        "comm",
        "rss",
        "swap",
        "pgtables_pages",
        "pgtables_bytes",
        "adj",
        "rss_anon",
        "memcg",
        "mm",
    ),
    *(
        "mems",
        "mempolicy",
        "threads",
        "init",
        "kthread",
        "zombie",
        "leader_zombie",
        "vfork_of",
        "oom_victim",
        "oom_skip",
    ),
    *("exiting", "ptraced_exit", "origin", "cap_sys_admin", "running", "oom_score", "vsize_bytes", "start_ticks"),
    *("constraint", "totalpages", "current", "current_mems", "nodemask", "order", "gfp_fs", "sysrq", "panic_on_oom"),
    *(
        "oom_kill_allocating_task",
        "oom_group",
        "cpus",
        "swap_total",
        "nodes",
        "memcgs",
        "limits",
        "page_size",
        "kernel",
    ),
    *("hidden_processes", "unread_candidates", "unread_unkillable", "\x1b[1m", "x" * 5000, "schema", "cgroup"),
)
PIECES = (
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"9" * 5000,
    b"\\ud800",
    b"\xff",
    b"\x00",
    b'"',
    b"{",
    b"[" * 2000,
    b"}",
    b",",
)
QUESTIONS: tuple[tuple[str, ...], ...] = (
    *(("--rounds", "3"), ("--set", "10=-1000"), ("--set", "*=5"), ("--grow", "10=1G"), ("--add", "8G@300")),
    *(("--without", "10"), ("--free", "1G"), ("--cgroup", "/m"), ("--nodes", "0"), ("--nodes", "0", "--mempolicy")),
    *(("--kernel", "4.14"), ("--kernel", "6.18"), ("--allocating", "10"), ("--for", "10"), ("--set", "user:0=0")),
)


def a_scenario(dice: random.Random) -> bytes:
    """A document with any number of things done to it; its first byte chooses what is asked."""
    document = copy.deepcopy(dice.choice((a_document(), dice.choice(CASES), dice.choice(CASES))))
    for _ in range(dice.choice((0, 1, 2, 5, 20))):
        mangle(document, dice)
    text = json.dumps(document).encode()
    for _ in range(dice.choice((0, 0, 0, 0, 1, 3))):
        at = dice.randrange(len(text) + 1)
        piece = dice.choice((dice.choice(PIECES), text[dice.randrange(len(text) + 1) :][:50]))
        text = text[:at] + piece + text[at + dice.choice((0, 0, 1, 5)) :]
    return bytes([dice.randrange(len(QUESTIONS))]) + text


def mangle(document: Any, dice: random.Random) -> None:
    """Do one thing to one place."""
    place: Any = document
    while isinstance(place, (dict, list)) and place and dice.random() < 0.8:
        inner = [
            value
            for value in (place.values() if isinstance(place, dict) else place)
            if value and type(value) in (dict, list)
        ]
        if not inner:
            break
        place = dice.choice(inner)
    value = copy.deepcopy(dice.choice(VALUES))
    if isinstance(place, list):
        done = dice.randrange(3)
        if done == 0 or not place:
            place.insert(dice.randrange(len(place) + 1), value)
        elif done == 1:
            # The same again, a few times: tasks that differ in one field.
            for _ in range(dice.choice((1, 5, 60))):
                again = copy.deepcopy(dice.choice(place))
                if isinstance(again, dict) and "pid" in again:
                    again["pid"] = dice.randrange(1, 400)
                place.append(again)
        else:
            del place[dice.randrange(len(place))]
    elif isinstance(place, dict):
        known = dice.choice(sorted(place)) if place and dice.random() < 0.5 else dice.choice(NAMES)
        if known == "kernel":
            value = dice.choice(KERNELS)
        if dice.random() < 0.1:
            place.pop(known, None)
        else:
            place[known] = value


def asked(content: bytes) -> None:
    """From the bytes to everything that is said of them."""
    question = QUESTIONS[content[0] % len(QUESTIONS)] if content else ()
    text = content[1:]
    ends_well("simulate", "--from", "-", stdin=text)
    document = ends_well("simulate", "--json", "--from", "-", stdin=text)
    if document:
        json.loads(document)
    ends_well("simulate", "--from", "-", *question, stdin=text)


@pytest.mark.parametrize("path", corpus("scenario"), ids=lambda path: path.name)
def test_what_once_broke_it_is_decided_or_refused(path: Path) -> None:
    asked(path.read_bytes())


def test_any_scenario_is_decided_or_refused_within_bounds() -> None:
    fuzz("scenario", a_scenario, asked)
