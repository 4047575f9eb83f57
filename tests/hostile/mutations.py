"""Real logs as people paste them: cut, grepped, prefixed, wrapped, mixed; and what may be said of them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from oomctl.model.kernel import Constraint
from oomctl.model.oomreport import Ended, OomReport
from oomctl.oomlog.parser import parse
from oomctl.oomlog.prefix import split_prefix
from oomctl.render import killing
from tests.oomlog.real_logs import INDEX, log_lines

MOST_LINES = 300
NAMES = sorted(INDEX)
NOBODY = ("nokillableprocess", "Notaskeligible")
"""The kernel's own words for it, without blanks."""
PANIC = "Kernelpanic-notsyncing"
EVIDENCE = (
    *("oom-killer:", "oom-kill:", "oom_reaper:", "Killprocess", "Killedprocess", "killedprocess", "adjname", PANIC),
    *("oom.group", "utofmemory", "alreadyexiting", "Taskin/", "OOM", "sharingsamememory", "moom_callback", *NOBODY),
)
"""At least one of these is left of whatever tells of a kill."""
OF_CGROUP = (
    *("CONSTRAINT_MEMCG", "emorycgroup", "mem_cgroup", "asaresultoflimitof", "oom_memcg=", "memory:usage"),
    *("mem_cgroup_out_of_memory", "oom.group"),
)
OF_MACHINE = (
    "CONSTRAINT_",
    "global_oom",
    "Outofmemory",
    "Mem-Info",
    "Meminfo",
    "Mem-info",
    "pagesRAM",
    "out_of_memory",
    "__alloc_pages",
)
OF_NODES = {Constraint.CPUSET, Constraint.MEMPOLICY}
NOT_TOLD = "the machine instead of some of its nodes"
"""Not held against it, but counted: "Out of memory" is the kernel's word for both, other lines tell which it was."""
_PREFIXES = (
    *("[  842.{n}] ", "Aug 23 11:47:25 box kernel: ", "Aug 23 11:47:25 box kernel: [  842.{n}] ", "<4>[  842.{n}] "),
    *("2025-08-23T11:47:25.{n}+02:00 box kernel: ", "4,{k},842{n},-;", "[W] Aug 23 11:47:25 kernel: ", "> > ", "    "),
    *(
        "kern  :warn  : [  842.{n}] ",
        "[Sat Aug 23 11:47:25 2025] ",
        "192.0.2.7: kern: warning: [2025-08-23T11:47:25Z]: ",
    ),
    *("qemu-3 console| ", "2025-08-23 11:47:25.1 | INFO | guest | ", "box7 ", "17: "),
)
_GREPS = ("ut of memory", "Kill", "oom", "[Kk]ill|oom", "oom-kill", "Killed process", "memory|oom|Kill")


class Real(NamedTuple):
    """A real log with one report."""

    lines: tuple[str, ...]
    victim_pid: int | None
    pids: frozenset[int]
    """Everyone whom the whole log says was killed or chosen."""
    constraint: Constraint | None


class Mutated(NamedTuple):
    """What was made of real logs, and of which."""

    kind: str
    lines: list[str]
    sources: tuple[Real, ...]


@cache
def real(name: str) -> Real:
    lines = tuple(line.decode("utf-8", "replace").rstrip("\r\n") for line in log_lines(name))
    (report,) = parse(lines)
    pids = {kill.pid for kill in (report.victim, report.selected, *report.killed) if kill is not None}
    pids |= {kill.thread for kill in report.killed if kill.thread is not None}
    pids |= {int(pid) for line in lines for pid in re.findall(r"reaped process (\d+) ", line)}  # also of a kill before
    kept = lines if len(lines) <= MOST_LINES else lines[: MOST_LINES // 2] + lines[-MOST_LINES // 2 :]
    return Real(kept, INDEX[name]["victim_pid"], frozenset(pids), report.constraint)


def mutated(dice: random.Random) -> Mutated:
    """Do one thing to one real log, sometimes two."""
    one = real(dice.choice(NAMES))
    kind = dice.choice(sorted(_KINDS))
    if kind == "interleaved":
        other = real(dice.choice(NAMES))
        return Mutated(kind, _interleaved(_of_host("box1", one), _of_host("box2", other), dice), (one, other))
    lines = _KINDS[kind](list(one.lines), dice)
    if dice.random() < 0.3:
        also = dice.choice(("cut at the end", "cut at the start", "lines dropped"))
        kind, lines = f"{kind}, {also}", _KINDS[also](lines, dice)
    return Mutated(kind, lines, (one,))


def cut_after(name: str, lines: int) -> Mutated:
    one = real(name)
    return Mutated("cut at the end", list(one.lines[:lines]), (one,))


def wrongs(mutant: Mutated) -> list[str]:
    """Return what is said of it although nothing left in it, or the whole log, bears it out."""
    text = re.sub(r"\s+", "", "".join(mutant.lines))
    reports = list(parse(mutant.lines))
    found = [wrong for report in reports for wrong in _wrongs_of(report, mutant.sources, text)]
    if reports and not any(word in text for word in EVIDENCE):
        found.append("an event without evidence")
    if len(reports) > sum(_most_events(source, text) for source in mutant.sources):
        found.append("more events than there were")
    return sorted(set(found))


def _most_events(source: Real, text: str) -> int:
    """One; where the line is gone that says that a group dies, every kill of it looks like one of its own."""
    if len(source.pids) == 1 or "oom.group" in text:
        return 1
    return max(1, sum(len(re.findall(rf"(?:illed|reaped)process{pid}\(", text)) for pid in source.pids))


def _wrongs_of(report: OomReport, sources: tuple[Real, ...], text: str) -> list[str]:
    found = []
    if "nobody" in killing.victim(report) and not any(word in text for word in (*NOBODY, PANIC)):
        found.append("a false nobody")
    if report.ended is Ended.PANIC and PANIC not in text:
        found.append("a false panic")
    words = OF_CGROUP if report.constraint is Constraint.MEMCG else OF_MACHINE
    if report.constraint is not None and not any(word in text for word in words):
        found.append("a limit without evidence")
    truths = {source.constraint for source in sources}
    if report.constraint is not None and None not in truths and report.constraint not in truths:
        of_nodes = report.constraint is Constraint.NONE and bool(truths & OF_NODES)
        found.append(NOT_TOLD if of_nodes else "a false limit")
    if report.victim is not None and not any(report.victim.pid in source.pids for source in sources):
        found.append("a false victim")
    return found


def victims(mutant: Mutated) -> tuple[int, int]:
    """Return how many victims are still found, and how many the text still names in a line about their death."""
    text = re.sub(r"\s+", "", "".join(mutant.lines))
    named = {
        source.victim_pid
        for source in mutant.sources
        if source.victim_pid is not None and f"illedprocess{source.victim_pid}(" in text
    }
    found = {kill.pid for report in parse(mutant.lines) for kill in report.killed}  # in a group any may be the victim
    return len(named & found), len(named)


def _cut_end(lines: list[str], dice: random.Random) -> list[str]:
    return lines[: dice.randrange(len(lines) + 1)]


def _cut_start(lines: list[str], dice: random.Random) -> list[str]:
    return lines[dice.randrange(len(lines) + 1) :]


def _dropped(lines: list[str], dice: random.Random) -> list[str]:
    share = dice.choice((0.01, 0.05, 0.2, 0.5, 0.9))
    return [line for line in lines if dice.random() > share]


def _grepped(lines: list[str], dice: random.Random) -> list[str]:
    pattern = dice.choice(_GREPS)
    return [line for line in lines if re.search(pattern, line)]


def _prefixed(lines: list[str], dice: random.Random) -> list[str]:
    prefix = dice.choice(_PREFIXES)
    return [prefix.format(n=f"{number:06d}", k=number) + line for number, line in enumerate(lines)]


def _wrapped(lines: list[str], dice: random.Random) -> list[str]:
    width = dice.choice((60, 72, 79, 80, 100, 120, 132))
    return [line[at : at + width] for line in lines for at in range(0, max(len(line), 1), width)]


def _reversed(lines: list[str], dice: random.Random) -> list[str]:
    return lines[::-1]


def _half_a_line(lines: list[str], dice: random.Random) -> list[str]:
    at = dice.randrange(len(lines)) if lines else 0
    return [*lines[:at], *(line[: dice.randrange(len(line) + 1)] for line in lines[at : at + 1])]


def _of_host(name: str, one: Real) -> list[str]:
    """Two machines in one log: one alone never has two reports at the same time."""
    return [f"Aug 23 11:47:25 {name} kernel: {split_prefix(line).message}" for line in one.lines]


def _interleaved(one: list[str], other: list[str], dice: random.Random) -> list[str]:
    mixed = []
    while one or other:
        source = one if not other or (one and dice.random() < 0.5) else other
        run = dice.choice((1, 1, 3, 20))
        mixed += source[:run]
        del source[:run]
    return mixed


_KINDS: dict[str, Callable[[list[str], random.Random], list[str]]] = {
    "cut at the end": _cut_end,
    "cut at the start": _cut_start,
    "lines dropped": _dropped,
    "grepped": _grepped,
    "prefixed": _prefixed,
    "wrapped": _wrapped,
    "reversed": _reversed,
    "stopped within a line": _half_a_line,
    "interleaved": _reversed,  # with another log: see ``mutated``
}
